"""The runs of a job: their models, rosters and releases, each once and in order."""

from __future__ import annotations

from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.statements import Certificate, Release, Roster, rounded_down
from vicinia.assembly.vote import Vote
from vicinia.assembly.words import runs
from vicinia.errors import AlreadyExists, NotAccepted, ProofInvalid

__all__ = [
    "not_trained",
    "one_model_a_run",
    "one_roster_a_run",
    "release_of_run",
    "released_in_order",
    "roster_size",
    "rounds_released",
    "run_allowed",
]


def run_allowed(certificate: Certificate, run: int) -> None:
    """Runs are numbered from 0 to max runs - 1."""
    if run >= certificate.max_runs:
        raise NotAccepted(f"The certificate allows {runs(certificate.max_runs)}.", where=f"run {run}")


def one_model_a_run(vote: Vote, run: int) -> None:
    """What a run trains on is fixed once, before anybody is in it: else each home could be shown another model."""
    if run in vote.models:
        raise AlreadyExists("This run has its model.", where=f"run {run}")
    if run in vote.rosters:
        raise NotAccepted("This run has its roster already.", where=f"run {run}")


def one_roster_a_run(vote: Vote, run: int) -> None:
    """A second roster for a run could be of other homes (design 4: two rosters for one advert)."""
    if run in vote.rosters:
        raise AlreadyExists("This run has its roster.", where=f"run {run}")


def roster_size(roster: Roster, electorate: int, bylaws: ByLaws) -> None:
    """Not below the floor, not above the electorate."""
    if not rounded_down(bylaws.floor) <= roster.size <= electorate:
        raise NotAccepted(
            f"A roster has {bylaws.floor} to {electorate} homes, not about {roster.size}.", where="roster.size"
        )


def release_of_run(vote: Vote, release: Release) -> None:
    """One release a run that had a roster, of no larger cohort."""
    logged = vote.rosters.get(release.run)
    if logged is None or release.cohort > logged.roster.size:
        raise NotAccepted("No run of this size is in the log.", where=f"run {release.run}")
    if release.run in vote.releases:
        raise AlreadyExists("This run has been released.", where=f"run {release.run}")


def released_in_order(vote: Vote, run: int) -> None:
    """A round is released before the model of a later one is in the log, or never.

    What a round is for, and what its inputs are standardised by, follows from the releases before it: one that came
    late would let a home be told another part than all others have, and stand alone in it.
    """
    if any(later > run for later in vote.models):
        raise NotAccepted("A later round of this training has begun without this release.", where=f"run {run}")


def not_trained(vote: Vote) -> None:
    """A training that has ended takes no further round."""
    if vote.trained is not None:
        raise AlreadyExists("This training has ended.", where=f"job {vote.proposal.job.hex()}")


def rounds_released(vote: Vote, rounds: int) -> None:
    """As many rounds went into the model as were released."""
    if rounds != len(vote.releases):
        raise ProofInvalid(f"The log has {len(vote.releases)} releases of this training.", where="trained.rounds")
