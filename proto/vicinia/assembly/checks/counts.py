"""The end of a vote: what the witnesses saw of it, and what its ballots amount to."""

from __future__ import annotations

from collections.abc import Sequence

from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.statements import Tally
from vicinia.assembly.tally import Result
from vicinia.assembly.vote import Closing, Vote
from vicinia.errors import AlreadyExists, NotAccepted, ProofInvalid
from vicinia.tlog.checkpoint import SignedCheckpoint
from vicinia.tlog.merkle import Tree

__all__ = [
    "closed",
    "closed_in_time",
    "counts_recomputed",
    "covers",
    "no_ballot_left_out",
    "not_closed",
    "open_long_enough",
    "state_replayed",
    "witnessed",
]


def state_replayed(signed: SignedCheckpoint, tree: Tree) -> None:
    """The checkpoint is of this very log, not of another history."""
    checkpoint = signed.checkpoint
    if checkpoint.size > tree.size or tree.root(checkpoint.size) != checkpoint.root:
        raise ProofInvalid("The checkpoint is not one of this log.", where="checkpoint")


def covers(signed: SignedCheckpoint, leaf: int, where: str) -> None:
    """The checkpoint includes the leaf in question."""
    if signed.checkpoint.size <= leaf:
        raise ProofInvalid(f"The checkpoint does not include leaf {leaf}.", where=where)


def witnessed(times: Sequence[int], needed: int, where: str) -> int:
    """k different witnesses cosigned, at these times; returns the k-th earliest, by which one honest of them had."""
    if len(times) < needed:
        raise ProofInvalid(f"{len(times)} witnesses have cosigned in time and {needed} must.", where=where)
    return sorted(times)[needed - 1]


def open_long_enough(opened_ms: int, bylaws: ByLaws, deadline_ms: int) -> int:
    """When the vote may end: not before its deadline, nor before witnesses have known it for the whole time.

    Without the second half, a proposal with dates in the past would be closed as soon as it is logged.
    """
    return max(deadline_ms, opened_ms + bylaws.vote_seconds * 1000)


def closed_in_time(closed_ms: int, ends_ms: int, bylaws: ByLaws) -> None:
    """Witnesses saw the end while it was fresh: nobody waits with the close until the count fits."""
    if closed_ms > ends_ms + bylaws.checkpoint_age_seconds * 1000:
        raise NotAccepted(
            f"The vote was not closed within {bylaws.checkpoint_age_seconds} seconds of its end, and has expired.",
            where="close.closing",
        )


def no_ballot_left_out(vote: Vote, size: int) -> None:
    """A close counts every ballot of the vote that the log holds: who is in the log is in the count.

    Otherwise a coordinator could log ballots between the closing checkpoint and the close, and show their voters a
    proof of inclusion.
    """
    if vote.last_ballot is not None and vote.last_ballot >= size:
        raise NotAccepted(f"Ballot {vote.last_ballot} of this vote is not under the checkpoint.", where="close.closing")


def not_closed(vote: Vote) -> None:
    """A vote ends once."""
    if vote.closing is not None:
        raise AlreadyExists("The vote has been closed before.", where="close.proposal")


def closed(vote: Vote) -> Closing:
    """Only a closed vote is counted."""
    if vote.closing is None:
        raise NotAccepted("The vote is still open.", where="tally.proposal")
    return vote.closing


def counts_recomputed(claimed: Tally, result: Result) -> None:
    """The claimed counts are those of the ballots in the log."""
    counts = result.counts
    found = (result.electorate, result.quorum, counts.yes, counts.no, counts.abstain, result.accepted)
    if (claimed.electorate, claimed.quorum, claimed.yes, claimed.no, claimed.abstain, claimed.accepted) != found:
        raise ProofInvalid("The tally is not what the ballots in the log amount to.", where="tally")
