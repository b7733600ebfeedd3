"""Unsigned statements, ready to be signed: what both programs write into the log.

`statement(payload)` wraps any payload; the functions below also fill in what follows from the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.job import Job, proposal_class
from vicinia.assembly.payload import Payload
from vicinia.assembly.state import Assembly
from vicinia.assembly.statements import (
    Accredit,
    Ballot,
    Certificate,
    Close,
    Dataset,
    Expel,
    Genesis,
    Member,
    Model,
    Proposal,
    Release,
    Resign,
    Revoke,
    Roster,
    Rotate,
    Tally,
    Trained,
    rounded_down,
)
from vicinia.errors import NotAccepted
from vicinia.identity.keys import VerifyingKey
from vicinia.tlog.statement import Statement


def statement(payload: Payload) -> Statement:
    """The unsigned statement; InvalidInput where the payload would not be read back."""
    written = payload.payload()
    type(payload).from_payload(written)
    return Statement(str(getattr(payload, "KIND")), written)  # noqa: B009 - only kinds of statements have one


def build_genesis(
    coop: str,
    created_ms: int,
    founder: VerifyingKey,
    log_key: VerifyingKey,
    bylaws: ByLaws,
    registrars: Sequence[VerifyingKey],
    witnesses: Sequence[VerifyingKey],
) -> Statement:
    """Signed by the founder."""
    return statement(Genesis(coop, created_ms, founder, log_key, bylaws, tuple(registrars), tuple(witnesses)))


def build_dataset(coop: str, definition: Mapping[str, Any]) -> Statement:
    """Signed by the founder before the first member, by the log after a special vote on `dataset_hash`."""
    return statement(Dataset(coop, dict(definition)))


def build_member(coop: str, key: VerifyingKey) -> Statement:
    """Signed by the household, then k registrars."""
    return statement(Member(coop, key))


def build_rotate(assembly: Assembly, household: str, new: VerifyingKey) -> Statement:
    """Signed by the new key, and the old one or k registrars; NotAccepted for no active member."""
    found = assembly.member(household)
    if found is None or not found.active:
        raise NotAccepted("There is no such active member.", where=f"household {household}")
    return statement(Rotate(assembly.coop, household, found.key, new))


def build_resign(coop: str, household: str) -> Statement:
    """Signed by the household."""
    return statement(Resign(coop, household))


def build_expel(coop: str, household: str) -> Statement:
    """Signed by k registrars."""
    return statement(Expel(coop, household))


def build_accredit(
    coop: str, key: VerifyingKey, institution: str, recipient: str, issued_ms: int, expires_ms: int
) -> Statement:
    """Signed by the researcher (the first time), then k registrars; `recipient` is the kind of institution."""
    return statement(Accredit(coop, key, institution, recipient, issued_ms, expires_ms))


def draft_proposal(job: Job, now_ms: int, assembly: Assembly) -> Proposal:
    """The proposal that a job needs now; NotAccepted, with the reason, for one that could never run."""
    if job.coop != assembly.coop:
        raise NotAccepted(f"The job is for the cooperative {job.coop!r}, not {assembly.coop!r}.", where="job.coop")
    failure = assembly.job_terms(job, now_ms).first_failure
    if failure is not None:
        raise NotAccepted(failure.sentence, where=f"job: {failure.name}", hint="Change the job and submit it again.")
    deadline = now_ms + assembly.bylaws.vote_seconds * 1000
    if assembly.researchers[job.researcher].expires <= deadline:
        raise NotAccepted("The accreditation ends before the vote would.", where="job: researcher", hint="Renew it.")
    runs, size = job.runs(assembly.bylaws), len(assembly.members)
    return Proposal(assembly.coop, job.hash, proposal_class(job), job.researcher, now_ms, deadline, runs, size)


def build_proposal(job: Job, now_ms: int, assembly: Assembly) -> Statement:
    """Signed by the researcher and a sponsoring member."""
    return statement(draft_proposal(job, now_ms, assembly))


def build_ballot(assembly: Assembly, job_hash: bytes, household: str, choice: str, seq: int) -> Statement:
    """Signed by the household; the highest `seq` (from 1) counts."""
    return statement(Ballot(assembly.coop, assembly.vote_on(job_hash).digest, household, seq, choice))


def build_close(assembly: Assembly, job_hash: bytes, opening: bytes, closing: bytes) -> Statement:
    """Signed by the log: the two cosigned notes (see `Assembly.closes_at`), checked; ProofInvalid."""
    assembly.check_closing(job_hash, opening, closing)
    return statement(Close(assembly.coop, assembly.vote_on(job_hash).digest, opening.decode(), closing.decode()))


def build_tally(assembly: Assembly, job_hash: bytes) -> Statement:
    """Signed by the log, after the close."""
    vote = assembly.vote_on(job_hash)
    result = assembly.tally(vote)
    if vote.closing is None:
        raise NotAccepted("The vote is still open.", where=f"job {job_hash.hex()}")
    counts = result.counts
    return statement(
        Tally(
            assembly.coop,
            vote.digest,
            result.electorate,
            result.quorum,
            counts.yes,
            counts.no,
            counts.abstain,
            result.accepted,
        )
    )


def build_certificate(assembly: Assembly, job_hash: bytes, max_runs: int | None = None) -> Statement:
    """Signed by the log, after a tally that accepts: from the end of the vote on, as long as the by-laws allow, for
    as many runs as were voted on (or `max_runs`, which may be fewer)."""
    vote, bylaws = assembly.vote_on(job_hash), assembly.bylaws
    if vote.closing is None or vote.result is None or not vote.result.accepted:
        raise NotAccepted("The members have not accepted this job.", where=f"job {job_hash.hex()}")
    start = vote.closing.closed
    runs = vote.proposal.runs if max_runs is None else max_runs
    return statement(Certificate(assembly.coop, job_hash, start, start + bylaws.certificate_seconds * 1000, runs))


def build_revoke(coop: str, job_hash: bytes) -> Statement:
    """Signed by k registrars or by the researcher."""
    return statement(Revoke(coop, job_hash))


def build_model(coop: str, job_hash: bytes, run: int, digest: bytes, clip_nano: int) -> Statement:
    """Signed by the log; `digest` is the SHA-256 of the model that run `run` of a training starts from."""
    return statement(Model(coop, job_hash, run, digest, clip_nano))


def build_trained(coop: str, job_hash: bytes, digest: bytes, rounds: int) -> Statement:
    """Signed by the log; `digest` is the SHA-256 of the model card."""
    return statement(Trained(coop, job_hash, digest, rounds))


def build_roster(coop: str, job_hash: bytes, run: int, binding: bytes, exact_size: int) -> Statement:
    """Signed by the log; `binding` is G of the round, the size is rounded down here."""
    return statement(Roster(coop, job_hash, run, binding, rounded_down(exact_size)))


def build_release(coop: str, job_hash: bytes, run: int, digest: bytes, exact_cohort: int, rho_nano: int) -> Statement:
    """Signed by the log; `digest` is the SHA-256 of what was released, the cohort is rounded down here."""
    return statement(Release(coop, job_hash, run, digest, rounded_down(exact_cohort), rho_nano))
