"""How the members voted on a job: what was put to them, for how long, and what their ballots amount to."""

from __future__ import annotations

from vicinia.assembly.job import Job, proposal_class
from vicinia.assembly.ledger import Ledger
from vicinia.assembly.tally import Result
from vicinia.assembly.verdict import Check
from vicinia.assembly.vote import Vote, count
from vicinia.assembly.words import runs, span


def lines(ledger: Ledger, job: Job, vote: Vote) -> tuple[Check, ...]:
    """All of these lines, in the order of design 3."""
    return (
        proposer(job, vote),
        majority_class(job, vote),
        runs_as_voted(ledger, job, vote),
        data_sets_before_vote(ledger, job, vote),
        window_kept(ledger, vote),
        *votes_counted(ledger, vote),
    )


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
    return Check("runs asked", asked == voted, f"The members voted on {runs(voted)}, {words}.")


def data_sets_before_vote(ledger: Ledger, job: Job, vote: Vote) -> Check:
    """Check 3f: they were registered when the members voted, so that everybody knew what the names mean."""
    known = [name for name in job.datasets if name in ledger.datasets]
    late = [name for name in known if ledger.datasets[name].leaf > vote.leaf]
    if late:
        return Check("definitions", False, f"The data set was defined only after the proposal: {', '.join(late)}.")
    return Check("definitions", True, "What the data sets mean was fixed before the vote.")


def window_kept(ledger: Ledger, vote: Vote) -> Check:
    """Check 3l: the vote was open for the whole time, as witnesses saw it, and not for as long as somebody liked."""
    closing, open_ms = vote.closing, ledger.bylaws.vote_seconds * 1000
    ok = (
        closing is not None
        and 0
        <= closing.closed - max(vote.proposal.deadline, closing.opened + open_ms)
        <= ledger.bylaws.checkpoint_age_seconds * 1000
        and vote.proposal.deadline - vote.proposal.opens == open_ms
    )
    return Check(
        "window",
        ok,
        f"Witnesses saw that the vote was open for {span(open_ms // 1000)} and then ended."
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
