"""Until when a home may vote: the vote runs from the proposal's confirmation, which may come long after its date."""

from __future__ import annotations

from vicinia.assembly.vote import Vote
from vicinia.node.services.replica import Replica

__all__ = ["ends_ms", "is_open"]


def ends_ms(replica: Replica, vote: Vote) -> int:
    """When a vote ends, or ended, in ms (docs/adr/0006).

    Until its close is in the log, as far as this home can tell: the coordinator counts from the first checkpoint that
    confirms the proposal, this home from the first that it saw. It may be late by the time between two polls, and is
    never early. A home that was away over a proposal's deadline goes by its date (`Replica`).
    """
    confirmed = vote.closing.opened if vote.closing is not None else replica.store.witnessed(vote.proposal.job)
    if confirmed is None:
        return vote.proposal.deadline
    return max(vote.proposal.deadline, confirmed + replica.assembly.bylaws.vote_seconds * 1000)


def is_open(replica: Replica, vote: Vote, now_ms: int) -> bool:
    """Whether a ballot would still be in time."""
    if vote.closing is not None or vote.revoked is not None:
        return False
    return vote.proposal.opens <= now_ms < ends_ms(replica, vote)
