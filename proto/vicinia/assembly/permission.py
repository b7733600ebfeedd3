"""May this job run, and why: the checks of design 3 that the public log can answer, in its order.

Each check is a function of its own that returns one line: here those of the log, the certificate and the run, in
`terms` those of the job's terms, in `voted` those of the vote. A node makes them all itself from the log that it
replayed; the household's consent and privacy budget come after them, and are no part of this.
"""

from __future__ import annotations

from vicinia.assembly import terms, voted
from vicinia.assembly.job import Job
from vicinia.assembly.ledger import Ledger
from vicinia.assembly.verdict import Check, Verdict
from vicinia.assembly.vote import Vote
from vicinia.assembly.words import day, span
from vicinia.tlog.checkpoint import SignedCheckpoint


def may_run(ledger: Ledger, job: Job, run: int, now_ms: int, signed: SignedCheckpoint) -> Verdict:
    """The verdict on one run of a job whose manifest the node holds; `signed` as `open_note` returned it."""
    vote = ledger.votes.get(job.hash)
    checks = [job_certified(ledger, job, vote), checkpoint_accepted(ledger, now_ms, signed)]
    if vote is None:
        return Verdict(tuple(checks))
    checks += [
        evidence_covered(vote, signed),
        *terms.lines(ledger, job, now_ms),
        *voted.lines(ledger, job, vote),
        certificate_valid(vote, now_ms),
        permission_stands(vote),
        runs_left(vote, run),
    ]
    return Verdict(tuple(checks))


def roster_logged(
    ledger: Ledger, job_hash: bytes, run: int, binding: bytes, leaf: int, now_ms: int, signed: SignedCheckpoint
) -> Verdict:
    """The second half, once the coordinator has shown a roster: `binding` is its G, `leaf` where it says it is."""
    vote = ledger.votes.get(job_hash)
    checks = [checkpoint_accepted(ledger, now_ms, signed), roster_bound(vote, run, binding, leaf, signed)]
    if vote is not None:
        checks += [certificate_valid(vote, now_ms), permission_stands(vote)]
    return Verdict(tuple(checks))


def job_certified(ledger: Ledger, job: Job, vote: Vote | None) -> Check:
    """Check 1: the job that was received is the one that a certificate in the log names."""
    found = job.coop == ledger.coop and vote is not None and vote.certificate is not None
    return Check(
        "job",
        found,
        "A certificate in the public log names exactly this job."
        if found
        else "No certificate in the public log names this job: the members have not accepted it, or it was altered.",
    )


def checkpoint_accepted(ledger: Ledger, now_ms: int, signed: SignedCheckpoint) -> Check:
    """Check 2: log and k witnesses signed this state, recently, and it is the one that was replayed here."""
    checkpoint, needed = signed.checkpoint, ledger.bylaws.witnesses_needed
    if not same_history(ledger, signed):
        return Check("checkpoint", False, "The signed state of the log is not the one that this home has replayed.")
    newest = signed.kth_newest(needed)
    if newest is None:
        have = len(signed.cosignatures)
        return Check("checkpoint", False, f"Only {have} of the {needed} witnesses needed have confirmed the log.")
    age = max(0, now_ms // 1000 - newest)
    witnesses = "1 witness" if needed == 1 else f"{needed} witnesses"
    fresh = age <= ledger.bylaws.checkpoint_age_seconds
    ending = "." if fresh else f", longer than the {span(ledger.bylaws.checkpoint_age_seconds)} allowed."
    return Check(
        "checkpoint",
        fresh,
        f"{witnesses} confirmed the {checkpoint.size} entries of the public log {span(age)} ago{ending}",
    )


def same_history(ledger: Ledger, signed: SignedCheckpoint) -> bool:
    """Whether a checkpoint is of this log and of no other history of it."""
    size = signed.checkpoint.size
    return 0 < size <= ledger.size and ledger.tree.root(size) == signed.checkpoint.root


def evidence_covered(vote: Vote, signed: SignedCheckpoint) -> Check:
    """Check 3a: proposal, ballots, close, tally and certificate are all under the checkpoint."""
    covered = vote.certificate_leaf is not None and vote.certificate_leaf < signed.checkpoint.size
    return Check(
        "evidence",
        covered,
        "All ballots and the certificate are part of the confirmed log."
        if covered
        else "The certificate is not yet part of the log that the witnesses have confirmed.",
    )


def certificate_valid(vote: Vote, now_ms: int) -> Check:
    """Check 4a: the permission has begun and has not ended."""
    certificate = vote.certificate
    if certificate is None:
        return Check("certificate", False, "There is no permission to run it.")
    if now_ms < certificate.not_before:
        return Check("certificate", False, f"The permission begins only on {day(certificate.not_before)}.")
    ok = now_ms < certificate.expires
    return Check("certificate", ok, f"The permission {'ends' if ok else 'ended'} on {day(certificate.expires)}.")


def permission_stands(vote: Vote) -> Check:
    """Check 4b: nobody took it back, in any leaf that this home knows, confirmed or not."""
    ok = vote.revoked is None
    return Check("not revoked", ok, "Nobody has revoked it." if ok else "The permission was revoked.")


def runs_left(vote: Vote, run: int) -> Check:
    """Check 4c: runs used (roster leaves) are below the maximum, and this one is none of them."""
    allowed = vote.certificate.max_runs if vote.certificate is not None else 0
    ok = 0 <= run < allowed and len(vote.rosters) < allowed and run not in vote.rosters
    words = f"this is run {run + 1}" if ok else f"run {run + 1} is not among those left"
    return Check("runs", ok, f"{len(vote.rosters)} of {allowed} allowed runs were used; {words}.")


def roster_bound(vote: Vote | None, run: int, binding: bytes, leaf: int, signed: SignedCheckpoint) -> Check:
    """Check 5: the one roster leaf of this run has this G, is where it should be, and is under the checkpoint."""
    logged = vote.rosters.get(run) if vote is not None else None
    if logged is None or logged.leaf != leaf:
        return Check("roster", False, "The list of homes in this run is not in the public log.")
    if binding != logged.roster.G:
        return Check("roster", False, "The list of homes that was shown is not the one in the public log.")
    if leaf >= signed.checkpoint.size:
        return Check("roster", False, "The list of homes is not yet part of the log that the witnesses have confirmed.")
    return Check("roster", True, "The one list of homes for this run is in the confirmed log.")
