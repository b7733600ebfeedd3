"""The defences of the log, one named function each: they raise, and change nothing.

Every one stands alone, so that a test can show both halves: with it the attack fails, without it the attack works.
ProofInvalid: somebody forged or altered something. NotAccepted: the by-laws do not allow it at this place.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.registry import Household, Registry
from vicinia.assembly.statements import Accredit, Certificate, Proposal, Release, Roster, Tally, rounded_down
from vicinia.assembly.tally import Result
from vicinia.assembly.vote import Cast, Closing, Vote
from vicinia.errors import AlreadyExists, NotAccepted, ProofInvalid
from vicinia.identity.keys import VerifyingKey
from vicinia.tlog.checkpoint import SignedCheckpoint
from vicinia.tlog.merkle import Tree
from vicinia.tlog.statement import Statement


def same_cooperative(named: str, coop: str) -> None:
    """A statement of another cooperative means nothing here."""
    if named != coop:
        raise ProofInvalid(f"The statement is of the cooperative {named!r}, not of {coop!r}.", where="statement.coop")


def genesis_pinned(digest: bytes, pinned: bytes | None) -> None:
    """The log begins with the genesis that the invitation pins."""
    if pinned is not None and digest != pinned:
        raise ProofInvalid("The log does not begin with the genesis that the invitation names.", where="genesis")


def signatures_valid(statement: Statement) -> None:
    """Every signature that a leaf carries verifies."""
    statement.verify()


def only_entitled(entitled: Sequence[bool], kind: str) -> None:
    """Nobody signs who has no part in the statement."""
    if not all(entitled):
        raise ProofInvalid(f"Somebody signed who may not sign this {kind} statement.", where=kind)


def enough_signatures(waiting: Sequence[Sequence[str]], kind: str) -> None:
    """One of the alternatives is complete; `waiting` names who is missing in each."""
    if all(waiting):
        missing = ", or of ".join(" and ".join(who) for who in waiting)
        raise ProofInvalid(f"This {kind} statement lacks the signature of {missing}.", where=kind)


def key_unused(registry: Registry, key: VerifyingKey, where: str) -> None:
    """One key, one party, once: a second registration would be a second vote."""
    if registry.used(key):
        raise AlreadyExists("This key is or was somebody's already.", where=where, hint="Make a new key.")


def accreditation_unused(known: Collection[Accredit], accredit: Accredit) -> None:
    """An accreditation, logged again, cannot undo a newer one."""
    if accredit in known:
        raise AlreadyExists("This accreditation is or was in force.", where="accredit", hint="Issue a new one.")


def accredited_for(accreditation: Accredit, until_ms: int) -> None:
    """The researcher stays accredited until the vote's deadline."""
    if accreditation.expires <= until_ms:
        raise NotAccepted(
            "The researcher's accreditation ends before the vote does.",
            where="proposal.researcher",
            hint="Ask the registrars to renew it.",
        )


def window_as_bylaws(proposal: Proposal, bylaws: ByLaws) -> None:
    """The vote is open for exactly as long as the by-laws say."""
    if proposal.deadline - proposal.opens != bylaws.vote_seconds * 1000:
        raise NotAccepted(f"A vote is open for {bylaws.vote_seconds} seconds.", where="proposal.deadline")


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


def accepted(result: Result | None) -> None:
    """Only a vote that reached quorum and majority gives a certificate."""
    if result is None or not result.accepted:
        raise NotAccepted("The members have not accepted this job.", where="certificate.job")


def certified_once(vote: Vote) -> None:
    """One certificate a vote: a second one would add runs."""
    if vote.certificate is not None:
        raise AlreadyExists("This job has a certificate.", where="certificate.job")


def runs_as_bylaws(proposal: Proposal, bylaws: ByLaws) -> None:
    """No more runs than the by-laws say: more than those of a query are for training, which needs a special vote."""
    if proposal.runs <= bylaws.max_runs:
        return
    if proposal.class_ != "special":
        raise NotAccepted(f"The by-laws allow a query {_runs(bylaws.max_runs)}.", where="proposal.runs")
    if proposal.runs > bylaws.max_training_runs:
        raise NotAccepted(f"The by-laws allow {bylaws.max_training_runs} rounds of training.", where="proposal.runs")


def certificate_within(certificate: Certificate, closing: Closing, proposal: Proposal, bylaws: ByLaws) -> None:
    """The permission begins with the end of the vote, is no longer than the by-laws say, and for no more runs than
    were voted on."""
    if certificate.max_runs > proposal.runs:
        raise NotAccepted(f"The members voted on {_runs(proposal.runs)}.", where="certificate.max_runs")
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


def run_allowed(certificate: Certificate, run: int) -> None:
    """Runs are numbered from 0 to max runs - 1."""
    if run >= certificate.max_runs:
        raise NotAccepted(f"The certificate allows {_runs(certificate.max_runs)}.", where=f"run {run}")


def one_model_a_run(vote: Vote, run: int) -> None:
    """What a run trains on is fixed once, before anybody is in it: else each home could be shown another model."""
    if run in vote.models:
        raise AlreadyExists("This run has its model.", where=f"run {run}")
    if run in vote.rosters:
        raise NotAccepted("This run has its roster already.", where=f"run {run}")


def not_trained(vote: Vote) -> None:
    """A training that has ended takes no further round."""
    if vote.trained is not None:
        raise AlreadyExists("This training has ended.", where=f"job {vote.proposal.job.hex()}")


def rounds_released(vote: Vote, rounds: int) -> None:
    """As many rounds went into the model as were released."""
    if rounds != len(vote.releases):
        raise ProofInvalid(f"The log has {len(vote.releases)} releases of this training.", where="trained.rounds")


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


def by_special_vote(vote: Vote) -> None:
    """After the founding, a data set is registered by a special vote that accepted it."""
    if vote.certificate is None or vote.proposal.class_ != "special" or vote.revoked is not None:
        raise NotAccepted("A new data set needs a special vote that accepts it.", where="dataset")


def not_redefined(known: object | None, name: str) -> None:
    """A data set that was voted on under a name stays what it is."""
    if known is not None:
        raise AlreadyExists(f"The data set {name} is registered.", where="dataset", hint="Use another name.")


def _runs(number: int) -> str:
    return "1 run" if number == 1 else f"{number} runs"
