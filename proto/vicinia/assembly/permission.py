"""May this job run, and why: the checks of design 3 that the public log can answer, in its order.

Each check is a function of its own that returns one line. A node makes them all itself from the log that it replayed;
the household's consent and privacy budget come after them, and are no part of this.
"""

from __future__ import annotations

from datetime import UTC, datetime

from vicinia.assembly.job import COMMERCIAL, Job, proposal_class
from vicinia.assembly.ledger import Ledger
from vicinia.assembly.tally import Result
from vicinia.assembly.verdict import Check, Verdict
from vicinia.assembly.vote import Vote, count
from vicinia.tlog.checkpoint import SignedCheckpoint

_CLOCKS_MS = 300_000  # by how much a researcher's clock may be ahead of a home's


def may_run(ledger: Ledger, job: Job, run: int, now_ms: int, signed: SignedCheckpoint) -> Verdict:
    """The verdict on one run of a job whose manifest the node holds; `signed` as `open_note` returned it."""
    vote = ledger.votes.get(job.hash)
    checks = [job_certified(ledger, job, vote), checkpoint_accepted(ledger, now_ms, signed)]
    if vote is None:
        return Verdict(tuple(checks))
    checks += [
        evidence_covered(vote, signed),
        *terms(ledger, job, now_ms),
        proposer(job, vote),
        majority_class(job, vote),
        runs_as_voted(ledger, job, vote),
        data_sets_before_vote(ledger, job, vote),
        window_kept(ledger, vote),
        *votes_counted(ledger, vote),
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


def terms(ledger: Ledger, job: Job, now_ms: int) -> tuple[Check, ...]:
    """What can be said of a job before anybody voted: the by-laws, the data sets, who asks."""
    return (
        privacy_within(ledger, job),
        floor_kept(ledger, job),
        rounds_within(ledger, job),
        data_sets_registered(ledger, job),
        researcher_accredited(ledger, job, now_ms),
        recipient_honest(ledger, job),
    )


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
    ending = "." if fresh else f", longer than the {_span(ledger.bylaws.checkpoint_age_seconds)} allowed."
    return Check(
        "checkpoint",
        fresh,
        f"{witnesses} confirmed the {checkpoint.size} entries of the public log {_span(age)} ago{ending}",
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


def privacy_within(ledger: Ledger, job: Job) -> Check:
    """Check 3b: the privacy loss of all its runs is within the by-laws."""
    limit, cost = ledger.bylaws.rho_job_nano, job.rho_nano * job.runs(ledger.bylaws)
    ok = cost <= limit
    words = "within" if ok else "above"
    return Check("privacy", ok, f"Its privacy cost, rho {_nano(cost)}, is {words} the by-laws' {_nano(limit)}.")


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


def data_sets_before_vote(ledger: Ledger, job: Job, vote: Vote) -> Check:
    """Check 3f: they were registered when the members voted, so that everybody knew what the names mean."""
    known = [name for name in job.datasets if name in ledger.datasets]
    late = [name for name in known if ledger.datasets[name].leaf > vote.leaf]
    if late:
        return Check("definitions", False, f"The data set was defined only after the proposal: {', '.join(late)}.")
    return Check("definitions", True, "What the data sets mean was fixed before the vote.")


def researcher_accredited(ledger: Ledger, job: Job, now_ms: int) -> Check:
    """Check 3g: who asks is accredited, now; an accreditation of the future, bar unequal clocks, is none yet."""
    accreditation = ledger.researchers.get(job.researcher)
    if accreditation is None:
        return Check("researcher", False, "Who asks is not an accredited researcher.")
    if accreditation.issued > now_ms + _CLOCKS_MS:
        return Check("researcher", False, f"Its researcher is accredited only from {_day(accreditation.issued)} on.")
    ok = now_ms < accreditation.expires
    until = f"accredited until {_day(accreditation.expires)}" if ok else "whose accreditation has ended"
    return Check("researcher", ok, f"It is asked by {accreditation.institution} ({accreditation.recipient}), {until}.")


def recipient_honest(ledger: Ledger, job: Job) -> Check:
    """Check 3h: the recipient that consent is asked for is who the registrars accredited, or is called commercial."""
    accreditation = ledger.researchers.get(job.researcher)
    kind = accreditation.recipient if accreditation is not None else "nobody"
    ok = job.recipient in (kind, COMMERCIAL) and accreditation is not None
    words = "as the registrars accredited it" if ok else f"but the registrars accredited {kind}"
    return Check("recipient", ok, f"The result goes to a {job.recipient} recipient, {words}.")


def proposer(job: Job, vote: Vote) -> Check:
    """Check 3i: the job's researcher is the one who signed the proposal, beside a member."""
    ok = job.researcher == vote.proposal.researcher and bool(vote.sponsors)
    return Check(
        "proposal",
        ok,
        f"The researcher and a member proposed it; {vote.electorate} households could vote."
        if ok
        else "The researcher that the job names is not the one who proposed it.",
    )


def majority_class(job: Job, vote: Vote) -> Check:
    """Check 3j: it was voted on under the majority that it needs."""
    needed = proposal_class(job)
    ok = vote.proposal.class_ == needed
    words = "as it had to be" if ok else f"but its terms need a {needed} one"
    article = "a special" if vote.proposal.class_ == "special" else "an ordinary"
    return Check("class", ok, f"It was put to {article} vote, {words}.")


def runs_as_voted(ledger: Ledger, job: Job, vote: Vote) -> Check:
    """Check 3k: the members voted on as many runs as the job takes."""
    asked, voted = job.runs(ledger.bylaws), vote.proposal.runs
    words = "as the job says" if asked == voted else f"but the job takes {asked}"
    runs = "1 run" if voted == 1 else f"{voted} runs"
    return Check("runs asked", asked == voted, f"The members voted on {runs}, {words}.")


def window_kept(ledger: Ledger, vote: Vote) -> Check:
    """Check 3l: the vote was open for the whole time, as witnesses saw it, and not for as long as somebody liked."""
    closing, span = vote.closing, ledger.bylaws.vote_seconds * 1000
    ok = (
        closing is not None
        and 0
        <= closing.closed - max(vote.proposal.deadline, closing.opened + span)
        <= ledger.bylaws.checkpoint_age_seconds * 1000
        and vote.proposal.deadline - vote.proposal.opens == span
    )
    return Check(
        "window",
        ok,
        f"Witnesses saw that the vote was open for {_span(span // 1000)} and then ended."
        if ok
        else "Nothing proves that the vote was open for as long as the by-laws say, and no longer.",
    )


def votes_counted(ledger: Ledger, vote: Vote) -> tuple[Check, Check]:
    """Checks 3m and 3n: the ballots, counted again here, reach quorum and majority."""
    result = count(vote, vote.closing.size, ledger.bylaws) if vote.closing is not None else None
    return quorum_reached(result), majority_reached(result)


def quorum_reached(result: Result | None) -> Check:
    """Enough electors voted, abstentions included."""
    if result is None:
        return Check("quorum", False, "The vote has not ended.")
    ok = result.quorum_reached
    words = "enough" if ok else "not enough"
    voted, needed = result.counts.turnout, result.quorum
    return Check("quorum", ok, f"{voted} of {result.electorate} households voted, {words}: {needed} must.")


def majority_reached(result: Result | None) -> Check:
    """Enough of those who chose said yes."""
    if result is None:
        return Check("majority", False, "The vote has not ended.")
    counts, ok = result.counts, result.majority
    rule = "three quarters yes are needed" if result.special else "more yes than no are needed"
    verdict = "it was accepted" if ok else "it was not accepted"
    tally = f"{counts.yes} yes, {counts.no} no, {counts.abstain} abstained"
    return Check("majority", ok, f"This home counted {tally}; {rule}, so {verdict}.")


def certificate_valid(vote: Vote, now_ms: int) -> Check:
    """Check 4a: the permission has begun and has not ended."""
    certificate = vote.certificate
    if certificate is None:
        return Check("certificate", False, "There is no permission to run it.")
    if now_ms < certificate.not_before:
        return Check("certificate", False, f"The permission begins only on {_day(certificate.not_before)}.")
    ok = now_ms < certificate.expires
    return Check("certificate", ok, f"The permission {'ends' if ok else 'ended'} on {_day(certificate.expires)}.")


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


def _nano(value: int) -> str:
    return f"{value / 10**9:.9f}".rstrip("0").rstrip(".")


def _day(ms: int) -> str:
    """A date for people, UTC."""
    latest = 253_402_214_400_000
    return f"{datetime.fromtimestamp(min(ms, latest) / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _span(seconds: int) -> str:
    """A time span for people, rounded down."""
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}s"
    return f"{seconds} second{'' if seconds == 1 else 's'}"
