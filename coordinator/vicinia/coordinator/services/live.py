"""A run that is under way, in memory: a cache of what is on disk."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass, field

from vicinia.coordinator.services.gate import Gate
from vicinia.coordinator.services.terms import Terms
from vicinia.coordinator.store.runs import RunRow
from vicinia.errors import PermissionDenied
from vicinia.identity import Principal, Role
from vicinia.privacy.noise import NoisePlan
from vicinia.secagg.coordinator import CoordinatorRound, Roster
from vicinia.secagg.manifest import Manifest
from vicinia.wire.published import Phase

__all__ = ["LiveRun", "has_bit", "ones", "stranger"]


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
        roster = ones(row.roster) if row.roster is not None else sorted(self.terms.keys)
        among = row.survivors or row.dealers
        awaited = roster if among is None else [roster[position] for position in ones(among)]
        return set(awaited) - self.answered

    def undecided(self) -> set[int]:
        """Who could still join a run and is waited for: of a later round those who were in the sum of the one before,
        and who was in an earlier one and is back. Everybody else may join while it lasts."""
        if self.regulars is None:
            return self.missing()
        back = self.veterans & self.invited.keys()
        return {index for index in self.missing() if index in self.regulars or index in back}

    @property
    def may_go_on(self) -> bool:
        """Whether so many have answered that the phase may be over: quick to say, and no more than a hint."""
        match self.row.phase:
            case Phase.ADVERTISE if self.regulars is not None:
                enough = len(self.regulars)
            case Phase.COMMIT:
                enough = self.round.parameters.quorum
            case _:
                enough = self.expected
        return len(self.answered) >= enough

    @property
    def awaits_witnesses(self) -> bool:
        """Whether the roster is in the log, and not shown yet."""
        return self.row.phase is Phase.ADVERTISE and self.row.roster is not None

    def left_ms(self, now_ms: int) -> int | None:
        """How long the phase still takes, if who is waited for is as quick as who has answered; None: nobody has.

        Not for a roster that waits for witnesses (`awaits_witnesses`): no home is waited for then.
        """
        if not self.answered:
            return None
        match self.row.phase:
            case Phase.ADVERTISE:
                waited = len(self.undecided())
            case Phase.COMMIT:  # as many notaries as it takes
                waited = max(0, self.round.parameters.quorum - len(self.answered))
            case _:
                waited = len(self.missing())
        return (now_ms - self.counted_ms) * waited // len(self.answered)

    def index_of(self, caller: Principal) -> int:
        """The registry index of a caller that is in the run's electorate; PermissionDenied where it is not."""
        index = self.terms.members.get(caller.id) if caller.role is Role.HOUSEHOLD else None
        if index is None:
            raise stranger()
        return index

    def takes_part(self, index: int | None) -> bool:
        """Whether this member is in the roster or, before there is one, among those who have advertised."""
        return index is not None and (index in self.answered if self.roster is None else self.holds(index))

    def holds(self, index: int) -> bool:
        """Whether this member is in the frozen roster."""
        return self.roster is not None and has_bit(self.roster.members, index)

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


def stranger() -> PermissionDenied:
    """What somebody is told who is not in the electorate of a run."""
    return PermissionDenied("This household is not in the electorate of the run's job.", where="run")


def has_bit(bitmap: bytes, place: int) -> bool:
    """Whether this place is set."""
    return place // 8 < len(bitmap) and bool(bitmap[place // 8] >> (place % 8) & 1)


def ones(bitmap: bytes) -> list[int]:
    """The places that are set, ascending."""
    return [place for place in range(8 * len(bitmap)) if bitmap[place // 8] >> (place % 8) & 1]
