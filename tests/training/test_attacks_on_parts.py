"""A part of a training that is too small, by chance or by a coordinator's choice, while the whole cohort is large.

As in `test_attacks`: each attack fails for one named check, and works where that is taken out. What the coordinator
itself would refuse is held off in both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from simulator_whole import Whole
from training.conftest import Make
from training.jobs import LOGISTIC, every_other, training
from training.researchers import EVALUATED
from training.test_attacks import joined, nothing, reasons, twice
from vicinia.assembly import Job
from vicinia.coordinator.services import parts
from vicinia.coordinator.store.jobs import Stage
from vicinia.node.services.departures import describe
from vicinia.node.store.departures import Departures
from vicinia.training import evaluation
from vicinia.training.split import Split
from vicinia.wire.published import Phase

HOMES = 10


def holding_out(patch: pytest.MonkeyPatch, held: Callable[[int], bool]) -> None:
    """Let the lot come out like this."""
    patch.setattr(evaluation, "held_out", lambda lot, index, share: share > 0 and held(index))


def parts_of(whole: Whole) -> dict[int, str]:
    """What each home's own record says that it did in the first round, by registry index."""
    told: list[Any] = [describe(next(Departures(store.database).all()))["lesson"] for store in whole.stores]
    return {whole.index(home): one["part"] for home, one in zip(whole.village, told, strict=True)}


def silence(whole: Whole, *indices: int) -> None:
    """Let the homes at these indices of the register fall silent."""
    whole.silent.update(home.number for home in whole.village if whole.index(home) in indices)


def metrics_of(whole: Whole, job: Job) -> list[tuple[Any, ...]]:
    """What was released of each round."""
    trainer = whole.coordinator.trainer
    runs = sorted(whole.coordinator.ledger.assembly.vote_on(job.hash).releases)
    return [trainer._load(job.hash, run).release.metrics for run in runs]


@twice
def test_two_homes_are_not_measured_among_many(make: Make, checked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is held out is public: the sums of the two would be a sum of two, whatever stands beside them."""
    holding_out(monkeypatch, lambda index: index in (3, 7))
    if not checked:
        monkeypatch.setattr(Split, "measures", lambda split, members: True)
        monkeypatch.setattr(Split, "require_survivors", nothing)
    whole = make(HOMES)
    job = whole.accepted_job(**training(EVALUATED))
    while not whole.coordinator.ledger.assembly.vote_on(job.hash).releases:
        whole.tick()
        whole.answer_all()
        whole.wait(5)
    did = parts_of(whole)
    assert sorted(index for index, part in did.items() if part != "trains") == [3, 7]
    assert did[3] == ("nothing" if checked else "evaluates")
    assert bool(metrics_of(whole, job)[0]) is not checked


@twice
def test_a_roster_with_few_who_train(make: Make, checked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "require_roster", nothing)
    holding_out(monkeypatch, lambda index: index not in (3, 7))
    if not checked:
        monkeypatch.setattr(Split, "require_roster", nothing)
    whole = make(HOMES)
    job = whole.accepted_job(**training(EVALUATED))
    run = whole.until_phase(job, Phase.SHARE)
    whole.answer_all()
    assert joined(whole, run.run_id) == (0 if checked else HOMES)
    if checked:
        assert all("Too few of these homes train" in reason for reason in reasons(whole, run.run_id))


@twice
def test_survivors_of_whom_few_evaluated(make: Make, checked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole may lose a quarter of its homes; all of these are taken from those who evaluate."""
    monkeypatch.setattr(parts, "require_survivors", nothing)
    monkeypatch.setattr(evaluation, "held_out", every_other)
    if not checked:
        monkeypatch.setattr(Split, "require_survivors", nothing)
    whole = make(HOMES)
    job = whole.accepted_job(**training(EVALUATED))
    whole.until_phase(job, Phase.INPUT)
    silence(whole, 1, 3)
    for _ in range(60):
        whole.tick()
        whole.answer_all()
        whole.wait(5)
        if whole.run_of(job).phase >= Phase.UNMASK or whole.run_of(job).number:
            break
    told = reasons(whole, whole.run_of(job).run_id)
    assert bool(told) is checked
    assert all("Too few of these homes evaluate" in reason for reason in told)
    assert not checked or not whole.coordinator.ledger.assembly.vote_on(job.hash).releases


def test_an_honest_coordinator_ends_such_a_run_itself_and_takes_a_spare_one(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "held_out", every_other)
    whole = make(HOMES)
    job = whole.accepted_job(**training(EVALUATED))
    whole.until_phase(job, Phase.INPUT)
    silence(whole, 1, 3)
    while whole.run_of(job).number == 0:
        whole.tick()
        whole.answer_all()
        whole.wait(5)
        if whole.run_of(job).phase is Phase.FAILED:
            whole.silent.clear()
    whole.until(job, Stage.RELEASED)
    assert set(whole.coordinator.ledger.assembly.vote_on(job.hash).releases) == {1, 2, 3}


def test_without_enough_who_evaluate_there_is_a_model_and_no_closing_round(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    holding_out(monkeypatch, lambda index: index in (3, 7))
    whole = make(HOMES)
    job = whole.accepted_job(**training(EVALUATED))
    row = whole.until(job, Stage.RELEASED, rounds=600)
    assert metrics_of(whole, job) == [(), ()]
    assert row.reason == "The closing round, which measures the last model, did not take place."
    assert all(len(Departures(store.database).links()) == 2 for store in whole.stores)


@twice
def test_no_vote_on_a_training_whose_parts_would_be_too_small(
    make: Make, checked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vicinia.errors import NotAccepted
    from vicinia.training import computation

    if not checked:
        monkeypatch.setattr(computation, "require_split", nothing)
    whole = make(HOMES)
    job = whole.job(**training(LOGISTIC.replace("spare", "holdout = 0.2\nspare")))
    if checked:
        with pytest.raises(NotAccepted, match=r"with holdout = 0\.2 that takes 25 homes, and there are 10") as refusal:
            whole.submit(job)
        assert refusal.value.hint == "Write holdout = 0.5, or leave it out."
        assert whole.row(job).stage is Stage.REJECTED
    else:
        whole.submit(job)
        assert whole.row(job).stage is Stage.SUBMITTED
