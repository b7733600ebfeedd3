"""What a broken coordinator, a member or a researcher might try to log.

Each attack runs twice: with its defence the leaf is refused and nothing changes; with that one check taken out the
leaf is accepted, so it is this check that stops it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from simulator_cooperative import BUDGET, Cooperative, key
from vicinia.assembly import (
    Accredit,
    Assembly,
    Ballot,
    Certificate,
    Close,
    Closing,
    Dataset,
    Expel,
    Job,
    Member,
    Proposal,
    Release,
    Resign,
    Revoke,
    Roster,
    Rotate,
    Tally,
    build_ballot,
    build_close,
    build_rotate,
    build_tally,
    checks,
    dataset_hash,
    statement,
)
from vicinia.assembly import vote as votes
from vicinia.errors import ViciniaError
from vicinia.tlog.checkpoint import (
    Checkpoint,
    SignedCheckpoint,
    add_cosignatures,
    cosign,
    sign_checkpoint,
    witness_name,
)
from vicinia.tlog.statement import Statement

Attack = Callable[[Cooperative], Statement]


def _nothing(*args: Any) -> None:
    """A check taken out."""


def _raw_proposal(coop: Cooperative, about: Job, **changes: Any) -> Statement:
    plain = Proposal(
        coop.coop,
        about.hash,
        "ordinary",
        about.researcher,
        coop.now_ms,
        coop.now_ms + coop.assembly.bylaws.vote_seconds * 1000,
        len(coop.assembly.members),
    )
    return coop.signed(replace(plain, **changes), coop.researchers[0], coop.households[0])


def _voted(coop: Cooperative, **counts: int) -> Job:
    job = coop.job()
    coop.propose(job)
    coop.vote(job, **counts)
    return job


def _late_close(coop: Cooperative, job: Job, closing: bytes, opening: bytes | None = None) -> Statement:
    digest = coop.assembly.vote_on(job.hash).digest
    shown = coop.openings[job.hash] if opening is None else opening
    return coop.signed(Close(coop.coop, digest, shown.decode(), closing.decode()), coop.log_key)


def _certificate(coop: Cooperative, job: Job, **changes: Any) -> Statement:
    closing = coop.assembly.vote_on(job.hash).closing
    start = closing.closed if closing is not None else coop.now_ms
    return coop.signed(replace(Certificate(coop.coop, job.hash, start, start + 1000, 1), **changes), coop.log_key)


def another_cooperative(coop: Cooperative) -> Statement:
    new = key("new")
    return coop.endorsed(coop.signed(Member("elsewhere", new.public), new))


def forged_signature(coop: Cooperative) -> Statement:
    new = key("new")
    made = coop.endorsed(coop.signed(Member(coop.coop, new.public), new))
    forged = tuple((one, sig[:-1] + bytes([sig[-1] ^ 1]) if one == new.public else sig) for one, sig in made.signatures)
    return Statement(made.kind, made.payload, forged)


def signature_of_a_stranger(coop: Cooperative) -> Statement:
    new = key("new")
    return coop.endorsed(coop.signed(Member(coop.coop, new.public), new, key("stranger")))


def member_by_one_registrar(coop: Cooperative) -> Statement:
    new = key("new")
    return coop.signed(Member(coop.coop, new.public), new, coop.registrars[0])


def member_without_proof_of_possession(coop: Cooperative) -> Statement:
    return coop.endorsed(statement(Member(coop.coop, key("new").public)))


def member_twice(coop: Cooperative) -> Statement:
    return coop.endorsed(coop.signed(Member(coop.coop, coop.households[0].public), coop.households[0]))


def researcher_as_member(coop: Cooperative) -> Statement:
    return coop.endorsed(coop.signed(Member(coop.coop, coop.researchers[0].public), coop.researchers[0]))


def key_of_somebody_who_left(coop: Cooperative) -> Statement:
    gone = coop.households[5]
    coop.append(coop.signed(Resign(coop.coop, gone.public.id), gone))
    return coop.endorsed(coop.signed(Member(coop.coop, gone.public), gone))


def rotation_by_the_new_key_alone(coop: Cooperative) -> Statement:
    old, new = coop.households[4].public, key("thief")
    return coop.signed(Rotate(coop.coop, old.id, old, new.public), new)


def rotation_to_a_key_in_use(coop: Cooperative) -> Statement:
    old, other = coop.households[4], coop.households[5]
    return coop.signed(Rotate(coop.coop, old.public.id, old.public, other.public), old, other)


def expulsion_by_one_registrar(coop: Cooperative) -> Statement:
    return coop.signed(Expel(coop.coop, coop.households[4].public.id), coop.registrars[0])


def expulsion_by_the_log(coop: Cooperative) -> Statement:
    return coop.signed(Expel(coop.coop, coop.households[4].public.id), coop.log_key)


def old_accreditation_again(coop: Cooperative) -> Statement:
    researcher = coop.researchers[0]
    old = next(Statement.parse(leaf) for leaf in coop.leaves if Statement.parse(leaf).kind == "accredit")
    issued = coop.now_ms + 1
    shorter = Accredit(coop.coop, researcher.public, "Cut short", "non-profit", issued, issued + 1)
    coop.append(coop.endorsed(statement(shorter)))
    return old


def accreditation_that_ends_first(coop: Cooperative) -> Statement:
    late = coop.now_ms + 364 * 86_400_000 + 86_399_000
    return _raw_proposal(coop, coop.job(), opens=late, deadline=late + 3_600_000)


def hasty_vote(coop: Cooperative) -> Statement:
    return _raw_proposal(coop, coop.job(), deadline=coop.now_ms + 1000)


def electorate_of_old_friends(coop: Cooperative) -> Statement:
    return _raw_proposal(coop, coop.job(), registry_size=1)


def electorate_without_the_newer_members(coop: Cooperative) -> Statement:
    coop.admit(8)
    for household in coop.households[4:18]:
        coop.append(coop.signed(Resign(coop.coop, household.public.id), household))
    return _raw_proposal(coop, coop.job(), registry_size=19)  # of 20 ever registered, but 5 of 6 members


def electorate_of_the_future(coop: Cooperative) -> Statement:
    return _raw_proposal(coop, coop.job(), registry_size=13)


def asked_until_the_answer_fits(coop: Cooperative) -> Statement:
    job = _voted(coop, no=12)
    coop.close(job)
    return _raw_proposal(coop, job)


def proposal_without_sponsor(coop: Cooperative) -> Statement:
    signed = _raw_proposal(coop, coop.job())
    kept = tuple(pair for pair in signed.signatures if pair[0] == coop.researchers[0].public)
    return Statement(signed.kind, signed.payload, kept)


def ballot_of_a_late_member(coop: Cooperative) -> Statement:
    job = _voted(coop, yes=1)
    (late,) = coop.admit()
    return build_ballot(coop.assembly, job.hash, late, "yes", 1).sign(coop.households[-1])


def ballot_for_somebody_else(coop: Cooperative) -> Statement:
    job = _voted(coop)
    victim = coop.households[1].public.id
    ballot = Ballot(coop.coop, coop.assembly.vote_on(job.hash).digest, victim, 1, "yes")
    return coop.signed(ballot, coop.households[0])


def ballot_under_a_rotated_key(coop: Cooperative) -> Statement:
    job = _voted(coop)
    old, new = coop.households[4], key("new key")
    coop.append(coop.signed(Rotate(coop.coop, old.public.id, old.public, new.public), old, new))
    return build_ballot(coop.assembly, job.hash, old.public.id, "yes", 1).sign(old)


def ballot_after_the_close(coop: Cooperative) -> Statement:
    job = _voted(coop, yes=5)
    coop.close(job)
    return build_ballot(coop.assembly, job.hash, coop.households[7].public.id, "no", 1).sign(coop.households[7])


def two_choices_under_one_number(coop: Cooperative) -> Statement:
    job = _voted(coop, yes=1)
    return build_ballot(coop.assembly, job.hash, coop.households[0].public.id, "no", 1).sign(coop.households[0])


def ballot_turned_by_the_registrars(coop: Cooperative) -> Statement:
    job = _voted(coop, no=6)
    household, new = coop.households[5].public.id, key("the registrars'")
    coop.append(coop.endorsed(build_rotate(coop.assembly, household, new.public).sign(new)))
    return build_ballot(coop.assembly, job.hash, household, "yes", 1).sign(new)


def ballot_turned_by_a_second_rotation(coop: Cooperative) -> Statement:
    job = _voted(coop, no=6)
    household, new, newer = coop.households[5].public.id, key("the registrars'"), key("the registrars' own")
    coop.append(coop.endorsed(build_rotate(coop.assembly, household, new.public).sign(new)))
    coop.append(build_rotate(coop.assembly, household, newer.public).sign(new).sign(newer))
    return build_ballot(coop.assembly, job.hash, household, "yes", 1).sign(newer)


def close_of_another_history(coop: Cooperative) -> Statement:
    job = _voted(coop, yes=5)
    coop.advance(3600)
    fork = sign_checkpoint(Checkpoint(f"vicinia/{coop.coop}", coop.assembly.size, bytes(32)), coop.log_key)
    witness = coop.witnesses[0]
    line = cosign(fork, witness, witness_name(coop.coop, witness.public), coop.now_ms // 1000)
    return _late_close(coop, job, add_cosignatures(fork, line))


def close_under_an_older_state(coop: Cooperative) -> Statement:
    job = _voted(coop)
    coop.advance(3600)
    return _late_close(coop, job, coop.checkpoint(size=coop.assembly.vote_on(job.hash).leaf))


def opening_before_the_proposal(coop: Cooperative) -> Statement:
    before = coop.checkpoint()
    coop.advance(60)
    job = _voted(coop, yes=5)
    coop.advance(3600)
    return _late_close(coop, job, coop.checkpoint(), opening=before)


def close_without_witnesses(coop: Cooperative) -> Statement:
    job = _voted(coop, yes=5)
    coop.advance(3600)
    return _late_close(coop, job, sign_checkpoint(coop.assembly.checkpoint(), coop.log_key))


def close_before_the_deadline(coop: Cooperative) -> Statement:
    job = _voted(coop, yes=5)
    return _late_close(coop, job, coop.checkpoint())


def close_of_a_backdated_proposal(coop: Cooperative) -> Statement:
    job = coop.job()
    long_ago = coop.now_ms - 3_600_000
    coop.append(_raw_proposal(coop, job, opens=long_ago, deadline=long_ago + 3_600_000))
    coop.openings[job.hash] = coop.checkpoint()
    coop.vote(job, yes=3)
    coop.advance(2)
    return _late_close(coop, job, coop.checkpoint())


def close_when_the_count_fits(coop: Cooperative) -> Statement:
    job = _voted(coop, no=5)
    coop.advance(3600 + coop.assembly.bylaws.checkpoint_age_seconds + 1)
    for household in range(5, 12):
        coop.ballot(job, household, "yes")
    return _late_close(coop, job, coop.checkpoint())


def close_that_drops_ballots(coop: Cooperative) -> Statement:
    job = _voted(coop, yes=5)
    coop.advance(3600)
    closing = coop.checkpoint()
    for household in range(5, 12):
        coop.ballot(job, household, "no")
    return _late_close(coop, job, closing)


def close_that_drops_an_outranked_ballot(coop: Cooperative) -> Statement:
    job = _voted(coop, yes=5)
    coop.ballot(job, 0, "yes", seq=3)
    coop.advance(3600)
    closing = coop.checkpoint()
    coop.ballot(job, 0, "no", seq=2)
    return _late_close(coop, job, closing)


def second_close(coop: Cooperative) -> Statement:
    job = _voted(coop, yes=5)
    coop.close(job)
    coop.advance(60)
    return _late_close(coop, job, coop.checkpoint())


def close_by_a_member(coop: Cooperative) -> Statement:
    job = _voted(coop, yes=5)
    coop.advance(3600)
    return build_close(coop.assembly, job.hash, coop.openings[job.hash], coop.checkpoint()).sign(coop.households[0])


def tally_of_an_open_vote(coop: Cooperative) -> Statement:
    job = _voted(coop, yes=5)
    return coop.signed(Tally(coop.coop, coop.assembly.vote_on(job.hash).digest, 12, 3, 5, 0, 0, True), coop.log_key)


def stuffed_tally(coop: Cooperative) -> Statement:
    job = _voted(coop, no=5)
    coop.advance(3600)
    coop.append(_late_close(coop, job, coop.checkpoint()).unsigned().sign(coop.log_key))
    return coop.signed(Tally(coop.coop, coop.assembly.vote_on(job.hash).digest, 12, 3, 12, 0, 0, True), coop.log_key)


def certificate_of_a_rejected_job(coop: Cooperative) -> Statement:
    job = _voted(coop, yes=2, no=2)
    coop.close(job)
    return _certificate(coop, job)


def certificate_without_quorum(coop: Cooperative) -> Statement:
    job = _voted(coop, yes=2)
    coop.close(job)
    return _certificate(coop, job)


def second_certificate(coop: Cooperative) -> Statement:
    job = coop.job()
    coop.accept(job)
    return _certificate(coop, job)


def endless_certificate(coop: Cooperative) -> Statement:
    job = _voted(coop, yes=5)
    coop.close(job)
    return _certificate(coop, job, expires=coop.now_ms + 91 * 86_400_000)


def certificate_for_many_runs(coop: Cooperative) -> Statement:
    job = _voted(coop, yes=5)
    coop.close(job)
    return _certificate(coop, job, max_runs=2)


def certificate_from_before_the_vote(coop: Cooperative) -> Statement:
    job = _voted(coop, yes=5)
    coop.close(job)
    return _certificate(coop, job, not_before=1)


def revocation_by_a_member(coop: Cooperative) -> Statement:
    job = coop.job()
    coop.accept(job)
    return coop.signed(Revoke(coop.coop, job.hash), coop.households[7])


def roster_of_a_revoked_job(coop: Cooperative) -> Statement:
    job = coop.job()
    coop.accept(job)
    coop.append(coop.signed(Revoke(coop.coop, job.hash), coop.researchers[0]))
    return coop.signed(Roster(coop.coop, job.hash, 0, bytes(32), 10), coop.log_key)


def certificate_of_a_revoked_job(coop: Cooperative) -> Statement:
    job = _voted(coop, yes=5)
    coop.close(job)
    coop.append(coop.endorsed(statement(Revoke(coop.coop, job.hash))))
    return _certificate(coop, job)


def roster_without_certificate(coop: Cooperative) -> Statement:
    job = _voted(coop, yes=5)
    return coop.signed(Roster(coop.coop, job.hash, 0, bytes(32), 10), coop.log_key)


def one_run_more(coop: Cooperative) -> Statement:
    job = coop.job()
    coop.accept(job)
    return coop.signed(Roster(coop.coop, job.hash, 1, bytes(32), 10), coop.log_key)


def second_roster_of_a_run(coop: Cooperative) -> Statement:
    job = coop.job()
    coop.accept(job)
    coop.roster(job)
    return coop.signed(Roster(coop.coop, job.hash, 0, b"1" * 32, 10), coop.log_key)


def tiny_roster(coop: Cooperative) -> Statement:
    job = coop.job()
    coop.accept(job)
    return coop.signed(Roster(coop.coop, job.hash, 0, bytes(32), 0), coop.log_key)


def roster_above_the_electorate(coop: Cooperative) -> Statement:
    job = coop.job()
    coop.accept(job)
    return coop.signed(Roster(coop.coop, job.hash, 0, bytes(32), 20), coop.log_key)


def release_without_run(coop: Cooperative) -> Statement:
    job = coop.job()
    coop.accept(job)
    return coop.signed(Release(coop.coop, job.hash, 0, bytes(32), 10, 1), coop.log_key)


def data_set_nobody_voted_on(coop: Cooperative) -> Statement:
    dataset = Dataset(coop.coop, {**BUDGET, "name": "diaries"})
    coop.append(_raw_proposal(coop, coop.job(), job=dataset_hash(dataset.coop, dataset.definition), class_="special"))
    return coop.signed(dataset, coop.log_key)


def data_set_by_an_ordinary_vote(coop: Cooperative) -> Statement:
    dataset = Dataset(coop.coop, {**BUDGET, "name": "diaries"})
    accept_data_set(coop, dataset, class_="ordinary")
    return coop.signed(dataset, coop.log_key)


def data_set_redefined(coop: Cooperative) -> Statement:
    dataset = Dataset(coop.coop, {**BUDGET, "description": "Something else"})
    accept_data_set(coop, dataset)
    return coop.signed(dataset, coop.log_key)


@dataclass(frozen=True)
class Subject:
    """What is voted on, where it is no job."""

    hash: bytes


def accept_data_set(coop: Cooperative, dataset: Dataset, class_: str = "special") -> None:
    """A vote on a data set's definition, up to its certificate."""
    subject = Subject(dataset_hash(dataset.coop, dataset.definition))
    coop.append(_raw_proposal(coop, coop.job(), job=subject.hash, class_=class_))
    coop.openings[subject.hash] = coop.checkpoint()
    coop.vote(subject, yes=12)
    coop.close(subject)
    coop.certify(subject)


def test_a_new_data_set_that_a_special_vote_accepted() -> None:
    coop = Cooperative.found()
    dataset = Dataset(coop.coop, {**BUDGET, "name": "diaries"})
    accept_data_set(coop, dataset)
    coop.append(coop.signed(dataset, coop.log_key))
    assert set(coop.replay().datasets) == {"budget", "diaries"}


def _any_closing(vote: votes.Vote) -> Closing:
    return vote.closing or Closing(10**6, 0, 10**15)


def _any_certificate(vote: votes.Vote) -> Certificate:
    return vote.certificate or Certificate(vote.proposal.coop, vote.proposal.job, 0, 1, 1)


ATTACKS: list[tuple[Attack, str, Callable[..., Any]]] = [
    (another_cooperative, "same_cooperative", _nothing),
    (forged_signature, "signatures_valid", _nothing),
    (signature_of_a_stranger, "only_entitled", _nothing),
    (member_by_one_registrar, "enough_signatures", _nothing),
    (member_without_proof_of_possession, "enough_signatures", _nothing),
    (member_twice, "key_unused", _nothing),
    (researcher_as_member, "key_unused", _nothing),
    (key_of_somebody_who_left, "key_unused", _nothing),
    (rotation_by_the_new_key_alone, "enough_signatures", _nothing),
    (rotation_to_a_key_in_use, "key_unused", _nothing),
    (expulsion_by_one_registrar, "enough_signatures", _nothing),
    (old_accreditation_again, "accreditation_unused", _nothing),
    (accreditation_that_ends_first, "accredited_for", _nothing),
    (hasty_vote, "window_as_bylaws", _nothing),
    (electorate_of_old_friends, "registry_frozen", _nothing),
    (electorate_of_the_future, "registry_frozen", _nothing),
    (electorate_without_the_newer_members, "registry_frozen", _nothing),
    (asked_until_the_answer_fits, "proposed_once", _nothing),
    (proposal_without_sponsor, "enough_signatures", _nothing),
    (ballot_of_a_late_member, "elector", _nothing),
    (ballot_after_the_close, "still_open", _nothing),
    (two_choices_under_one_number, "no_second_choice", _nothing),
    (ballot_turned_by_the_registrars, "cast_before_recovery", _nothing),
    (ballot_turned_by_a_second_rotation, "cast_before_recovery", _nothing),
    (close_of_another_history, "state_replayed", _nothing),
    (close_under_an_older_state, "covers", _nothing),
    (opening_before_the_proposal, "covers", _nothing),
    (close_without_witnesses, "witnessed", lambda times, needed, where: max(times, default=0)),
    (close_before_the_deadline, "witnessed", lambda times, needed, where: max(times, default=0)),
    (close_of_a_backdated_proposal, "open_long_enough", lambda opened, bylaws, deadline: deadline),
    (close_when_the_count_fits, "closed_in_time", _nothing),
    (close_that_drops_ballots, "no_ballot_left_out", _nothing),
    (close_that_drops_an_outranked_ballot, "no_ballot_left_out", _nothing),
    (second_close, "not_closed", _nothing),
    (tally_of_an_open_vote, "closed", _any_closing),
    (stuffed_tally, "counts_recomputed", _nothing),
    (certificate_of_a_rejected_job, "accepted", _nothing),
    (certificate_without_quorum, "accepted", _nothing),
    (second_certificate, "certified_once", _nothing),
    (endless_certificate, "certificate_within", _nothing),
    (certificate_for_many_runs, "certificate_within", _nothing),
    (certificate_from_before_the_vote, "certificate_within", _nothing),
    (roster_of_a_revoked_job, "not_revoked", _nothing),
    (certificate_of_a_revoked_job, "not_revoked", _nothing),
    (roster_without_certificate, "has_certificate", _any_certificate),
    (one_run_more, "run_allowed", _nothing),
    (second_roster_of_a_run, "one_roster_a_run", _nothing),
    (tiny_roster, "roster_size", _nothing),
    (roster_above_the_electorate, "roster_size", _nothing),
    (release_without_run, "release_of_run", _nothing),
    (data_set_nobody_voted_on, "by_special_vote", _nothing),
    (data_set_by_an_ordinary_vote, "by_special_vote", _nothing),
    (data_set_redefined, "not_redefined", _nothing),
]
WRONG_SIGNER: list[Attack] = [
    expulsion_by_the_log,
    ballot_for_somebody_else,
    ballot_under_a_rotated_key,
    close_by_a_member,
    revocation_by_a_member,
]


@pytest.mark.parametrize(("attack", "defence", "without"), ATTACKS, ids=[attack.__name__ for attack, _, _ in ATTACKS])
def test_the_attack_fails_and_only_for_its_defence(
    attack: Attack, defence: str, without: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    coop = Cooperative.found()
    leaf = attack(coop).leaf()
    before = snapshot(coop.assembly)
    with pytest.raises(ViciniaError) as refusal:
        coop.assembly.append(leaf)
    assert refusal.value.what.endswith(".")
    assert snapshot(coop.assembly) == before
    monkeypatch.setattr(checks, defence, without)
    coop.assembly.append(leaf)
    assert coop.assembly.size == len(coop.leaves) + 1


@pytest.mark.parametrize("attack", WRONG_SIGNER)
def test_a_wrong_signer_is_neither_entitled_nor_enough(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    coop = Cooperative.found()
    leaf = attack(coop).leaf()
    for defence in ("only_entitled", "enough_signatures"):
        with pytest.raises(ViciniaError):
            coop.assembly.append(leaf)
        monkeypatch.setattr(checks, defence, _nothing)
    coop.assembly.append(leaf)


def test_every_defence_has_its_attack() -> None:
    functions = inspect.getmembers(checks, inspect.isfunction)
    defences = {name for name, one in functions if one.__module__ == checks.__name__}
    assert defences == {defence for _, defence, _ in ATTACKS} | {"genesis_pinned"}


def test_another_genesis_is_refused_only_because_it_is_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    honest, forged = Cooperative.found(households=0), Cooperative.found(households=0, now_ms=1_780_000_000_000)
    with pytest.raises(ViciniaError):
        Assembly.from_leaves(forged.leaves, honest.assembly.genesis_digest)
    monkeypatch.setattr(checks, "genesis_pinned", _nothing)
    Assembly.from_leaves(forged.leaves, honest.assembly.genesis_digest)


def test_late_ballots_turn_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    coop = Cooperative.found()
    job = _voted(coop, yes=1, no=4)
    coop.advance(3600)
    closing = coop.checkpoint()
    for household in range(5, 12):
        coop.ballot(job, household, "yes")
    coop.ballot(job, 1, "yes", seq=2)
    monkeypatch.setattr(checks, "no_ballot_left_out", _nothing)  # the second line of defence
    coop.append(_late_close(coop, job, closing))
    vote = coop.assembly.vote_on(job.hash)
    assert not coop.assembly.tally(vote).accepted
    assert coop.assembly.tally(vote).counts.no == 4
    assert build_tally(coop.assembly, job.hash).payload["accepted"] is False
    counted = [vote.counts(elector) for elector in (0, 1, 5)]
    assert [cast and cast.choice for cast in counted] == ["yes", "no", None]
    monkeypatch.setattr(votes, "in_time", lambda cast, size: True)
    assert coop.assembly.tally(vote).accepted


def snapshot(assembly: Assembly) -> tuple[Any, ...]:
    """All that a leaf could change."""
    signed = SignedCheckpoint(assembly.checkpoint())
    return (
        signed,
        list(assembly.members),
        dict(assembly.datasets),
        dict(assembly.researchers),
        {job: repr(vote) for job, vote in assembly.votes.items()},
        [assembly.members.by_key(one.key) for one in assembly.members],
    )
