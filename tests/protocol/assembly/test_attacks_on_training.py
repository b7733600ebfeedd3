"""The rounds of a training: attacks on the log that the checks stop. Each runs twice (see `log_attacks`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from protocol.assembly.log_attacks import Attack, fails_only_for, nothing, raw_proposal
from simulator_cooperative import Cooperative
from vicinia.assembly import Job, Model, Release, Revoke, Roster, Trained
from vicinia.tlog.statement import Statement


def _accepted(coop: Cooperative) -> Job:
    job = coop.training(rho_nano=1_000_000)
    coop.accept(job)
    return job


def _model(coop: Cooperative, job: Job, run: int = 0, digest: bytes = bytes(32)) -> Statement:
    return coop.signed(Model(coop.coop, job.hash, run, digest, 10**9), coop.log_key)


def second_model_for_a_run(coop: Cooperative) -> Statement:
    job = _accepted(coop)
    coop.model(job)
    return _model(coop, job, digest=b"1" * 32)


def model_after_the_roster(coop: Cooperative) -> Statement:
    job = _accepted(coop)
    coop.roster(job)
    return _model(coop, job)


def model_of_a_round_beyond_the_plan(coop: Cooperative) -> Statement:
    return _model(coop, _accepted(coop), run=3)


def model_of_a_revoked_training(coop: Cooperative) -> Statement:
    job = _accepted(coop)
    coop.append(coop.signed(Revoke(coop.coop, job.hash), coop.researchers[0]))
    return _model(coop, job)


def round_after_the_end(coop: Cooperative) -> Statement:
    job = _ended(coop)
    return coop.signed(Roster(coop.coop, job.hash, 1, bytes(32), 10), coop.log_key)


def second_end(coop: Cooperative) -> Statement:
    job = _ended(coop)
    return coop.signed(Trained(coop.coop, job.hash, b"1" * 32, 1), coop.log_key)


def model_of_rounds_that_never_were(coop: Cooperative) -> Statement:
    job = _accepted(coop)
    coop.roster(job)
    coop.release(job)
    return coop.signed(Trained(coop.coop, job.hash, bytes(32), 2), coop.log_key)


def more_runs_in_an_ordinary_vote(coop: Cooperative) -> Statement:
    return raw_proposal(coop, coop.job(), runs=2)


def more_rounds_than_the_by_laws(coop: Cooperative) -> Statement:
    return raw_proposal(coop, coop.training(), class_="special", runs=101)


def _ended(coop: Cooperative) -> Job:
    job = _accepted(coop)
    coop.roster(job)
    coop.release(job)
    coop.append(coop.signed(Trained(coop.coop, job.hash, bytes(32), 1), coop.log_key))
    return job


def release_after_the_model_of_a_later_round(coop: Cooperative) -> Statement:
    """One home was told what the round is for before it, the others after it."""
    job = _accepted(coop)
    coop.model(job)
    coop.roster(job)
    coop.append(_model(coop, job, run=1))
    return coop.signed(Release(coop.coop, job.hash, 0, bytes(32), 10, job.rho_nano), coop.log_key)


ATTACKS: list[tuple[Attack, str, Callable[..., Any]]] = [
    (second_model_for_a_run, "one_model_a_run", nothing),
    (model_after_the_roster, "one_model_a_run", nothing),
    (model_of_a_round_beyond_the_plan, "run_allowed", nothing),
    (model_of_a_revoked_training, "not_revoked", nothing),
    (round_after_the_end, "not_trained", nothing),
    (second_end, "not_trained", nothing),
    (model_of_rounds_that_never_were, "rounds_released", nothing),
    (release_after_the_model_of_a_later_round, "released_in_order", nothing),
    (more_runs_in_an_ordinary_vote, "runs_as_bylaws", nothing),
    (more_rounds_than_the_by_laws, "runs_as_bylaws", nothing),
]


@pytest.mark.parametrize(("attack", "defence", "without"), ATTACKS, ids=[attack.__name__ for attack, _, _ in ATTACKS])
def test_the_attack_fails_and_only_for_its_defence(
    attack: Attack, defence: str, without: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_only_for(attack, defence, without, monkeypatch)


def test_a_training_from_the_first_model_to_the_last() -> None:
    coop = Cooperative.found()
    job = _accepted(coop)
    for run in range(2):
        coop.model(job, run)
        assert coop.may_run(job, run).ok
        coop.roster(job, run)
        coop.release(job, run)
    coop.append(coop.signed(Trained(coop.coop, job.hash, bytes(32), 2), coop.log_key))
    vote = coop.replay().vote_on(job.hash)
    assert set(vote.models) == {0, 1}
    assert vote.trained is not None
    assert vote.proposal.class_ == "special"
    assert vote.certificate is not None
    assert vote.certificate.max_runs == 3
