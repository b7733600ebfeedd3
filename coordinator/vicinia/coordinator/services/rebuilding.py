"""A run in memory is made anew from the database: the same calls again, in the same order."""

from __future__ import annotations

import logging

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from vicinia.assembly import Job
from vicinia.coordinator.services.gate import Gate
from vicinia.coordinator.services.ledger import Ledger
from vicinia.coordinator.services.live import LiveRun, ones
from vicinia.coordinator.services.terms import Terms
from vicinia.coordinator.store import jobs, messages, runs
from vicinia.coordinator.store.runs import RunRow
from vicinia.errors import Incompatible, StorageFault, ViciniaError
from vicinia.secagg.coordinator import CoordinatorRound
from vicinia.secagg.manifest import Manifest
from vicinia.wire.journal import decode_advert, decode_attestation, decode_share_upload, decode_unmask_shares
from vicinia.wire.published import Phase

__all__ = ["DamagedRun", "rebuild"]

_log = logging.getLogger(__name__)


class DamagedRun(StorageFault):
    """What is on disk of one run makes no run; to try again does not help. `told`: what everybody may read of it."""

    told = "The coordinator lost the run."


class OutdatedRun(DamagedRun):
    """The run is of another version of the protocol."""

    told = "The coordinator was updated while the run was under way."


def rebuild(connection: Connection, row: RunRow, ledger: Ledger, gate: Gate, now_ms: int, awake_ms: int) -> LiveRun:
    """The run as far as it went; DamagedRun where what is on disk makes none.

    A database that cannot be read is no reason to give a run up: its error passes.
    """
    where = f"run {row.run_id.hex()[:16]}"
    try:
        return _rebuild(connection, row, ledger, gate, now_ms, awake_ms)
    except SQLAlchemyError:
        raise
    except Incompatible as error:
        _log.warning("%s: %s", where, error.what)
        raise OutdatedRun(OutdatedRun.told, where=where) from error
    except ViciniaError as error:
        raise DamagedRun(f"This run cannot be continued from the database. {error.what}", where=where) from error
    except Exception as error:
        _log.exception("%s cannot be rebuilt", where)
        raise DamagedRun("This run cannot be continued from the database.", where=where) from error


def _rebuild(connection: Connection, row: RunRow, ledger: Ledger, gate: Gate, now_ms: int, awake_ms: int) -> LiveRun:
    """Make the same calls again that made the run what it is."""
    kept = jobs.find(connection, row.job_hash)
    if kept is None:
        raise StorageFault("A run has no job in the database.", where=f"run {row.run_id.hex()[:16]}")
    manifest = Manifest.from_canonical(row.manifest)
    manifest.require_our_version()
    with ledger.lock:
        terms = Terms.of(Job.from_canonical(kept.body), ledger.assembly, manifest.checkpoint_size)
    round_ = CoordinatorRound(manifest, terms.keys, terms.corrupt, terms.delta, terms.floor)
    live = LiveRun(row, manifest, terms, round_, since_ms=now_ms, expected=len(terms.keys), gate=gate)
    live.awake_ms = awake_ms
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
    live.veterans = frozenset(index for roster, _ in cohorts for index in ones(roster))
    last, survivors = cohorts[-1]
    if survivors is not None:
        members = ones(last)
        live.regulars = frozenset(members[position] for position in ones(survivors))


def _replay_roster(connection: Connection, live: LiveRun, members: bytes) -> None:
    """Everything after the roster was frozen, as far as it went."""
    row, round_ = live.row, live.round
    live.keep_only(ones(members))
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


def _same(rebuilt: bytes, kept: bytes, what: str) -> None:
    """What was published once is never published differently."""
    if rebuilt != kept:
        raise StorageFault(f"The {what} in the database do not follow from its messages.", where="run")
