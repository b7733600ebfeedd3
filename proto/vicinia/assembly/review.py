"""What each leaf must satisfy at its place, and what it then changes.

A review raises, or returns the change; it never changes anything itself, so that a refused leaf leaves no trace.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from vicinia.assembly import checks
from vicinia.assembly.ballot import BALLOT_KINDS
from vicinia.assembly.ledger import Ledger, LoggedDataset
from vicinia.assembly.payload import Payload
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
)
from vicinia.assembly.vote import Cast, Closing, LoggedModel, LoggedRoster, Vote, count
from vicinia.errors import AlreadyExists, ProofInvalid
from vicinia.tlog.canonical import canonical
from vicinia.tlog.statement import Statement

Change = Callable[[], None]


def dataset_hash(coop: str, definition: dict[str, Any]) -> bytes:
    """What a special vote on a new data set names in place of a job hash."""
    return hashlib.sha256(canonical(Dataset(coop, definition).payload())).digest()


def _dataset(ledger: Ledger, dataset: Dataset) -> Change:
    checks.not_redefined(ledger.datasets.get(dataset.name), dataset.name)
    if ledger.registry:
        checks.by_special_vote(ledger.vote_on(dataset_hash(dataset.coop, dataset.definition)))
    entry = LoggedDataset(ledger.size, dataset)
    return lambda: ledger.datasets.update({dataset.name: entry})


def _member(ledger: Ledger, member: Member) -> Change:
    checks.key_unused(ledger.registry, member.key, "member.key")
    return lambda: ledger.registry.admit(member.key, ledger.size)


def _rotate(ledger: Ledger, rotate: Rotate, statement: Statement) -> Change:
    household = ledger.active(rotate.household)
    checks.key_unused(ledger.registry, rotate.new, "rotate.new")
    if household.key != rotate.old:
        raise ProofInvalid("The old key is not the household's.", where="rotate.old")
    recovery = rotate.old not in dict(statement.signatures)
    return lambda: ledger.registry.rotate(household, rotate.new, ledger.size, recovery=recovery)


def _leave(ledger: Ledger, leaving: Resign | Expel) -> Change:
    household = ledger.active(leaving.household)
    return lambda: ledger.registry.leave(household, ledger.size)


def _accredit(ledger: Ledger, accredit: Accredit) -> Change:
    checks.accreditation_unused(ledger.accreditations, accredit)
    if accredit.key.id not in ledger.researchers:
        checks.key_unused(ledger.registry, accredit.key, "accredit.key")

    def change() -> None:
        ledger.researchers[accredit.key.id] = accredit
        ledger.accreditations.add(accredit)
        ledger.registry.reserve(accredit.key)

    return change


def _proposal(ledger: Ledger, proposal: Proposal, statement: Statement) -> Change:
    checks.proposed_once(ledger.votes.get(proposal.job))
    checks.accredited_for(ledger.researcher(proposal.researcher), proposal.deadline)
    checks.window_as_bylaws(proposal, ledger.bylaws)
    checks.runs_as_bylaws(proposal, ledger.bylaws)
    checks.registry_frozen(proposal, ledger.registry, ledger.size)

    def change() -> None:
        holders = (ledger.registry.by_key(key) for key, _ in statement.signatures)
        vote = Vote(
            proposal,
            statement.digest,
            ledger.size,
            tuple(household.id for household in holders if household is not None),
            len(ledger.registry.active_among(proposal.registry_size, ledger.size)),
        )
        ledger.votes[proposal.job] = ledger.votes_by_digest[vote.digest] = vote

    return change


def _ballot(ledger: Ledger, ballot: Ballot) -> Change:
    vote = ledger.vote_named(ballot.proposal)
    household = ledger.active(ballot.household)
    checks.still_open(vote)
    checks.elector(vote, household)
    BALLOT_KINDS[ledger.bylaws.ballots].check(ballot.choice, "ballot.choice")
    cast = Cast(ledger.size, household.index, (household.epoch, ballot.seq), ballot.choice)
    checks.no_second_choice(vote.latest.get(household.index), cast)
    checks.cast_before_recovery(vote.latest.get(household.index), household)
    return lambda: vote.record(cast)


def opening_time(ledger: Ledger, vote: Vote, note: bytes) -> int:
    """When (ms) k witnesses had seen the proposal, by a note that includes its leaf; ProofInvalid."""
    opening = ledger.open_note(note)
    checks.state_replayed(opening, ledger.tree)
    checks.covers(opening, vote.leaf, "close.opening")
    times = [time * 1000 for _, time in opening.cosignatures]
    return checks.witnessed(times, ledger.bylaws.witnesses_needed, "close.opening")


def review_closing(ledger: Ledger, vote: Vote, opening: bytes, note: bytes) -> Closing:
    """How these two notes would end a vote; NotAccepted or ProofInvalid where they cannot."""
    checks.not_closed(vote)
    opened = opening_time(ledger, vote, opening)
    closing = ledger.open_note(note)
    checks.state_replayed(closing, ledger.tree)
    checks.covers(closing, vote.leaf, "close.closing")
    checks.no_ballot_left_out(vote, closing.checkpoint.size)
    ends = checks.open_long_enough(opened, ledger.bylaws, vote.proposal.deadline)
    times = [time * 1000 for _, time in closing.cosignatures if time * 1000 >= ends]
    closed = checks.witnessed(times, ledger.bylaws.witnesses_needed, "close.closing")
    checks.closed_in_time(closed, ends, ledger.bylaws)
    return Closing(closing.checkpoint.size, opened, closed)


def _close(ledger: Ledger, close: Close) -> Change:
    vote = ledger.vote_named(close.proposal)
    checks.not_revoked(vote)
    closing = review_closing(ledger, vote, close.opening.encode(), close.closing.encode())
    return lambda: setattr(vote, "closing", closing)


def _tally(ledger: Ledger, tally: Tally) -> Change:
    vote = ledger.vote_named(tally.proposal)
    result = count(vote, checks.closed(vote).size, ledger.bylaws)
    if vote.result is not None:
        raise AlreadyExists("This vote has been counted.", where="tally")
    checks.counts_recomputed(tally, result)
    return lambda: setattr(vote, "result", result)


def _certificate(ledger: Ledger, certificate: Certificate) -> Change:
    vote = ledger.vote_on(certificate.job)
    checks.certified_once(vote)
    checks.not_revoked(vote)
    checks.accepted(vote.result)
    checks.certificate_within(certificate, checks.closed(vote), vote.proposal, ledger.bylaws)

    def change() -> None:
        vote.certificate = certificate
        vote.certificate_leaf = ledger.size

    return change


def _revoke(ledger: Ledger, revoke: Revoke) -> Change:
    vote = ledger.vote_on(revoke.job)
    checks.not_revoked(vote)
    return lambda: setattr(vote, "revoked", ledger.size)


def _model(ledger: Ledger, model: Model) -> Change:
    vote = ledger.vote_on(model.job)
    checks.not_revoked(vote)
    checks.not_trained(vote)
    checks.run_allowed(checks.has_certificate(vote), model.run)
    checks.one_model_a_run(vote, model.run)
    logged = LoggedModel(ledger.size, model)
    return lambda: vote.models.update({model.run: logged})


def _trained(ledger: Ledger, trained: Trained) -> Change:
    vote = ledger.vote_on(trained.job)
    checks.not_trained(vote)
    checks.has_certificate(vote)
    checks.rounds_released(vote, trained.rounds)

    def change() -> None:
        vote.trained = trained
        vote.trained_leaf = ledger.size

    return change


def _roster(ledger: Ledger, roster: Roster) -> Change:
    vote = ledger.vote_on(roster.job)
    checks.not_revoked(vote)
    checks.run_allowed(checks.has_certificate(vote), roster.run)
    checks.one_roster_a_run(vote, roster.run)
    checks.not_trained(vote)
    checks.roster_size(roster, vote.electorate, ledger.bylaws)
    logged = LoggedRoster(ledger.size, roster)
    return lambda: vote.rosters.update({roster.run: logged})


def _release(ledger: Ledger, release: Release) -> Change:
    vote = ledger.vote_on(release.job)
    checks.release_of_run(vote, release)
    checks.released_in_order(vote, release.run)
    return lambda: vote.releases.update({release.run: release})


def review(ledger: Ledger, payload: Payload, statement: Statement) -> Change:
    """What the leaf would change; ProofInvalid, NotAccepted, AlreadyExists or InvalidInput where it is not valid.

    Signatures are not looked at here.
    """
    if isinstance(payload, Proposal):
        return _proposal(ledger, payload, statement)
    if isinstance(payload, Rotate):
        return _rotate(ledger, payload, statement)
    if isinstance(payload, Genesis):
        raise AlreadyExists("The log has its genesis.", where="genesis")
    return _REVIEWS[type(payload)](ledger, payload)


_REVIEWS: dict[type[Payload], Callable[[Ledger, Any], Change]] = {
    Dataset: _dataset,
    Member: _member,
    Resign: _leave,
    Expel: _leave,
    Accredit: _accredit,
    Ballot: _ballot,
    Close: _close,
    Tally: _tally,
    Certificate: _certificate,
    Revoke: _revoke,
    Model: _model,
    Roster: _roster,
    Release: _release,
    Trained: _trained,
}
