"""A training from the vote to the model: the coordinator's services and the homes' own code, in one process."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from simulator_whole import Whole
from training.conftest import Make
from training.jobs import LOGISTIC, MLP, every_other, training
from training.researchers import EVALUATED
from vicinia.coordinator.store import artifacts
from vicinia.coordinator.store.jobs import Stage
from vicinia.node.services.account import load, settle
from vicinia.node.services.departures import describe
from vicinia.node.store.accounts import Accounts
from vicinia.node.store.departures import Departures
from vicinia.privacy.account import Limits
from vicinia.training import evaluation
from vicinia.training.card import ModelCard
from vicinia.training.model import Model
from vicinia.wire.published import Phase


def ended(whole: Whole, job_hash: bytes) -> tuple[ModelCard, Model]:
    """The card that the log names, and the model that the card names."""
    trained = whole.coordinator.ledger.assembly.vote_on(job_hash).trained
    assert trained is not None
    with whole.coordinator.database.read() as connection:
        card = ModelCard.parse(artifacts.find(connection, trained.digest) or b"")
        model = Model.from_bytes(artifacts.find(connection, card.model) or b"")
    return card, model


def spent(whole: Whole, number: int) -> int:
    return load(Accounts(whole.stores[number].database), Limits(0, 0)).spent_lifetime()


@pytest.mark.parametrize("text", [LOGISTIC, MLP], ids=["logistic", "mlp"])
def test_a_training_from_the_vote_to_the_model(make: Make, text: str) -> None:
    whole = make()
    job = whole.accepted_job(**training(text))
    row = whole.until(job, Stage.RELEASED)
    vote = whole.coordinator.ledger.assembly.vote_on(job.hash)
    assert set(vote.models) == set(vote.rosters) == set(vote.releases) == {0, 1}
    assert row.reason == ""
    card, model = ended(whole, job.hash)
    assert (card.fields["rounds"], card.ended) == (2, "")
    assert vote.models[0].model.digest != vote.models[1].model.digest != model.digest
    for number in range(whole.homes):
        records = Departures(whole.stores[number].database).links()
        assert len(records) == 2
        lessons: list[Any] = [describe(one)["lesson"] for one in records]
        assert [(one["part"], one["model"]) for one in lessons] == [
            ("trains", vote.models[run].model.digest.hex()) for run in (0, 1)
        ]
        assert [one["norm_before"] is not None for one in lessons] == [text == MLP] * 2
        assert spent(whole, number) == 2 * job.rho_nano


def test_held_out_homes_evaluate_every_round_and_the_last_model(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "held_out", every_other)
    whole = make(homes=10)
    job = whole.accepted_job(**training(EVALUATED))
    whole.until(job, Stage.RELEASED)
    vote = whole.coordinator.ledger.assembly.vote_on(job.hash)
    assert set(vote.releases) == {0, 1, 2}
    card, _ = ended(whole, job.hash)
    assert card.fields["rounds"] == 2
    assert len(card.fields["metrics"]) == 3


def test_a_round_that_fails_is_made_up_for_with_a_spare_one(make: Make) -> None:
    whole = make()
    job = whole.accepted_job(**training(LOGISTIC))
    whole.until_phase(job, Phase.SHARE)
    whole.fail_the_run(job)
    whole.until(job, Stage.RELEASED)
    vote = whole.coordinator.ledger.assembly.vote_on(job.hash)
    assert set(vote.rosters) == {0, 1, 2}
    assert set(vote.releases) == {1, 2}
    assert vote.models[0].model.digest == vote.models[1].model.digest


def test_without_a_spare_round_it_ends_with_what_it_has_and_says_so(make: Make) -> None:
    whole = make()
    job = whole.accepted_job(**training(LOGISTIC.replace("spare = 1", "spare = 0")))
    while not whole.coordinator.ledger.assembly.vote_on(job.hash).releases:
        whole.tick()
        whole.answer_all()
        whole.wait(5)
    whole.until_phase(job, Phase.ADVERTISE)
    while whole.run_of(job).number == 0 or whole.run_of(job).phase < Phase.SHARE:
        whole.tick()
        whole.answer_all()
        whole.wait(1)
    whole.silent.update(range(1, 6))
    row = whole.until(job, Stage.RELEASED)
    assert row.reason == "The training ended after 1 of 2 rounds."


@pytest.mark.parametrize("text", [LOGISTIC, MLP], ids=["logistic", "mlp"])
def test_a_coordinator_that_is_killed_goes_on_at_the_same_round(make: Make, text: str) -> None:
    """Killed after every phase of every round: the models are those of a training that nobody interrupted."""
    whole = make()
    job = whole.accepted_job(**training(text))
    seen: set[tuple[int, Phase]] = set()
    for _ in range(400):
        whole.tick()
        row = whole.row(job)
        if row.stage is Stage.RELEASED:
            break
        if row.stage in (Stage.RECRUITING, Stage.RUNNING, Stage.ACCEPTED):
            try:
                run = whole.run_of(job)
            except AssertionError:
                continue
            if (run.number, run.phase) not in seen:
                seen.add((run.number, run.phase))
                whole.restart()
        whole.answer_all()
        whole.wait(2)
    assert whole.row(job).stage is Stage.RELEASED, whole.row(job).reason
    assert len(seen) >= 8
    for number in range(whole.homes):
        assert spent(whole, number) == 2 * job.rho_nano


def test_a_home_that_withdraws_between_rounds_takes_no_further_part(make: Make) -> None:
    whole = make()
    job = whole.accepted_job(**training(LOGISTIC))
    while not whole.coordinator.ledger.assembly.vote_on(job.hash).releases:
        whole.tick()
        whole.answer_all()
        whole.wait(5)
    whole.withdraw(5)
    whole.until(job, Stage.RELEASED)
    counts = [len(Departures(whole.stores[number].database).links()) for number in range(whole.homes)]
    assert counts == [2] * 5 + [1] + [2] * 2
    assert spent(whole, 5) == job.rho_nano


def test_the_model_learns(make: Make) -> None:
    """With next to no noise, the coefficient has the sign that the rows have."""
    whole = make()
    job = whole.accepted_job(**training(LOGISTIC, rho=400))
    whole.until(job, Stage.RELEASED)
    _, model = ended(whole, job.hash)
    assert np.asarray(model["coef"]).reshape(-1)[0] > 0


def test_what_is_reserved_for_all_rounds_lasts_until_the_training_is_over(make: Make) -> None:
    """Between its rounds no other job can take the budget that the members were asked for."""
    whole = make()
    job = whole.accepted_job(**training(LOGISTIC))
    while not whole.coordinator.ledger.assembly.vote_on(job.hash).releases:
        whole.tick()
        whole.answer_all()
        whole.wait(5)
    whole.answer_all()
    accounts = Accounts(whole.stores[2].database)
    assert [(held[0], held[3]) for held in accounts.reservations()] == [(job.hash, 3 * job.rho_nano)]
    whole.until(job, Stage.RELEASED)
    whole.tick()
    whole.replica.sync(whole.link(2))
    settle(accounts, whole.replica.assembly.votes, whole.now_ms)
    assert accounts.reservations() == []


def test_who_is_held_out_follows_from_the_ballots_too(make: Make) -> None:
    """A job's hash alone could be tried until it holds out whom somebody wants."""
    whole = make()
    job = whole.accepted_job(**training(LOGISTIC))
    assembly = whole.coordinator.ledger.assembly
    vote = assembly.vote_on(job.hash)
    assert vote.closing is not None
    assert assembly.lot(vote) == hashlib.sha256(job.hash + assembly.root(vote.closing.size)).digest()
