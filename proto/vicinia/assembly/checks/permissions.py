"""What an accepted vote permits: its certificate, or a data set."""

from __future__ import annotations

from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.statements import Certificate, Proposal
from vicinia.assembly.tally import Result
from vicinia.assembly.vote import Closing, Vote
from vicinia.assembly.words import runs
from vicinia.errors import AlreadyExists, NotAccepted

__all__ = [
    "accepted",
    "by_special_vote",
    "certificate_within",
    "certified_once",
    "has_certificate",
    "not_redefined",
    "not_revoked",
]


def accepted(result: Result | None) -> None:
    """Only a vote that reached quorum and majority gives a certificate."""
    if result is None or not result.accepted:
        raise NotAccepted("The members have not accepted this job.", where="certificate.job")


def certified_once(vote: Vote) -> None:
    """One certificate a vote: a second one would add runs."""
    if vote.certificate is not None:
        raise AlreadyExists("This job has a certificate.", where="certificate.job")


def certificate_within(certificate: Certificate, closing: Closing, proposal: Proposal, bylaws: ByLaws) -> None:
    """The permission begins with the end of the vote, is no longer than the by-laws say, and for no more runs than
    were voted on."""
    if certificate.max_runs > proposal.runs:
        raise NotAccepted(f"The members voted on {runs(proposal.runs)}.", where="certificate.max_runs")
    if not proposal.deadline <= certificate.not_before <= closing.closed:
        raise NotAccepted("A certificate begins when the vote ends.", where="certificate.not_before")
    if certificate.expires - certificate.not_before > bylaws.certificate_seconds * 1000:
        raise NotAccepted(
            f"A certificate lasts at most {bylaws.certificate_seconds} seconds.", where="certificate.expires"
        )


def not_revoked(vote: Vote) -> None:
    """What was taken back stays so."""
    if vote.revoked is not None:
        raise NotAccepted("The permission for this job was revoked.", where=f"job {vote.proposal.job.hex()}")


def has_certificate(vote: Vote) -> Certificate:
    """No run and no release without permission."""
    if vote.certificate is None:
        raise NotAccepted("This job has no certificate.", where=f"job {vote.proposal.job.hex()}")
    return vote.certificate


def by_special_vote(vote: Vote) -> None:
    """After the founding, a data set is registered by a special vote that accepted it."""
    if vote.certificate is None or vote.proposal.class_ != "special" or vote.revoked is not None:
        raise NotAccepted("A new data set needs a special vote that accepts it.", where="dataset")


def not_redefined(known: object | None, name: str) -> None:
    """A data set that was voted on under a name stays what it is."""
    if known is not None:
        raise AlreadyExists(f"The data set {name} is registered.", where="dataset", hint="Use another name.")
