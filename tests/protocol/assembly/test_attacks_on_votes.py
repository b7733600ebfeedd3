"""Proposals and ballots: attacks on the log that the checks stop.

Each attack runs twice: with its defence the leaf is refused and nothing changes; with that one check taken out the
leaf is accepted, so it is this check that stops it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from protocol.assembly.log_attacks import Attack, fails_for_its_signer, fails_only_for, nothing, raw_proposal, voted
from simulator_cooperative import Cooperative, key
from vicinia.assembly import Ballot, Resign, Rotate, build_ballot, build_rotate
from vicinia.tlog.statement import Statement


def accreditation_that_ends_first(coop: Cooperative) -> Statement:
    late = coop.now_ms + 364 * 86_400_000 + 86_399_000
    return raw_proposal(coop, coop.job(), opens=late, deadline=late + 3_600_000)


def hasty_vote(coop: Cooperative) -> Statement:
    return raw_proposal(coop, coop.job(), deadline=coop.now_ms + 1000)


def electorate_of_old_friends(coop: Cooperative) -> Statement:
    return raw_proposal(coop, coop.job(), registry_size=1)


def electorate_without_the_newer_members(coop: Cooperative) -> Statement:
    coop.admit(8)
    for household in coop.households[4:18]:
        coop.append(coop.signed(Resign(coop.coop, household.public.id), household))
    return raw_proposal(coop, coop.job(), registry_size=19)  # of 20 ever registered, but 5 of 6 members


def electorate_of_the_future(coop: Cooperative) -> Statement:
    return raw_proposal(coop, coop.job(), registry_size=13)


def asked_until_the_answer_fits(coop: Cooperative) -> Statement:
    job = voted(coop, no=12)
    coop.close(job)
    return raw_proposal(coop, job)


def proposal_without_sponsor(coop: Cooperative) -> Statement:
    signed = raw_proposal(coop, coop.job())
    kept = tuple(pair for pair in signed.signatures if pair[0] == coop.researchers[0].public)
    return Statement(signed.kind, signed.payload, kept)


def ballot_of_a_late_member(coop: Cooperative) -> Statement:
    job = voted(coop, yes=1)
    (late,) = coop.admit()
    return build_ballot(coop.assembly, job.hash, late, "yes", 1).sign(coop.households[-1])


def ballot_for_somebody_else(coop: Cooperative) -> Statement:
    job = voted(coop)
    victim = coop.households[1].public.id
    ballot = Ballot(coop.coop, coop.assembly.vote_on(job.hash).digest, victim, 1, "yes")
    return coop.signed(ballot, coop.households[0])


def ballot_under_a_rotated_key(coop: Cooperative) -> Statement:
    job = voted(coop)
    old, new = coop.households[4], key("new key")
    coop.append(coop.signed(Rotate(coop.coop, old.public.id, old.public, new.public), old, new))
    return build_ballot(coop.assembly, job.hash, old.public.id, "yes", 1).sign(old)


def ballot_after_the_close(coop: Cooperative) -> Statement:
    job = voted(coop, yes=5)
    coop.close(job)
    return build_ballot(coop.assembly, job.hash, coop.households[7].public.id, "no", 1).sign(coop.households[7])


def two_choices_under_one_number(coop: Cooperative) -> Statement:
    job = voted(coop, yes=1)
    return build_ballot(coop.assembly, job.hash, coop.households[0].public.id, "no", 1).sign(coop.households[0])


def ballot_turned_by_the_registrars(coop: Cooperative) -> Statement:
    job = voted(coop, no=6)
    household, new = coop.households[5].public.id, key("the registrars'")
    coop.append(coop.endorsed(build_rotate(coop.assembly, household, new.public).sign(new)))
    return build_ballot(coop.assembly, job.hash, household, "yes", 1).sign(new)


def ballot_turned_by_a_second_rotation(coop: Cooperative) -> Statement:
    job = voted(coop, no=6)
    household, new, newer = coop.households[5].public.id, key("the registrars'"), key("the registrars' own")
    coop.append(coop.endorsed(build_rotate(coop.assembly, household, new.public).sign(new)))
    coop.append(build_rotate(coop.assembly, household, newer.public).sign(new).sign(newer))
    return build_ballot(coop.assembly, job.hash, household, "yes", 1).sign(newer)


ATTACKS: list[tuple[Attack, str, Callable[..., Any]]] = [
    (accreditation_that_ends_first, "accredited_for", nothing),
    (hasty_vote, "window_as_bylaws", nothing),
    (electorate_of_old_friends, "registry_frozen", nothing),
    (electorate_of_the_future, "registry_frozen", nothing),
    (electorate_without_the_newer_members, "registry_frozen", nothing),
    (asked_until_the_answer_fits, "proposed_once", nothing),
    (proposal_without_sponsor, "enough_signatures", nothing),
    (ballot_of_a_late_member, "elector", nothing),
    (ballot_after_the_close, "still_open", nothing),
    (two_choices_under_one_number, "no_second_choice", nothing),
    (ballot_turned_by_the_registrars, "cast_before_recovery", nothing),
    (ballot_turned_by_a_second_rotation, "cast_before_recovery", nothing),
]
WRONG_SIGNER: list[Attack] = [ballot_for_somebody_else, ballot_under_a_rotated_key]


@pytest.mark.parametrize(("attack", "defence", "without"), ATTACKS, ids=[attack.__name__ for attack, _, _ in ATTACKS])
def test_the_attack_fails_and_only_for_its_defence(
    attack: Attack, defence: str, without: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_only_for(attack, defence, without, monkeypatch)


@pytest.mark.parametrize("attack", WRONG_SIGNER)
def test_a_wrong_signer_is_neither_entitled_nor_enough(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    fails_for_its_signer(attack, monkeypatch)
