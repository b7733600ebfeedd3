"""The record of one proposal, from its leaf to the last run, and how its ballots are counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from vicinia.assembly.ballot import BALLOT_KINDS
from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.registry import Household
from vicinia.assembly.statements import Certificate, Model, Proposal, Release, Roster, Trained
from vicinia.assembly.tally import Result, quorum_needed


class Cast(NamedTuple):
    """One effective ballot: leaf, registry index, key epoch and sequence number, choice."""

    leaf: int
    elector: int
    rank: tuple[int, int]
    choice: Any


@dataclass(frozen=True, slots=True)
class Closing:
    """How a vote ended: leaves before `size` count; witnesses saw it open and over at these times (ms)."""

    size: int
    opened: int
    closed: int


@dataclass(frozen=True, slots=True)
class LoggedRoster:
    """The roster statement of one run, and its leaf."""

    leaf: int
    roster: Roster


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """The model statement of one run of a training, and its leaf."""

    leaf: int
    model: Model


@dataclass(slots=True)
class Vote:
    """Everything the log says about one proposal; only `Assembly` changes it.

    `electorate` is N, the active households among the first `proposal.registry_size` at `leaf`; `last_ballot` the leaf
    of the last ballot, outranked ones included.
    """

    proposal: Proposal
    digest: bytes
    leaf: int
    sponsors: tuple[str, ...]
    electorate: int
    cast: list[Cast] = field(default_factory=list)
    latest: dict[int, Cast] = field(default_factory=dict)
    last_ballot: int | None = None
    closing: Closing | None = None
    result: Result | None = None
    certificate: Certificate | None = None
    certificate_leaf: int | None = None
    revoked: int | None = None
    models: dict[int, LoggedModel] = field(default_factory=dict)
    rosters: dict[int, LoggedRoster] = field(default_factory=dict)
    releases: dict[int, Release] = field(default_factory=dict)
    trained: Trained | None = None
    trained_leaf: int | None = None

    @property
    def turnout(self) -> int:
        """Electors who have cast a ballot so far."""
        return len(self.latest)

    def is_elector(self, household: Household) -> bool:
        """Frozen at the proposal's leaf: registered and active then."""
        return household.index < self.proposal.registry_size and household.active_at(self.leaf)

    def record(self, cast: Cast) -> None:
        """Keep a ballot; one that an earlier leaf outranks never counts, whatever the closing checkpoint."""
        self.last_ballot = cast.leaf
        known = self.latest.get(cast.elector)
        if known is None or cast.rank > known.rank:
            self.cast.append(cast)
            self.latest[cast.elector] = cast

    def counts(self, elector: int) -> Cast | None:
        """The one ballot of this elector that the close counts; None where it counts none, or none yet."""
        size = self.closing.size if self.closing is not None else 0
        timely = (cast for cast in self.cast if cast.elector == elector and in_time(cast, size))
        return max(timely, key=lambda cast: cast.rank, default=None)


def in_time(cast: Cast, size: int) -> bool:
    """A ballot at or after the closing checkpoint's size is late."""
    return cast.leaf < size


def counted(cast: Iterable[Cast], size: int) -> dict[int, Any]:
    """Elector -> choice: of the ballots in time, the one of the highest rank."""
    best: dict[int, Cast] = {}
    for ballot in cast:
        known = best.get(ballot.elector)
        if in_time(ballot, size) and (known is None or ballot.rank > known.rank):
            best[ballot.elector] = ballot
    return {elector: ballot.choice for elector, ballot in best.items()}


def count(vote: Vote, size: int, bylaws: ByLaws) -> Result:
    """The result from the ballots themselves, never from what somebody claims."""
    counts = BALLOT_KINDS[bylaws.ballots].count(counted(vote.cast, size).values())
    needed = quorum_needed(vote.electorate, bylaws.quorum)
    return Result(vote.electorate, counts, needed, vote.proposal.class_ != "ordinary")
