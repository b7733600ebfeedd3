"""What is put to the vote, and who votes on it how often."""

from __future__ import annotations

from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.registry import Household, Registry
from vicinia.assembly.statements import Proposal
from vicinia.assembly.vote import Cast, Vote
from vicinia.assembly.words import runs
from vicinia.errors import AlreadyExists, NotAccepted

__all__ = [
    "cast_before_recovery",
    "elector",
    "no_second_choice",
    "proposed_once",
    "registry_frozen",
    "runs_as_bylaws",
    "still_open",
    "window_as_bylaws",
]


def window_as_bylaws(proposal: Proposal, bylaws: ByLaws) -> None:
    """The vote is open for exactly as long as the by-laws say."""
    if proposal.deadline - proposal.opens != bylaws.vote_seconds * 1000:
        raise NotAccepted(f"A vote is open for {bylaws.vote_seconds} seconds.", where="proposal.deadline")


def runs_as_bylaws(proposal: Proposal, bylaws: ByLaws) -> None:
    """No more runs than the by-laws say: more than those of a query are for training, which needs a special vote."""
    if proposal.runs <= bylaws.max_runs:
        return
    if proposal.class_ != "special":
        raise NotAccepted(f"The by-laws allow a query {runs(bylaws.max_runs)}.", where="proposal.runs")
    if proposal.runs > bylaws.max_training_runs:
        raise NotAccepted(f"The by-laws allow {bylaws.max_training_runs} rounds of training.", where="proposal.runs")


def registry_frozen(proposal: Proposal, registry: Registry, leaf: int) -> None:
    """The electorate is who is a member, bar the few that registered since the proposal was drafted.

    Counted among those ever registered and among those who still are members: after many have left, a twentieth of
    the former can be most of the latter.
    """
    size, registered = proposal.registry_size, len(registry)
    electors, members = len(registry.active_among(size, leaf)), len(registry.active_among(registered, leaf))
    if not (size <= registered and 20 * size >= 19 * registered and 20 * electors >= 19 * members):
        raise NotAccepted(
            f"The proposal counts {size} households where {registered} are registered, "
            f"so {electors} of {members} members could vote.",
            where="proposal.registry_size",
            hint="Draft it again.",
        )


def proposed_once(known: Vote | None) -> None:
    """One job, one vote: nobody is asked until the answer fits."""
    if known is not None:
        raise AlreadyExists(
            "This job has been proposed before.", where="proposal.job", hint="Change its title or its terms."
        )


def elector(vote: Vote, household: Household) -> None:
    """Only who was a member at the proposal's leaf votes on it."""
    if not vote.is_elector(household):
        raise NotAccepted("This household was no member when the job was proposed.", where=f"ballot of {household.id}")


def still_open(vote: Vote) -> None:
    """No ballot after the close."""
    if vote.closing is not None or vote.revoked is not None:
        raise NotAccepted("The vote is over.", where="ballot")


def no_second_choice(known: Cast | None, cast: Cast) -> None:
    """Two choices under one sequence number: nobody could say which counts."""
    if known is not None and cast.rank == known.rank and cast.choice != known.choice:
        raise NotAccepted(
            "Another choice with the same sequence number is in the log.",
            where="ballot.seq",
            hint="Vote again with a higher one.",
        )


def cast_before_recovery(known: Cast | None, household: Household) -> None:
    """A ballot stands where the registrars have replaced the key since: those who hand out keys must not turn votes."""
    if known is not None and household.recovered is not None and known.leaf < household.recovered:
        raise NotAccepted(
            "This household had voted before the registrars replaced its key, and its ballot stands.",
            where=f"ballot of {household.id}",
        )
