"""A model that the researcher brings is evaluated: from the vote to the metrics, by every home, in one run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulator_researcher import VillageLink
from simulator_whole import Whole, decide
from training.conftest import Make
from training.jobs import LOGISTIC
from training.researchers import client_of
from training.test_attacks import joined, opened, reasons
from training.test_brought_model import accepted, logistic, own, text_of
from training.test_whole import ended, spent
from vicinia.assembly import Job
from vicinia.coordinator.client.connection import Client
from vicinia.coordinator.client.saved import Saved
from vicinia.coordinator.console import show, show_evaluation
from vicinia.coordinator.services import round_result, trainer
from vicinia.coordinator.store.jobs import Stage
from vicinia.errors import InvalidInput, ProofInvalid
from vicinia.node.commands.left import _title
from vicinia.node.services.departures import describe
from vicinia.node.store.departures import Departures
from vicinia.node.store.runs import Runs
from vicinia.training.card import ModelCard
from vicinia.training.metrics import metrics
from vicinia.training.model import Model
from vicinia.wire.published import Phase

JOB = """
title   = "How good is it?"
purpose = "dpv:NonCommercialResearch"
why     = "To know."

[evaluation]
model    = "model.safetensors"
dataset  = "budget"
features = ["fuel"]
target   = "kids"
recipe   = "logistic"
examples = 1
spare    = 1

[privacy]
rho   = 800
floor = 3
"""


@pytest.fixture
def whole(make: Make) -> Whole:
    return make()


@pytest.fixture
def client(whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Client, VillageLink]:
    return client_of(whole, tmp_path, monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "mine"
    found.mkdir()
    (found / "model.safetensors").write_bytes(logistic().to_bytes())
    return found


def released(whole: Whole, client: Client, folder: Path, text: str = JOB) -> Job:
    """The job, handed in, accepted, run, and confirmed by the witnesses."""
    job = accepted(whole, client.submit(text, folder=folder))
    whole.until(job, Stage.RELEASED)
    whole.tick()
    whole.tick()
    return job


def test_from_the_file_to_the_metrics(whole: Whole, client: tuple[Client, VillageLink], folder: Path) -> None:
    asked, _ = client
    said = text_of(show.checked, asked.check(JOB, folder=folder))
    for words in (
        "Evaluate the researcher's own model (logistic), which predicts kids from fuel.",
        "special: at least three quarters yes",
        f"Evaluates your own model, sha256 {logistic().digest.hex()}",
        "1 that only evaluates, and 1 spare for rounds that fail",
        "43 numbers per home",
        "none: the model stays as it is",
        "in this run and 1 spare, at delta",
        "Every home that takes part evaluates the model; no model learns from its data.",
    ):
        assert words in said, words
    job = released(whole, asked, folder)
    vote = whole.coordinator.ledger.assembly.vote_on(job.hash)
    assert set(vote.models) == set(vote.rosters) == set(vote.releases) == {0}
    assert vote.certificate is not None
    assert vote.certificate.max_runs == 2
    card, model = ended(whole, job.hash)
    assert model == logistic()
    assert vote.models[0].model.digest == model.digest
    assert (card.fields["rounds"], card.fields["planned"], card.ended) == (0, 0, "")
    assert card.fields["metrics"][0].keys() == {"log_loss", "accuracy", "auc", "base_rate"}
    assert len(card.fields["calibration"]) == 20
    for number in range(whole.homes):
        (record,) = [describe(one) for one in Departures(whole.stores[number].database).all()]
        assert record["query"] == "Evaluate the researcher's own model (logistic), which predicts kids from fuel"
        lesson: Any = record["lesson"]
        assert (lesson["part"], lesson["model"], lesson["norm_before"]) == ("evaluates", model.digest.hex(), None)
        assert _title(record) == "How good is it? (run 1: evaluated the model)"
        assert spent(whole, number) == job.rho_nano
        (run,) = Runs(whole.stores[number].database).all()
        lines = {one.name: one.sentence for one in Runs(whole.stores[number].database).lines(run.run_id)}
        assert lines["begins"] == f"It evaluates the researcher's own model, sha256 {model.digest.hex()}."
        assert "in which a model is evaluated, and none is trained" in lines["model"]
        assert "to train or evaluate a model" in lines["consent"]


def test_the_metrics_are_those_of_the_homes_rows(
    whole: Whole, client: tuple[Client, VillageLink], folder: Path
) -> None:
    """With next to no noise. Home n has 1 + n % 2 children and spends .05 + .01 n + .1 (n % 2) on fuel."""
    asked, _ = client
    job = released(whole, asked, folder)
    found = asked.model(job.hash.hex())
    told = {one.name: one for one in found.releases[0].metrics}
    fuel = np.array([0.05 + 0.01 * number + 0.1 * (number % 2) for number in range(whole.homes)])
    second = np.arange(whole.homes) % 2 == 1
    chances = 1 / (1 + np.exp(0.5 - 3.0 * (fuel - 0.2) / 0.2))
    loss = -np.log(np.where(second, chances, 1 - chances)).mean()
    for name, true in (("log_loss", loss), ("accuracy", ((chances >= 0.5) == second).mean()), ("base_rate", 0.5)):
        value, stderr = told[name].value, told[name].stderr
        assert value is not None
        assert stderr is not None
        assert abs(value - true) < max(5 * stderr, 0.05), name
    assert found.replayed
    assert found.coefficients == ()
    assert any(one.observed is not None for one in found.calibration)
    said = text_of(show_evaluation.evaluation, found)
    for words in (
        "accuracy",
        "log loss",
        "the share of examples whose class was foretold",
        "Calibration",
        "the model said",
        "Over 0 to 9 homes.",
        f"The job evaluates the researcher's own model, sha256 {logistic().digest.hex()}.",
        "The metrics were computed again here, from the sum that the run released.",
        "vouches for what was found of this model",
    ):
        assert words in said, words
    assert found.csv().splitlines()[0] == "round,cohort,metric,value,stderr"
    payload = json.loads(json.dumps(found.payload()))
    assert (payload["planned"], len(payload["rounds"])) == (0, 1)
    status = asked.status(job.hash.hex())
    assert (status.rounds_planned, status.rounds_released, len(status.rounds)) == (0, 1, 1)
    assert asked.trains(job.hash.hex())
    with pytest.raises(InvalidInput, match="This job evaluates a model"):
        asked.result(job.hash.hex())


PARAMETERS = {"mlp": "hidden_1 = 0", "kmeans": "clusters = 2", "pca": "components = 1", "trees": "bins = 4"}


@pytest.mark.parametrize("recipe", PARAMETERS)
def test_a_model_of_any_recipe_is_evaluated(
    whole: Whole, client: tuple[Client, VillageLink], folder: Path, recipe: str
) -> None:
    """Also of those that no training can start from."""
    target = "" if recipe in ("kmeans", "pca") else 'target   = "kids"\n'
    rounds = "rounds = 1\n" if recipe == "mlp" else ""
    section = f'dataset = "budget"\nfeatures = ["fuel"]\n{target}recipe = "{recipe}"\n{rounds}'
    first = own(f"{section}[training.parameters]\n{PARAMETERS[recipe]}\n")
    (folder / "model.safetensors").write_bytes(first.to_bytes())
    text = JOB.replace('target   = "kids"\n', target).replace("logistic", recipe)
    text = text.replace("[privacy]", f"[evaluation.parameters]\n{PARAMETERS[recipe]}\n[privacy]")
    found = client[0].model(released(whole, client[0], folder, text).hash.hex())
    assert found.model == first
    names = {"log_loss", "accuracy", "auc", "base_rate"} if target else {"error"}
    assert {one.name for one in found.releases[0].metrics} == names
    assert found.training.strategy is None


def test_a_run_that_fails_is_made_up_for_and_without_a_spare_one_it_ends_in_words(
    whole: Whole, client: tuple[Client, VillageLink], folder: Path
) -> None:
    def failing(text: str) -> Job:
        job = accepted(whole, client[0].submit(text, folder=folder))
        whole.until_phase(job, Phase.SHARE)
        whole.fail_the_run(job)
        return job

    small = JOB.replace("rho   = 800", "rho   = 200")
    job = failing(small)
    whole.until(job, Stage.RELEASED)
    vote = whole.coordinator.ledger.assembly.vote_on(job.hash)
    assert (set(vote.rosters), set(vote.releases)) == ({0, 1}, {1})
    job = failing(small.replace("spare    = 1\n", "").replace("How good", "Again, how good"))
    assert whole.until(job, Stage.FAILED).reason == "Too few homes stayed until the shares were dealt."


def test_consent_to_queries_alone_does_not_cover_it(
    whole: Whole, client: tuple[Client, VillageLink], folder: Path
) -> None:
    for number in range(whole.homes):
        decide(whole.stores[number], whole.now_ms, "never")
        decide(whole.stores[number], whole.now_ms, "allow", kinds=("query",))
    run_id = opened(whole, accepted(whole, client[0].submit(JOB, folder=folder)))
    assert joined(whole, run_id) == 0
    assert all("to train or evaluate a model" in reason for reason in reasons(whole, run_id))


# ---- a coordinator that cheats


def better(*arguments: Any) -> Any:
    return tuple(replace(one, value=0.987654) if one.name == "accuracy" else one for one in metrics(*arguments))


@pytest.mark.parametrize("told", [better, lambda *_: ()], ids=["better", "none"])
def test_metrics_that_are_not_those_of_the_sum_are_refused(
    whole: Whole, client: tuple[Client, VillageLink], folder: Path, told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(round_result, "metrics", told)
    job = released(whole, client[0], folder)
    with pytest.raises(ProofInvalid, match="metrics of round 1 are not those of its sum"):
        client[0].model(job.hash.hex())


def test_a_calibration_that_is_not_that_of_the_sum_is_refused(
    whole: Whole, client: tuple[Client, VillageLink], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = ModelCard.of

    class Liar(ModelCard):
        @classmethod
        def of(cls, *arguments: Any) -> Any:
            none: list[Any] = [*arguments[:4], (), *arguments[5:]]
            return honest(*none)

    monkeypatch.setattr(trainer, "ModelCard", Liar)
    job = released(whole, client[0], folder)
    with pytest.raises(ProofInvalid, match="card says something else of calibration"):
        client[0].model(job.hash.hex())


def test_other_bytes_under_the_hash_are_refused_by_the_client(
    whole: Whole, client: tuple[Client, VillageLink], folder: Path
) -> None:
    asked, link = client
    job = released(whole, asked, folder)
    link.forged = lambda digest, body: own(LOGISTIC).to_bytes() if digest == logistic().digest else body
    with pytest.raises(ProofInvalid, match="another model than the one"):
        asked.model(job.hash.hex())


# ---- the model's card, where it stands beside it


def test_a_model_is_not_evaluated_on_other_inputs_than_its_card_names(
    whole: Whole, client: tuple[Client, VillageLink], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, _ = client
    job = accepted(whole, asked.submit(TRAINED))
    whole.until(job, Stage.RELEASED)
    whole.tick()
    whole.tick()
    asked.model(job.hash.hex()).save(tmp_path / "out" / "model.safetensors")
    assert not asked.check(JOB, folder=tmp_path / "out").refusal
    text, words = (
        JOB.replace('["fuel"]', '["fuel * fuel"]'),
        r"trained on fuel of budget, .* has fuel \* fuel of budget",
    )
    with pytest.raises(InvalidInput, match=words) as refusal:
        asked.check(text, folder=tmp_path / "out")
    assert refusal.value.where == "JOB.toml:7: evaluation.model"
    (tmp_path / "out" / "card.json").write_text("{}")
    assert not asked.check(text, folder=tmp_path / "out").refusal


TRAINED = JOB.replace('[evaluation]\nmodel    = "model.safetensors"', "[training]\nrounds = 1").replace(
    "How good", "Which one"
)


def test_what_is_saved_of_an_evaluation_is_the_model_with_its_card(
    whole: Whole, client: tuple[Client, VillageLink], folder: Path, tmp_path: Path
) -> None:
    found = client[0].model(released(whole, client[0], folder).hash.hex())
    paths = found.save(tmp_path / "out" / "model.safetensors")
    assert Model.from_bytes(paths[0].read_bytes()) == logistic()
    assert Saved(found.job, found.definitions, found.model, found.card).training() == found.training
