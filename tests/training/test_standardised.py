"""A training whose first round standardises, from the vote to the model: the services and the homes in one process."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulator_researcher import VillageLink
from simulator_whole import Whole, one_row
from training.conftest import Make
from training.jobs import LOGISTIC, MLP, private, training
from training.researchers import client_of, trained_in
from training.test_whole import ended, spent
from vicinia.assembly import Job
from vicinia.coordinator.client.connection import Client
from vicinia.coordinator.client.predictor import Predictor
from vicinia.coordinator.client.saved import Saved, beside, read_card, read_job, read_model
from vicinia.coordinator.client.trained_model import TrainedModel
from vicinia.coordinator.console.show_training import curves_of
from vicinia.coordinator.store.jobs import Stage
from vicinia.errors import InvalidInput
from vicinia.node.services.departures import describe
from vicinia.node.store.departures import Departures
from vicinia.training.spread import REACH

HOMES = 8
FUEL = np.array([one_row(number)[0][1] for number in range(HOMES)])
RHO = 900  # for all rounds: next to no noise
EVALUATED = private(LOGISTIC.replace("spare = 1", "spare = 0\nholdout = 0.5"))


def step(whole: Whole) -> None:
    whole.tick()
    whole.answer_all()
    whole.wait(5)


def until_released(whole: Whole, job: Job, count: int) -> None:
    """Until so many rounds are released."""
    for _ in range(200):
        if len(whole.coordinator.ledger.assembly.vote_on(job.hash).releases) >= count:
            return
        step(whole)
    raise AssertionError("the round is not released")


def fail_the_run(whole: Whole, job: Job, number: int) -> None:
    """Most homes of a run go silent once its roster stands, and come back when it has failed."""
    for _ in range(200):
        if whole.row(job).stage is Stage.RUNNING and whole.run_of(job).number == number:
            break
        step(whole)
    whole.fail_the_run(job)


def parts(whole: Whole, number: int) -> list[str]:
    """What home `number` has sent, round by round."""
    lessons: list[Any] = [describe(one)["lesson"] for one in Departures(whole.stores[number].database).all()]
    return [one["part"] for one in lessons]


@pytest.mark.parametrize("text", [LOGISTIC, MLP], ids=["logistic", "mlp"])
def test_from_the_vote_to_the_model_though_the_coordinator_is_killed_after_the_first_round(
    make: Make, text: str
) -> None:
    whole = make()
    job = whole.accepted_job(**training(private(text), rho=RHO))
    until_released(whole, job, 1)
    whole.restart()
    row = whole.until(job, Stage.RELEASED)
    assert row.reason == ""
    vote = whole.coordinator.ledger.assembly.vote_on(job.hash)
    assert set(vote.models) == set(vote.rosters) == set(vote.releases) == {0, 1, 2}
    card, model = ended(whole, job.hash)
    digests = [vote.models[run].model.digest for run in (0, 1, 2)]
    assert job.training is not None
    assert digests[0] == digests[1] == job.training.initial  # the first round leaves the model as it is
    assert len({*digests, model.digest}) == 3
    assert (card.fields["rounds"], card.ended) == (2, "")
    (found,) = card.fields["inputs"]
    assert float(found["mean"]) == pytest.approx(FUEL.mean(), abs=0.02)
    assert float(found["sd"]) == pytest.approx(FUEL.std(), rel=0.3)
    assert found["middle"] == found["mean"]
    assert float(found["radius"]) == pytest.approx(REACH * float(found["sd"]))
    for number in range(whole.homes):
        assert parts(whole, number) == ["scales", "trains", "trains"]
        assert spent(whole, number) == 3 * job.rho_nano
    slope = model["coef" if text == LOGISTIC else "layer0.weight"]
    assert float(np.asarray(slope).reshape(-1)[0]) > 0


def test_homes_that_are_killed_after_every_step_go_on_with_the_same_scale(make: Make) -> None:
    whole = make()
    job = whole.accepted_job(**training(private(LOGISTIC), rho=RHO))
    seen: set[tuple[int, bytes, str]] = set()
    for _ in range(300):
        whole.tick()
        if whole.row(job).stage is Stage.RELEASED:
            break
        whole.answer_all()
        for number, run_id in whole.active:
            run = whole.run(number, run_id)
            if run is not None and (number, run_id, run.step) not in seen:
                seen.add((number, run_id, run.step))
                whole.active[number, run_id] = whole.participation(number, run_id)
        whole.wait(3)
    assert {step for _, _, step in seen} >= {"advertise", "share", "input"}
    card, model = ended(whole, job.hash)
    assert card.ended == ""
    assert float(np.asarray(model["coef"]).reshape(-1)[0]) > 0
    for number in range(whole.homes):
        assert parts(whole, number) == ["scales", "trains", "trains"]
        assert spent(whole, number) == 3 * job.rho_nano


def test_a_first_round_that_fails_is_repeated_from_the_spare(make: Make) -> None:
    whole = make()
    job = whole.accepted_job(**training(private(LOGISTIC), rho=RHO))
    fail_the_run(whole, job, 0)
    whole.until(job, Stage.RELEASED)
    vote = whole.coordinator.ledger.assembly.vote_on(job.hash)
    assert set(vote.rosters) == {0, 1, 2, 3}
    assert set(vote.releases) == {1, 2, 3}
    assert len({vote.models[run].model.digest for run in (0, 1, 2)}) == 1
    card, _ = ended(whole, job.hash)
    assert card.ended == ""
    assert float(card.fields["inputs"][0]["mean"]) == pytest.approx(FUEL.mean(), abs=0.02)
    assert card.fields["rho_nano"] == 4 * job.rho_nano  # the attempt that failed was charged, too


def test_without_a_spare_one_it_ends_with_fewer_rounds_and_says_so(make: Make) -> None:
    whole = make()
    job = whole.accepted_job(**training(private(LOGISTIC.replace("spare = 1", "spare = 0")), rho=RHO))
    fail_the_run(whole, job, 0)
    assert whole.until(job, Stage.RELEASED).reason == "The training ended after 1 of 2 rounds."


def test_where_only_the_first_round_succeeds_there_is_no_model_and_it_says_so(make: Make) -> None:
    whole = make()
    text = private(LOGISTIC.replace("rounds = 2\nspare = 1", "rounds = 1\nspare = 0"))
    job = whole.accepted_job(**training(text, rho=RHO))
    fail_the_run(whole, job, 1)
    step(whole)
    assert set(whole.coordinator.ledger.assembly.vote_on(job.hash).releases) == {0}
    row = whole.until(job, Stage.FAILED)
    assert row.reason == "The inputs were standardised, but no round of the training succeeded."
    assert whole.coordinator.ledger.assembly.vote_on(job.hash).trained is None


# ---- the researcher


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Whole, Job]:
    """Of which homes are held out; only read."""
    return trained_in(tmp_path_factory.mktemp("standardised"), EVALUATED, rho=RHO)


@pytest.fixture
def asked(
    evaluated: tuple[Whole, Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Client, VillageLink, str]:
    client, link = client_of(evaluated[0], tmp_path, monkeypatch)
    return client, link, evaluated[1].hash.hex()


@pytest.mark.parametrize(
    ("section", "here"),
    [
        ('[evaluation]\nmodel = "mine.npz"', "here by their bounds"),
        ('[training]\nrounds = 1\ninitial = "mine.npz"', "here by their bounds"),
        (
            '[training]\nrounds = 1\nstandardise = "private"\ninitial = "mine.npz"',
            "which this training has to find yet",
        ),
    ],
)
def test_its_model_is_of_no_use_in_another_job_and_its_card_tells(
    asked: tuple[Client, VillageLink, str], tmp_path: Path, section: str, here: str
) -> None:
    client, _, job = asked
    paths = client.model(job).save(tmp_path / "out" / "model.npz")
    paths[0].rename(tmp_path / "out" / "mine.npz")  # the card is found by the model's hash
    text = (
        'title = "T"\npurpose = "dpv:NonCommercialResearch"\nwhy = "W"\n[privacy]\nrho = 800\nfloor = 3\n'
        f'{section}\ndataset = "budget"\nfeatures = ["fuel"]\ntarget = "kids"\nrecipe = "logistic"\n'
    )
    with pytest.raises(InvalidInput, match=f'trained with standardise = "private": .*{here}') as refusal:
        client.check(text, folder=tmp_path / "out")
    key = "evaluation.model" if "[evaluation]" in section else "training.initial"
    assert refusal.value.where.startswith("JOB.toml:")
    assert refusal.value.where.endswith(key)
    paths[1].rename(tmp_path / "card.json")
    assert not client.check(text, folder=tmp_path / "out").refusal


def test_its_rounds_are_counted_from_the_first_that_trains(
    asked: tuple[Client, VillageLink, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _, job = asked
    status = client.status(job)
    assert (status.rounds_scaling, status.rounds_planned, status.rounds_released) == (1, 2, 4)
    monkeypatch.setattr(TrainedModel, "coefficients", ())  # as of a model that has none: a line a metric
    lines = client.model(job).csv().splitlines()
    assert {line.partition(",")[0] for line in lines} == {"round", "1", "2", "3"}


def test_the_model_that_comes_predicts_raw_rows(asked: tuple[Client, VillageLink, str], tmp_path: Path) -> None:
    client, _, job = asked
    found = client.model(job)
    assert found.replayed
    (term,) = found.card.fields["inputs"]
    mean, sd = float(term["mean"]), float(term["sd"])
    slope, intercept = float(found.model["coef"][0, 0]), float(found.model["intercept"][0])

    def chance(fuel: float) -> float:
        unit = min(1.0, max(-1.0, (fuel - mean) / (REACH * sd)))
        return 1 / (1 + math.exp(-intercept - slope * unit))

    rows = [{"fuel": fuel} for fuel in (0.0, 0.06, 0.2, 0.4)]
    told = [row[-1] for row in found.predict(rows).rows]
    assert told == pytest.approx([chance(row["fuel"]) for row in rows])
    assert found.coefficients[1].value == pytest.approx(slope / (REACH * sd))  # of one more of the fuel itself
    path = tmp_path / "model.safetensors"
    found.save(path)
    job_read, definitions = read_job(beside(path, "job"))
    again = Saved(job_read, definitions, read_model(path), read_card(beside(path, "card")))
    assert [row[-1] for row in Predictor(again.training(), again.model).predict(rows).rows] == told


def test_the_first_round_has_no_metrics_and_held_out_homes_send_nothing_for_it(
    evaluated: tuple[Whole, Job], asked: tuple[Client, VillageLink, str]
) -> None:
    whole, _ = evaluated
    found = asked[0].model(asked[2])
    assert [bool(release.metrics) for release in found.releases] == [False, True, True, True]
    assert [point.round for point in curves_of(found)["auc"]] == [0, 1, 2]
    sent = {tuple(parts(whole, number)) for number in range(whole.homes)}
    assert sent == {("scales", "trains", "trains", "nothing"), ("nothing", "evaluates", "evaluates", "evaluates")}


def test_a_check_says_what_the_first_round_costs(asked: tuple[Client, VillageLink, str]) -> None:
    text = f"""
title   = "Kids"
purpose = "dpv:NonCommercialResearch"
why     = "To know."
[training]
{EVALUATED}
[privacy]
epsilon = 70
floor   = 3
"""
    terms = asked[0].check(text).training
    assert terms is not None
    assert (terms.scaling, terms.rounds, terms.closing) == (1, 2, 1)
    assert terms.rho_total == pytest.approx(4 * terms.rho)
    assert f"rho {terms.rho:.6g}" in terms.inputs_scaled
    assert "in all 2, the one that standardises and the closing one" in terms.cost
