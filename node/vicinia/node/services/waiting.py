"""Jobs that wait for the members: those without a sponsor, and those that are being voted on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.job import Job
from vicinia.assembly.statements import Proposal
from vicinia.errors import ViciniaError
from vicinia.node.services import consent
from vicinia.node.services.keyring import is_joined, membership
from vicinia.node.services.polling import ends_ms, is_open
from vicinia.node.services.ports import Link
from vicinia.node.services.replica import Replica
from vicinia.node.services.rules import choice_by_rule, epsilon_of
from vicinia.node.store.consents import Consents
from vicinia.node.store.home import Home
from vicinia.node.store.votes import Votes
from vicinia.tlog.statement import Statement

__all__ = ["Stance", "Waiting", "open_votes", "stance", "unsponsored"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job that waits for a sponsor or, in the log, for votes, until `deadline_ms`.

    `job` is None where its text is not known here; what is, is the text that the proposal names by hash.
    """

    job_hash: bytes
    for_: Literal["sponsor", "vote"]
    deadline_ms: int
    class_: str
    researcher: str
    institution: str
    epsilon: float
    job: Job | None


@dataclass(frozen=True, slots=True)
class Stance:
    """What one home has voted (`choice` by `by`, as far as `state`), or its rules would, and what its consent says."""

    choice: str
    by: str
    state: str
    elector: bool
    consent: str
    sentence: str


def open_votes(replica: Replica, link: Link | None, now_ms: int) -> list[Waiting]:
    """Every vote that is open in the confirmed log, the one that ends first first."""
    records = [record for record in list(replica.assembly.votes.values()) if is_open(replica, record, now_ms)]
    found = [
        replace(_waiting(record.proposal, "vote", replica, link), deadline_ms=ends_ms(replica, record))
        for record in records
    ]
    return sorted(found, key=lambda one: (one.deadline_ms, one.job_hash))


def unsponsored(proposals: Iterable[Statement], replica: Replica | None, link: Link, now_ms: int) -> list[Waiting]:
    """The jobs of the proposals that wait for this member's signature (`office.proposals`)."""
    payloads = [Proposal.from_payload(statement.payload) for statement in proposals]
    found = [_waiting(one, "sponsor", replica, link) for one in payloads if now_ms < one.deadline]
    return sorted(found, key=lambda one: (one.deadline_ms, one.job_hash))


def stance(home: Home, replica: Replica | None, one: Waiting, now_ms: int) -> Stance:
    """How a home stands towards a job that waits."""
    elector, vote = _is_elector(home, replica, one), Votes(home.database).get(one.job_hash)
    choice, by, state = (vote.choice, vote.by, vote.state) if vote is not None else ("", "", "")
    if one.job is None:
        return Stance(choice, by, state, elector, "", "")
    job = one.job
    if vote is None and replica is not None and replica.size:
        choice = choice_by_rule(Votes(home.database), replica.assembly, job, now_ms) or ""
        by = "standing" if choice else ""
    use = consent.Use.of(job, one.epsilon)
    verdict = consent.covers(Consents(home.database), use, now_ms)
    return Stance(choice, by, state, elector, verdict.state, verdict.sentence)


def _waiting(
    proposal: Proposal, for_: Literal["sponsor", "vote"], replica: Replica | None, link: Link | None
) -> Waiting:
    assembly = replica.assembly if replica is not None and replica.size else None
    accredited = assembly.researchers.get(proposal.researcher) if assembly is not None else None
    job = _text(proposal.job, replica, link)
    bylaws = assembly.bylaws if assembly is not None else ByLaws()
    return Waiting(
        job_hash=proposal.job,
        for_=for_,
        deadline_ms=proposal.deadline,
        class_=proposal.class_,
        researcher=proposal.researcher,
        institution=accredited.institution if accredited is not None else "",
        epsilon=epsilon_of(job, bylaws) if job is not None else 0.0,
        job=job,
    )


def _text(job_hash: bytes, replica: Replica | None, link: Link | None) -> Job | None:
    """The job of this hash and of no other; None where nobody shows it."""
    data = replica.store.job(job_hash) if replica is not None else None
    try:
        data = data if data is not None or link is None else link.job(job_hash)
        return Job.from_canonical(data) if data is not None and hashlib.sha256(data).digest() == job_hash else None
    except ViciniaError:
        return None


def _is_elector(home: Home, replica: Replica | None, one: Waiting) -> bool:
    """Whether this home may vote on the job, or could if the vote opened now."""
    if replica is None or not replica.size or not is_joined(home.facts):
        return False
    household = replica.assembly.member(membership(home.facts).id)
    if household is None or not household.active:
        return False
    record = replica.assembly.votes.get(one.job_hash)
    return record is None or record.is_elector(household)
