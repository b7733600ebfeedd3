"""What goes wrong in the middle of a training ends in a named state, with accounts and records as they should be."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from simulator_whole import ServiceLink, Whole
from training.conftest import Make
from training.jobs import LOGISTIC, MLP, training
from training.test_attacks import joined, nothing, reasons, twice
from training.test_trainer import to_round
from training.test_whole import spent
from vicinia.assembly import Job
from vicinia.assembly.build import build_model
from vicinia.coordinator.store import artifacts
from vicinia.coordinator.store.jobs import Stage
from vicinia.node.services import account
from vicinia.node.store.accounts import Accounts, Charge
from vicinia.node.store.departures import Departures
from vicinia.node.store.runs import Runs
from vicinia.training import model as models
from vicinia.training.model import Model
from vicinia.training.recipes.logistic import Logistic
from vicinia.training.recipes.mlp import Mlp
from vicinia.wire.published import Phase


def paid_for(whole: Whole, job: Job, number: int, rounds: int) -> bool:
    """Whether a home was charged for so many rounds, has a record of each, and of nothing else."""
    records = Departures(whole.stores[number].database).links()
    return len(records) == rounds and spent(whole, number) == rounds * job.rho_nano


@twice
def test_weights_that_are_no_numbers(make: Make, checked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is logged of the second round is the hash of a model that holds NaN: no home begins with it."""
    whole = make()
    if not checked:
        monkeypatch.setattr(models, "_check", nothing)

    def logged(coop: str, job: bytes, run: int, digest: bytes, clip: int) -> Any:
        if run:
            with whole.coordinator.database.write("no numbers") as connection:
                body = whole.coordinator.trainer._lessons[job].training.template.to_bytes()
                digest = artifacts.add(connection, job, body[:-8] + struct.pack("<d", float("nan")))
        return build_model(coop, job, run, digest, clip)

    monkeypatch.setattr("vicinia.coordinator.services.trainer.build_model", logged)
    job = whole.accepted_job(**training(LOGISTIC))
    to_round(whole, job, 1)
    while whole.run_of(job).number == 0:
        whole.tick()
        whole.wait(1)
    run = whole.until_phase(job, Phase.ADVERTISE)
    whole.answer_all()
    assert joined(whole, run.run_id) == (0 if checked else whole.homes)
    told = reasons(whole, run.run_id)
    assert len(told) == (whole.homes if checked else 0)
    assert all("holds numbers that are not finite" in reason for reason in told)
    if checked:
        steps = [Runs(store.database).get(run.run_id) for store in whole.stores]
        assert {one.step for one in steps if one is not None} == {"failed"}
        assert all(paid_for(whole, job, number, 1) for number in range(whole.homes))


class Crash(BaseException):
    """The worker is killed."""


@dataclass
class Dying:
    """Its home is killed between the upload and everything after it, once in every round."""

    link: ServiceLink
    died: set[bytes] = field(default_factory=set)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.link, name)

    def upload(self, run_id: bytes, elements: int, width: int, packed: bytes) -> int:
        sent = self.link.upload(run_id, elements, width, packed)
        if run_id in self.died:
            return sent
        self.died.add(run_id)
        raise Crash


def test_a_home_that_is_killed_after_each_upload_pays_each_round_once(make: Make) -> None:
    whole, victim = make(), 4
    dying = Dying(whole.link(victim))
    whole.wrap = lambda number, link: dying if number == victim else link
    job = whole.accepted_job(**training(LOGISTIC))
    while whole.row(job).stage is not Stage.RELEASED:
        whole.tick()
        try:
            whole.answer_all()
        except Crash:
            run_id = whole.run_of(job).run_id
            whole.active[victim, run_id] = whole.participation(victim, run_id)
        whole.wait(5)
    assert len(dying.died) == 2
    assert all(paid_for(whole, job, number, 2) for number in range(whole.homes))


def no_numbers(*_: object) -> Model:
    return Model.of({"coef": np.full((1, 1), np.nan)})


@pytest.mark.parametrize(
    ("text", "recipe", "step", "instead"),
    [
        (LOGISTIC, Logistic, "step", no_numbers),
        (MLP, Mlp, "mean_update", lambda recipe, *_: np.full(recipe.size, np.inf)),
    ],
    ids=["logistic", "mlp"],
)
def test_a_training_that_diverges_ends_with_its_reason(
    make: Make, monkeypatch: pytest.MonkeyPatch, text: str, recipe: Any, step: str, instead: Any
) -> None:
    whole = make()
    job = whole.accepted_job(**training(text))
    to_round(whole, job, 1)
    monkeypatch.setattr(recipe, step, instead)
    for _ in range(30):
        whole.tick()
        whole.answer_all()
        whole.wait(5)
    row = whole.row(job)
    assert row.stage is Stage.FAILED
    assert row.reason.startswith("The training came to no model. The ")
    assert "not finite" in row.reason
    assert whole.run_of(job).number == 0
    assert not whole.coordinator.trainer._lessons
    assert all(paid_for(whole, job, number, 1) for number in range(whole.homes))


@twice
def test_rounds_that_a_home_can_only_pay_in_part(make: Make, checked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its account covers two of the three rounds that the members were asked for: it takes part in none, not in two."""
    whole = make()
    if not checked:
        monkeypatch.setattr(account, "reserve", nothing)
    fields = training(LOGISTIC)
    left = 2 * int(fields["rho_nano"])
    Accounts(whole.stores[5].database).charge(Charge(bytes(32), 0, bytes(32), "", "", 10**12 - left, 1))
    job = whole.accepted_job(**fields)
    to_round(whole, job, 1)
    records = Departures(whole.stores[5].database).links()
    assert len(records) == (0 if checked else 1)
    if checked:
        (told,) = [run.reason for run in Runs(whole.stores[5].database).all()]
        assert "privacy" in told
        assert spent(whole, 5) == 10**12 - left
        assert paid_for(whole, job, 4, 1)
