"""Certificates, runs and data sets: attacks on the log that the checks stop.

Each attack runs twice: with its defence the leaf is refused and nothing changes; with that one check taken out the
leaf is accepted, so it is this check that stops it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from protocol.assembly.log_attacks import (
    Attack,
    accept_data_set,
    certificate,
    fails_for_its_signer,
    fails_only_for,
    nothing,
    raw_proposal,
    voted,
)
from simulator_cooperative import BUDGET, Cooperative
from vicinia.assembly import Certificate, Dataset, Release, Revoke, Roster, dataset_hash, statement
from vicinia.assembly import vote as votes
from vicinia.tlog.statement import Statement


def certificate_of_a_rejected_job(coop: Cooperative) -> Statement:
    job = voted(coop, yes=2, no=2)
    coop.close(job)
    return certificate(coop, job)


def certificate_without_quorum(coop: Cooperative) -> Statement:
    job = voted(coop, yes=2)
    coop.close(job)
    return certificate(coop, job)


def second_certificate(coop: Cooperative) -> Statement:
    job = coop.job()
    coop.accept(job)
    return certificate(coop, job)


def endless_certificate(coop: Cooperative) -> Statement:
    job = voted(coop, yes=5)
    coop.close(job)
    return certificate(coop, job, expires=coop.now_ms + 91 * 86_400_000)


def certificate_for_many_runs(coop: Cooperative) -> Statement:
    job = voted(coop, yes=5)
    coop.close(job)
    return certificate(coop, job, max_runs=2)


def certificate_from_before_the_vote(coop: Cooperative) -> Statement:
    job = voted(coop, yes=5)
    coop.close(job)
    return certificate(coop, job, not_before=1)


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
    job = voted(coop, yes=5)
    coop.close(job)
    coop.append(coop.endorsed(statement(Revoke(coop.coop, job.hash))))
    return certificate(coop, job)


def roster_without_certificate(coop: Cooperative) -> Statement:
    job = voted(coop, yes=5)
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
    coop.append(raw_proposal(coop, coop.job(), job=dataset_hash(dataset.coop, dataset.definition), class_="special"))
    return coop.signed(dataset, coop.log_key)


def data_set_by_an_ordinary_vote(coop: Cooperative) -> Statement:
    dataset = Dataset(coop.coop, {**BUDGET, "name": "diaries"})
    accept_data_set(coop, dataset, class_="ordinary")
    return coop.signed(dataset, coop.log_key)


def data_set_redefined(coop: Cooperative) -> Statement:
    dataset = Dataset(coop.coop, {**BUDGET, "description": "Something else"})
    accept_data_set(coop, dataset)
    return coop.signed(dataset, coop.log_key)


def _any_certificate(vote: votes.Vote) -> Certificate:
    return vote.certificate or Certificate(vote.proposal.coop, vote.proposal.job, 0, 1, 1)


ATTACKS: list[tuple[Attack, str, Callable[..., Any]]] = [
    (certificate_of_a_rejected_job, "accepted", nothing),
    (certificate_without_quorum, "accepted", nothing),
    (second_certificate, "certified_once", nothing),
    (endless_certificate, "certificate_within", nothing),
    (certificate_for_many_runs, "certificate_within", nothing),
    (certificate_from_before_the_vote, "certificate_within", nothing),
    (roster_of_a_revoked_job, "not_revoked", nothing),
    (certificate_of_a_revoked_job, "not_revoked", nothing),
    (roster_without_certificate, "has_certificate", _any_certificate),
    (one_run_more, "run_allowed", nothing),
    (second_roster_of_a_run, "one_roster_a_run", nothing),
    (tiny_roster, "roster_size", nothing),
    (roster_above_the_electorate, "roster_size", nothing),
    (release_without_run, "release_of_run", nothing),
    (data_set_nobody_voted_on, "by_special_vote", nothing),
    (data_set_by_an_ordinary_vote, "by_special_vote", nothing),
    (data_set_redefined, "not_redefined", nothing),
]
WRONG_SIGNER: list[Attack] = [revocation_by_a_member]


@pytest.mark.parametrize(("attack", "defence", "without"), ATTACKS, ids=[attack.__name__ for attack, _, _ in ATTACKS])
def test_the_attack_fails_and_only_for_its_defence(
    attack: Attack, defence: str, without: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_only_for(attack, defence, without, monkeypatch)


@pytest.mark.parametrize("attack", WRONG_SIGNER)
def test_a_wrong_signer_is_neither_entitled_nor_enough(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    fails_for_its_signer(attack, monkeypatch)


def test_a_new_data_set_that_a_special_vote_accepted() -> None:
    coop = Cooperative.found()
    dataset = Dataset(coop.coop, {**BUDGET, "name": "diaries"})
    accept_data_set(coop, dataset)
    coop.append(coop.signed(dataset, coop.log_key))
    assert set(coop.replay().datasets) == {"budget", "diaries"}
