"""Who is a member, under which key, and since when; and what the tray is told is still missing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from simulator_cooperative import BYLAWS, DAY_MS, Cooperative, key
from vicinia.assembly import (
    Accredit,
    Assembly,
    Expel,
    Resign,
    Revoke,
    build_close,
    build_genesis,
    build_member,
    build_proposal,
    build_resign,
    build_rotate,
    build_tally,
    draft_proposal,
    statement,
)
from vicinia.errors import InvalidInput, NotAccepted, ProofInvalid, ViciniaError


def test_a_rotated_household_keeps_its_id_and_votes_under_the_new_key() -> None:
    coop = Cooperative.found()
    job = coop.job()
    vote = coop.propose(job)
    old, new = coop.households[3], key("after the burglary")
    coop.ballot(job, 3, "no", seq=1_000_000)  # a thief's last word
    size = coop.assembly.size
    coop.append(build_rotate(coop.assembly, old.public.id, new.public).sign(old).sign(new))
    coop.households[3] = new
    member = coop.assembly.member(old.public.id)
    assert member is not None
    assert (member.index, member.id, member.key, member.epoch) == (3, old.public.id, new.public, 1)
    coop.ballot(job, 3, "yes", seq=1)  # overrides whatever the old key said
    assert coop.assembly.tally(vote).counts.yes == 1
    assert coop.assembly.electorate_keys(vote, size)[3] == old.public
    assert coop.assembly.electorate_keys(vote)[3] == new.public


def test_a_lost_key_is_replaced_by_the_registrars() -> None:
    coop = Cooperative.found()
    new = key("new")
    coop.append(coop.endorsed(build_rotate(coop.assembly, coop.households[3].public.id, new.public).sign(new)))
    assert coop.assembly.members.by_key(new.public) == coop.assembly.members[3]
    assert coop.assembly.members.by_key(coop.households[3].public) is None


def test_a_household_that_had_not_voted_votes_under_the_key_that_the_registrars_replaced() -> None:
    coop = Cooperative.found()
    job, new = coop.job(), key("new")
    vote = coop.propose(job)
    coop.append(coop.endorsed(build_rotate(coop.assembly, coop.households[3].public.id, new.public).sign(new)))
    coop.households[3] = new
    coop.ballot(job, 3, "no")
    coop.ballot(job, 3, "yes", seq=2)
    assert coop.assembly.tally(vote).counts.yes == 1


def test_who_left_neither_votes_nor_runs_but_was_part_of_the_electorate() -> None:
    coop = Cooperative.found()
    job = coop.job()
    vote = coop.propose(job)
    coop.append(build_resign(coop.coop, coop.households[5].public.id).sign(coop.households[5]))
    coop.append(coop.endorsed(statement(Expel(coop.coop, coop.households[6].public.id))))
    for household in (5, 6):
        with pytest.raises(NotAccepted):
            coop.ballot(job, household, "yes")
    assert vote.electorate == len(coop.assembly.electorate(vote)) == 12
    assert set(coop.assembly.electorate_keys(vote)) == set(range(12)) - {5, 6}
    assert len(coop.assembly.active_members) == 10
    later = coop.propose(coop.job(title="Afterwards"))
    assert later.electorate == 10


def test_who_left_or_has_another_key_since_the_manifest_is_in_no_roster() -> None:
    coop = Cooperative.found()
    job, new = coop.job(), key("new")
    vote = coop.accept(job)
    size = coop.assembly.size
    coop.append(build_resign(coop.coop, coop.households[5].public.id).sign(coop.households[5]))
    coop.append(
        build_rotate(coop.assembly, coop.households[6].public.id, new.public).sign(coop.households[6]).sign(new)
    )
    later = coop.assembly.size
    assert set(coop.assembly.lasting_keys(vote, size, size)) == set(range(12))
    assert set(coop.assembly.lasting_keys(vote, size, later)) == set(range(12)) - {5, 6}
    assert set(coop.assembly.lasting_keys(vote, later, later)) == set(range(12)) - {5}


def test_members_registered_after_the_proposal_take_no_part() -> None:
    coop = Cooperative.found()
    vote = coop.propose(coop.job())
    coop.admit(3)
    assert vote.electorate == 12
    assert set(coop.assembly.electorate_keys(vote)) == set(range(12))


def test_a_few_members_may_register_while_a_proposal_is_signed() -> None:
    coop = Cooperative.found(households=20)
    draft = build_proposal(coop.job(), coop.now_ms, coop.assembly).sign(coop.researchers[0]).sign(coop.households[0])
    coop.admit(1)
    coop.append(draft)
    assert coop.assembly.vote_on(coop.job().hash).electorate == 20


def test_leaving_twice_is_refused() -> None:
    coop = Cooperative.found()
    resign = statement(Resign(coop.coop, coop.households[5].public.id)).sign(coop.households[5])
    coop.append(resign)
    with pytest.raises(NotAccepted):
        coop.append(resign)


def test_a_renewed_accreditation_needs_only_the_registrars() -> None:
    coop = Cooperative.found()
    researcher = coop.researchers[0].public
    renewed = Accredit(coop.coop, researcher, "Elsewhere", "public", coop.now_ms + 1, coop.now_ms + DAY_MS)
    coop.append(coop.endorsed(statement(renewed)))
    assert coop.assembly.researchers[researcher.id].institution == "Elsewhere"


def test_an_accreditation_can_always_be_ended() -> None:
    coop = Cooperative.found()
    researcher, later = coop.researchers[0].public, 2**53 - 2
    coop.append(coop.endorsed(statement(Accredit(coop.coop, researcher, "U", "public", later, later + 1))))
    ending = Accredit(coop.coop, researcher, "U", "public", coop.now_ms, coop.now_ms + 1)
    coop.append(coop.endorsed(statement(ending)))
    assert coop.assembly.researchers[researcher.id] == ending


def test_an_accreditation_lasts_two_years_at_most() -> None:
    coop = Cooperative.found()
    researcher, span = coop.researchers[0].public, 731 * DAY_MS
    Accredit(coop.coop, researcher, "U", "public", coop.now_ms, coop.now_ms + span)
    with pytest.raises(InvalidInput):
        Accredit(coop.coop, researcher, "U", "public", coop.now_ms, coop.now_ms + span + 1)


def test_the_tray_knows_who_is_missing() -> None:
    coop = Cooperative.found()
    new = key("new")
    made = build_member(coop.coop, new.public).sign(new)
    (missing,) = coop.assembly.signers_missing(made)
    assert missing.count == 2
    assert missing.may(coop.registrars[0].public)
    assert not missing.may(new.public)
    assert coop.assembly.signers_missing(coop.endorsed(made)) == ()
    forged = type(made)(made.kind, made.payload, ((new.public, bytes(64)),))
    assert [one.who for one in coop.assembly.signers_missing(forged)] == ["the household", "2 registrars"]


def test_the_tray_looks_for_a_sponsor_among_the_electorate() -> None:
    coop = Cooperative.found()
    made = build_proposal(coop.job(), coop.now_ms, coop.assembly).sign(coop.researchers[0])
    coop.admit(1)
    (missing,) = coop.assembly.signers_missing(made)
    assert missing.who == "a sponsor"
    assert missing.may(coop.households[11].public)
    assert not missing.may(coop.households[12].public)
    assert not missing.may(coop.researchers[0].public)


def test_alternatives_are_all_named_until_one_is_complete() -> None:
    coop = Cooperative.found()
    job = coop.job()
    coop.accept(job)
    made = statement(Revoke(coop.coop, job.hash))
    assert {one.who for one in coop.assembly.signers_missing(made)} == {"2 registrars", "the researcher"}
    assert coop.assembly.signers_missing(made.sign(coop.researchers[0])) == ()


def test_a_statement_about_nobody_is_refused_in_words() -> None:
    coop = Cooperative.found()
    with pytest.raises(NotAccepted) as refusal:
        coop.assembly.signers_missing(statement(Resign(coop.coop, "0" * 32)))
    assert "no such active member" in str(refusal.value)


@pytest.mark.parametrize(
    "change",
    [
        {"registrars": 1},
        {"witnesses": 0},
        {"witnesses": 2},
        {"log_is_witness": True},
        {"founder_is_registrar": True},
        {"twice": True},
    ],
    ids=str,
)
def test_a_genesis_keeps_the_coordinator_from_confirming_itself(change: dict[str, int]) -> None:
    log, founder = key("log"), key("founder")
    homes = [key(f"home {n}").public for n in range(3)]
    registrars = homes[: change.get("registrars", 3)]
    witnesses = [log.public] if change.get("log_is_witness") else homes[: change.get("witnesses", 1)]
    if change.get("founder_is_registrar"):
        registrars = [founder.public, *homes]
    if change.get("twice"):
        registrars = [homes[0], homes[0]]
    with pytest.raises(InvalidInput):
        build_genesis("valley", 1, founder.public, log.public, BYLAWS, registrars, witnesses)


def test_a_genesis_that_somebody_else_signed_is_refused() -> None:
    homes = [key(f"home {n}").public for n in range(3)]
    made = build_genesis("valley", 1, key("founder").public, key("log").public, BYLAWS, homes, homes[:1])
    with pytest.raises(ProofInvalid):
        Assembly(made.sign(key("somebody")).leaf())
    with pytest.raises(ProofInvalid):
        Assembly(made.leaf())


def test_a_witness_that_was_late_prolongs_the_vote() -> None:
    coop = Cooperative.found()
    job = coop.job()
    coop.propose(job)
    coop.advance(600)
    coop.openings[job.hash] = coop.checkpoint()
    assert coop.assembly.closes_at(job.hash, coop.openings[job.hash]) == coop.now_ms + 3_600_000
    coop.vote(job, yes=5)
    coop.advance(3000)
    with pytest.raises(ProofInvalid):
        build_close(coop.assembly, job.hash, coop.openings[job.hash], coop.checkpoint())
    coop.close(job)
    coop.certify(job)
    assert coop.may_run(job).ok


def test_k_of_n_witnesses_close_a_vote() -> None:
    coop = Cooperative.found(bylaws=replace(BYLAWS, witnesses_needed=2), witnesses=3)
    job = coop.job()
    coop.propose(job)
    coop.vote(job, yes=5)
    coop.advance(3600)
    coop.witnesses = coop.witnesses[:1]
    with pytest.raises(ProofInvalid):
        build_close(coop.assembly, job.hash, coop.openings[job.hash], coop.checkpoint())


def test_no_tally_before_the_close_and_no_draft_that_cannot_run() -> None:
    coop = Cooperative.found()
    job = coop.job()
    coop.propose(job)
    with pytest.raises(NotAccepted):
        build_tally(coop.assembly, job.hash)
    for hopeless in (
        coop.job(floor=2),
        coop.job(rho_nano=10**9),
        coop.job(datasets=("diaries",)),
        coop.job(coop="elsewhere"),
        coop.job(recipient="public"),
        coop.job(researcher="0" * 32),
    ):
        with pytest.raises(ViciniaError) as refusal:
            draft_proposal(hopeless, coop.now_ms, coop.assembly)
        assert refusal.value.what.endswith(".")
