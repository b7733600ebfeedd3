"""What can be said of a job before anybody voted: the by-laws, the data sets, who asks."""

from __future__ import annotations

from vicinia.assembly.job import COMMERCIAL, Job
from vicinia.assembly.ledger import Ledger
from vicinia.assembly.verdict import Check
from vicinia.assembly.words import day, nano

_CLOCKS_MS = 300_000  # by how much a researcher's clock may be ahead of a home's


def lines(ledger: Ledger, job: Job, now_ms: int) -> tuple[Check, ...]:
    """All of these lines, in the order of design 3."""
    return (
        privacy_within(ledger, job),
        floor_kept(ledger, job),
        rounds_within(ledger, job),
        data_sets_registered(ledger, job),
        researcher_accredited(ledger, job, now_ms),
        recipient_honest(ledger, job),
    )


def privacy_within(ledger: Ledger, job: Job) -> Check:
    """Check 3b: the privacy loss of all its runs is within the by-laws."""
    limit, cost = ledger.bylaws.rho_job_nano, job.rho_nano * job.runs(ledger.bylaws)
    ok = cost <= limit
    words = "within" if ok else "above"
    return Check("privacy", ok, f"Its privacy cost, rho {nano(cost)}, is {words} the by-laws' {nano(limit)}.")


def floor_kept(ledger: Ledger, job: Job) -> Check:
    """Check 3c: the smallest group is not below the by-laws' floor."""
    floor = ledger.bylaws.floor
    ok = job.floor >= floor
    words = "not fewer than" if ok else "fewer than"
    return Check("floor", ok, f"It adds up at least {job.floor} homes, {words} the by-laws' {floor}.")


def rounds_within(ledger: Ledger, job: Job) -> Check:
    """Check 3d: a training job takes no more rounds, spare ones included, than the by-laws say."""
    if job.training is None:
        return Check("rounds", True, "It is no training: it has no rounds.")
    runs, limit = job.training.runs, ledger.bylaws.max_training_runs
    ok = runs <= limit
    words = "within" if ok else "above"
    return Check("rounds", ok, f"It takes at most {runs} rounds, {words} the by-laws' {limit}.")


def data_sets_registered(ledger: Ledger, job: Job) -> Check:
    """Check 3e: every data set that it names is registered."""
    unknown = [name for name in job.datasets if name not in ledger.datasets]
    if unknown:
        return Check("data sets", False, f"It asks for a data set that is not registered: {', '.join(unknown)}.")
    return Check("data sets", True, f"It asks only for what is registered: {', '.join(job.datasets)}.")


def researcher_accredited(ledger: Ledger, job: Job, now_ms: int) -> Check:
    """Check 3g: who asks is accredited, now; an accreditation of the future, bar unequal clocks, is none yet."""
    accreditation = ledger.researchers.get(job.researcher)
    if accreditation is None:
        return Check("researcher", False, "Who asks is not an accredited researcher.")
    if accreditation.issued > now_ms + _CLOCKS_MS:
        return Check("researcher", False, f"Its researcher is accredited only from {day(accreditation.issued)} on.")
    ok = now_ms < accreditation.expires
    until = f"accredited until {day(accreditation.expires)}" if ok else "whose accreditation has ended"
    return Check("researcher", ok, f"It is asked by {accreditation.institution} ({accreditation.recipient}), {until}.")


def recipient_honest(ledger: Ledger, job: Job) -> Check:
    """Check 3h: the recipient that consent is asked for is who the registrars accredited, or is called commercial."""
    accreditation = ledger.researchers.get(job.researcher)
    kind = accreditation.recipient if accreditation is not None else "nobody"
    ok = job.recipient in (kind, COMMERCIAL) and accreditation is not None
    words = "as the registrars accredited it" if ok else f"but the registrars accredited {kind}"
    return Check("recipient", ok, f"The result goes to a {job.recipient} recipient, {words}.")
