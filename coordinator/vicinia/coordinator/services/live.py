"""Runs that are under way, in memory: caches that are rebuilt from the database whenever they are not there."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from vicinia.assembly import Job
from vicinia.coordinator.clock import Clock
from vicinia.coordinator.services.gate import Gate
from vicinia.coordinator.services.last_shown import LastShown
from vicinia.coordinator.services.ledger import Ledger
from vicinia.coordinator.services.terms import Terms
from vicinia.coordinator.store import jobs, messages, runs
from vicinia.coordinator.store.database import Database
from vicinia.coordinator.store.runs import ENDED, RunRow
from vicinia.errors import NotFound, PhaseOver, StorageFault, ViciniaError
from vicinia.identity import Principal, Role
from vicinia.privacy.noise import NoisePlan
from vicinia.secagg.coordinator import CoordinatorRound, Roster
from vicinia.secagg.manifest import Manifest
from vicinia.wire.journal import decode_advert, decode_attestation, decode_share_upload, decode_unmask_shares
from vicinia.wire.rounds import Phase

__all__ = ["DamagedRun", "LiveRun", "LiveRuns"]

_log = logging.getLogger(__name__)


class DamagedRun(StorageFault):
    """What is on disk of one run makes no run; to try again does not help."""


@dataclass(eq=False, slots=True)
class LiveRun:
    """One run. `gate` parts messages from transitions, `mutex` guards `round`; `row` is replaced by transitions only.

    `gate` is that of every `LiveRun` of the same run, so that one that was dropped is parted from its successor, too;
    `stale`: memory may hold what the disk does not, so that nothing may be taken in or frozen any more.

    `answered` are the registry indices whose message of the current phase is on disk (the last since `answered_ms`),
    `expected` how many there may be. `invited`: since when a home has known of the run, `considered`: since when it has
    had the manifest; `heard`: when it last called, as far as is known since `since_ms`, when this was rebuilt.
    `polling`: among how many homes at most those of the run were told when to come again.
    `regulars`: who was in the sum of the round before, in a training that has one; `veterans`: who was in any roster.
    `awake_ms`: since when the coordinator has been running.
    """

    row: RunRow
    manifest: Manifest
    terms: Terms
    round: CoordinatorRound
    roster: Roster | None = None
    noise: NoisePlan | None = None
    answered: set[int] = field(default_factory=set)
    answered_ms: int = 0
    since_ms: int = 0
    expected: int = 0
    invited: dict[int, int] = field(default_factory=dict)
    considered: dict[int, int] = field(default_factory=dict)
    heard: dict[int, int] = field(default_factory=dict)
    polling: int = 0
    regulars: frozenset[int] | None = None
    veterans: frozenset[int] = frozenset()
    awake_ms: int = 0
    gate: Gate = field(default_factory=Gate)
    stale: bool = False
    mutex: threading.Lock = field(default_factory=threading.Lock)

    @property
    def run_id(self) -> bytes:
        """J."""
        return self.row.run_id

    @property
    def counted_ms(self) -> int:
        """Since when the phase has lasted: what the coordinator slept through is nobody's silence."""
        return max(self.row.opened_ms, self.awake_ms)

    def missing(self) -> set[int]:
        """Who could still answer in this phase."""
        row = self.row
        roster = _ones(row.roster) if row.roster is not None else sorted(self.terms.keys)
        among = row.survivors or row.dealers
        awaited = roster if among is None else [roster[position] for position in _ones(among)]
        return set(awaited) - self.answered

    def undecided(self) -> set[int]:
        """Who could still join a run and is waited for: of a later round those who were in the sum of the one before,
        and who was in an earlier one and is back. Everybody else may join while it lasts."""
        if self.regulars is None:
            return self.missing()
        back = self.veterans & self.invited.keys()
        return {index for index in self.missing() if index in self.regulars or index in back}

    def left_ms(self, now_ms: int) -> int | None:
        """How long the phase still takes, if who is waited for is as quick as who has answered; None: nobody has."""
        if self.row.phase is Phase.ADVERTISE and self.row.roster is not None:
            return 0  # the witnesses are quick
        if not self.answered:
            return None
        waited = self.undecided() if self.row.phase is Phase.ADVERTISE else self.missing()
        return (now_ms - self.counted_ms) * len(waited) // len(self.answered)

    def holds(self, index: int) -> bool:
        """Whether this member is in the frozen roster."""
        members = self.roster.members if self.roster is not None else b""
        return index // 8 < len(members) and bool(members[index // 8] >> (index % 8) & 1)

    def keep_only(self, indices: Collection[int]) -> None:
        """Leave out of the roster who has advertised and is not among these."""
        for index in self.answered.difference(indices):
            self.round.leave_out(index)

    def freeze_roster(self) -> Roster:
        """Freeze the roster and derive the noise from it; RoundFailed or InvalidInput where that cannot be."""
        roster = self.round.freeze_roster()
        self.noise = self.terms.noise(self.round.parameters)
        self.round.encode_as(self.noise.length, self.noise.width)
        self.roster = roster
        return roster


class LiveRuns:
    """Every run that has not ended. What memory has of the disk is what homes are shown: `shown` says so before."""

    def __init__(self, database: Database, ledger: Ledger, shown: LastShown, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._shown = shown
        self._clock = clock
        self._awake_ms = clock()
        self._lock = threading.RLock()
        self._live: dict[bytes, LiveRun] = {}
        self._gates: dict[bytes, Gate] = {}

    def known(self, run_id: bytes) -> LiveRun | None:
        """The run, where it is in memory: under way, and as far as the disk says at least that it has come."""
        return self._live.get(run_id)

    def get(self, run_id: bytes) -> LiveRun:
        """The run, rebuilt if need be; NotFound where there is none, PhaseOver where it has ended."""
        with self._lock:
            live = self._live.get(run_id)
            if live is None:
                with self._database.read() as connection:
                    row = runs.find(connection, run_id)
                    if row is None:
                        raise NotFound("There is no such run.", where=f"run {run_id.hex()[:16]}")
                    if row.phase in ENDED:
                        raise PhaseOver("This run has ended.", where=f"run {run_id.hex()[:16]}")
                    self._shown.keep(runs.transitions(connection))
                    live = self._rebuilt(connection, row)
                self._live[run_id] = live
            return live

    def reread(self, live: LiveRun) -> None:
        """After a transition, within the gate: take over what is on disk."""
        with self._database.read() as connection:
            row = runs.find(connection, live.run_id)
            self._shown.keep(runs.transitions(connection))
        if row is not None:
            live.row = row

    def every(self) -> list[LiveRun]:
        """All of them, rebuilt if need be, without those that cannot be."""
        return self.sort_out()[0]

    def sort_out(self) -> tuple[list[LiveRun], list[tuple[RunRow, DamagedRun]]]:
        """(all that can be rebuilt, the others with the reason why not)."""
        with self._database.read() as connection:
            rows = runs.active(connection)
        good: list[LiveRun] = []
        damaged: list[tuple[RunRow, DamagedRun]] = []
        for row in rows:
            try:
                good.append(self.get(row.run_id))
            except DamagedRun as error:
                damaged.append((row, error))
            except PhaseOver:
                continue  # it ended just now
        return good, damaged

    def registry_index(self, household: str) -> int | None:
        """The registry index of a household."""
        member = self._ledger.assembly.member(household)
        return None if member is None else member.index

    def was_invited(self, caller: Principal, row: RunRow) -> bool:
        """Whether the caller is in the electorate of a run that has ended."""
        index = self.registry_index(caller.id) if caller.role is Role.HOUSEHOLD else None
        if index is None:
            return False
        size = Manifest.from_canonical(row.manifest).checkpoint_size
        with self._ledger.lock:
            assembly = self._ledger.assembly
            return index in assembly.electorate_keys(assembly.vote_on(row.job_hash), size)

    @contextmanager
    def taking(self, run_id: bytes) -> Iterator[LiveRun]:
        """The run as it is, for one message: beside others, and beside no transition."""
        while True:
            live = self.get(run_id)
            with live.gate.shared():
                if self._is_current(live):
                    yield live
                    return
            self.drop(live)

    @contextmanager
    def alone(self, live: LiveRun) -> Iterator[None]:
        """For one transition: no message is under way. Where it fails, memory is forgotten before anybody enters."""
        with live.gate.exclusive():
            if not self._is_current(live):
                self._forget(live)
                raise StorageFault("What was in memory is no longer what is on disk.", where="run")
            try:
                yield
            except BaseException:
                self._forget(live)
                raise

    def gate(self, run_id: bytes) -> Gate:
        """The one gate of a run, whatever is in memory of it."""
        with self._lock:
            return self._gates.setdefault(run_id, Gate())

    def drop(self, live: LiveRun) -> None:
        """Forget what is in memory, since it may differ from the disk; waits until nobody works with it."""
        with live.gate.exclusive():
            self._forget(live)

    def ended(self, run_id: bytes) -> None:
        """Forget a run that has ended, on disk."""
        with self._lock:
            self._live.pop(run_id, None)
            self._gates.pop(run_id, None)
        with self._database.read() as connection:
            self._shown.keep(runs.transitions(connection))

    def _is_current(self, live: LiveRun) -> bool:
        return not live.stale and self._live.get(live.run_id) is live

    def _forget(self, live: LiveRun) -> None:
        """Within the exclusive side of the gate; a successor that is there already stays."""
        with self._lock:
            live.stale = True
            if self._live.get(live.run_id) is live:
                del self._live[live.run_id]

    def _rebuilt(self, connection: Connection, row: RunRow) -> LiveRun:
        """The same, or DamagedRun; a database that cannot be read is no reason to give a run up."""
        where = f"run {row.run_id.hex()[:16]}"
        try:
            return self._rebuild(connection, row)
        except SQLAlchemyError:
            raise
        except ViciniaError as error:
            raise DamagedRun(f"This run cannot be continued from the database. {error.what}", where=where) from error
        except Exception as error:
            _log.exception("%s cannot be rebuilt", where)
            raise DamagedRun("This run cannot be continued from the database.", where=where) from error

    def _rebuild(self, connection: Connection, row: RunRow) -> LiveRun:
        """Make the same calls again that made the run what it is."""
        kept = jobs.find(connection, row.job_hash)
        if kept is None:
            raise StorageFault("A run has no job in the database.", where=f"run {row.run_id.hex()[:16]}")
        manifest = Manifest.from_canonical(row.manifest)
        with self._ledger.lock:
            terms = Terms.of(Job.from_canonical(kept.body), self._ledger.assembly, manifest.checkpoint_size)
        round_ = CoordinatorRound(manifest, terms.keys, terms.corrupt, terms.delta, terms.floor)
        gate = self.gate(row.run_id)
        live = LiveRun(row, manifest, terms, round_, since_ms=self._clock(), expected=len(terms.keys), gate=gate)
        live.awake_ms = self._awake_ms
        _remember_rounds(connection, live)
        for index, body in messages.of_phase(connection, row.run_id, Phase.ADVERTISE):
            round_.add_advert(decode_advert(body))
            live.answered.add(index)
        if row.roster is not None:
            _replay_roster(connection, live, row.roster)
        return live


def _remember_rounds(connection: Connection, live: LiveRun) -> None:
    """Who was in the rounds before, in a training."""
    cohorts = runs.cohorts_before(connection, live.row.job_hash, live.row.number)
    if not cohorts:
        return
    live.veterans = frozenset(index for roster, _ in cohorts for index in _ones(roster))
    last, survivors = cohorts[-1]
    if survivors is not None:
        members = _ones(last)
        live.regulars = frozenset(members[position] for position in _ones(survivors))


def _replay_roster(connection: Connection, live: LiveRun, members: bytes) -> None:
    """Everything after the roster was frozen, as far as it went."""
    row, round_ = live.row, live.round
    live.keep_only(_ones(members))
    _same(live.freeze_roster().members, members, "roster")
    if row.phase is Phase.ADVERTISE:
        return
    _expect(connection, live, Phase.SHARE, round_.parameters.n)
    for index, body in messages.of_phase(connection, row.run_id, Phase.SHARE):
        round_.add_shares(index, decode_share_upload(body))
    if row.dealers is not None:
        _same(round_.freeze_dealers(), row.dealers, "dealers")
        _expect(connection, live, Phase.INPUT, row.dealers)
    if row.survivors is not None:
        inputs = messages.of_phase(connection, row.run_id, Phase.INPUT)
        _same(round_.freeze_survivors([round_.position(index) for index, _ in inputs]), row.survivors, "survivors")
        _expect(connection, live, Phase.COMMIT, round_.parameters.notaries)
        for index, body in messages.of_phase(connection, row.run_id, Phase.COMMIT):
            round_.add_attestation(index, decode_attestation(body))
    if row.phase is Phase.UNMASK:
        _expect(connection, live, Phase.UNMASK, row.survivor_count)
        for index, body in messages.of_phase(connection, row.run_id, Phase.UNMASK):
            round_.add_unmask(index, decode_unmask_shares(body))


def _expect(connection: Connection, live: LiveRun, phase: Phase, expected: bytes | int) -> None:
    """Who has answered in this phase, of how many (a bitmap or a number)."""
    sent = messages.of_phase(connection, live.run_id, phase)
    live.answered = {index for index, _ in sent}
    live.expected = expected if isinstance(expected, int) else int.from_bytes(expected, "little").bit_count()


def _ones(bitmap: bytes) -> list[int]:
    """The places that are set, ascending."""
    return [place for place in range(8 * len(bitmap)) if bitmap[place // 8] >> (place % 8) & 1]


def _same(rebuilt: bytes, kept: bytes, what: str) -> None:
    """What was published once is never published differently."""
    if rebuilt != kept:
        raise StorageFault(f"The {what} in the database do not follow from its messages.", where="run")
