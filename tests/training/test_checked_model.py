"""A model is believed only if it follows from the confirmed log and from what the rounds released."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from simulator_researcher import VillageLink
from simulator_whole import Whole
from training.researchers import client_of, trained_in
from training.test_attacks import nothing, twice
from vicinia.assembly import Job
from vicinia.coordinator.client import verification
from vicinia.coordinator.client.connection import Client
from vicinia.coordinator.client.saved import Saved, beside, read_card, read_job, read_model
from vicinia.coordinator.services import round_result, trainer
from vicinia.coordinator.services.course import Course
from vicinia.errors import InvalidInput, NotFound, PermissionDenied, ProofInvalid
from vicinia.tlog.canonical import canonical
from vicinia.training.card import ModelCard
from vicinia.training.metrics import metrics
from vicinia.training.model import Model
from vicinia.training.replay import Released
from vicinia.wire.research import ArtifactRequest

Trained = tuple[Whole, Job]


@pytest.fixture
def asked(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Client, VillageLink, str]:
    client, link = client_of(trained[0], tmp_path, monkeypatch)
    return client, link, trained[1].hash.hex()


def test_a_model_is_replayed_and_tells_what_it_cost(asked: tuple[Client, VillageLink, str]) -> None:
    client, _, job = asked
    assert client.trains(job)
    found = client.model(job)
    assert found.replayed
    assert found.provenance.startswith("Replayed")
    assert found.model.digest == found.card.model
    assert [release.run for release in found.releases] == [0, 1, 2]
    assert [one.name for one in found.releases[0].metrics] == ["log_loss", "accuracy", "auc", "base_rate"]
    payload = json.loads(json.dumps(found.payload()))
    assert payload["epsilon"] == pytest.approx(84.9, rel=0.3)
    assert payload["planned"] == 2
    assert len(payload["rounds"]) == 3
    assert "log entry" in payload["citation"]


def test_a_model_of_a_query_and_numbers_of_a_training_are_refused_in_words(
    asked: tuple[Client, VillageLink, str],
) -> None:
    client, link, job = asked
    with pytest.raises(InvalidInput, match="trains a model"):
        client.result(job)
    query = link.village.submit(link.village.job()).hash.hex()
    with pytest.raises(InvalidInput, match="trains no model"):
        client.model(query)


# ---- the coordinator shows something else than it logged


def changed(numbers: bytes) -> bytes:
    """The same with one bit of its last byte but one changed."""
    return numbers[:-2] + bytes([numbers[-2] ^ 1]) + numbers[-1:]


@pytest.mark.parametrize("what", ["model", "release", "sum"])
def test_what_has_another_hash_than_the_log_names_is_refused(asked: tuple[Client, VillageLink, str], what: str) -> None:
    client, link, job = asked
    found = client.model(job)
    forged = {
        "model": found.card.model,
        "release": hashlib.sha256(found.releases[0].canonical()).digest(),
        "sum": found.releases[1].vector,
    }[what]
    link.forged = lambda digest, body: changed(body) if digest == forged else body
    with pytest.raises(ProofInvalid, match=f"another (model|{what} of round [12]) than the one"):
        client.model(job)


def test_another_card_is_refused(asked: tuple[Client, VillageLink, str]) -> None:
    client, link, job = asked
    link.forged_card = lambda body: body.replace(b'"rounds":2', b'"rounds":3')
    with pytest.raises(ProofInvalid, match="another model card"):
        client.model(job)


# ---- the coordinator logs something that does not follow; every hash is then as it should be


def test_a_model_that_does_not_follow_from_the_sums_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Course.take

    def take(self: Course, released: Released) -> None:
        honest(self, released)
        if self._taken == 2:
            self._model = Model.of({name: array * 1.001 for name, array in self.model.arrays})

    monkeypatch.setattr(Course, "take", take)
    whole, job = trained_in(tmp_path)
    client, _ = client_of(whole, tmp_path, monkeypatch)
    with pytest.raises(ProofInvalid, match="after round 2 does not follow from what the rounds released"):
        client.model(job.hash.hex())


def test_a_model_that_another_machine_rounded_otherwise_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Course.take

    def take(self: Course, released: Released) -> None:
        honest(self, released)
        self._model = Model.of({name: array * (1 + 2**-50) for name, array in self.model.arrays})

    monkeypatch.setattr(Course, "take", take)
    whole, job = trained_in(tmp_path)
    client, _ = client_of(whole, tmp_path, monkeypatch)
    assert client.model(job.hash.hex()).replayed


@pytest.mark.parametrize(
    ("name", "value"),
    [("cohorts", [990, 990, 990]), ("epsilon", "0.5"), ("title", "Another"), ("planned", 3), ("calibration", [])],
)
def test_a_logged_card_that_says_what_is_not_so_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    honest = ModelCard.of

    class Liar(ModelCard):
        @classmethod
        def of(cls, *arguments: Any) -> Any:
            fields = honest(*arguments).fields | {name: value}
            return cls(canonical(fields), fields)

    monkeypatch.setattr(trainer, "ModelCard", Liar)
    whole, job = trained_in(tmp_path)
    client, _ = client_of(whole, tmp_path, monkeypatch)
    with pytest.raises(ProofInvalid, match=f"card says something else of {name}"):
        client.model(job.hash.hex())


@twice
def test_a_card_that_keeps_silent_about_the_closing_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checked: bool
) -> None:
    """The last model was never measured: metrics of an earlier one would pass for its own."""
    honest = ModelCard.of

    class Silent(ModelCard):
        @classmethod
        def of(cls, *arguments: Any) -> Any:
            card = honest(*arguments)
            assert card.ended == "The closing round, which measures the last model, did not take place."
            fields = card.fields | {"ended": ""}
            return cls(canonical(fields), fields)

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "ModelCard", Silent)
        whole, job = trained_in(tmp_path, lot=lambda lot, index, share: index == 3)
    client, _ = client_of(whole, tmp_path, monkeypatch)
    if checked:
        with pytest.raises(ProofInvalid, match="card says something else of ended"):
            client.model(job.hash.hex())
    else:
        monkeypatch.setattr(verification, "_check_card", nothing)
        assert client.model(job.hash.hex()).card.ended == ""


def test_metrics_that_are_not_those_of_the_sum_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def better(*arguments: Any) -> Any:
        return tuple(replace(one, value=0.987654) if one.name == "accuracy" else one for one in metrics(*arguments))

    monkeypatch.setattr(round_result, "metrics", better)
    whole, job = trained_in(tmp_path)
    client, _ = client_of(whole, tmp_path, monkeypatch)
    with pytest.raises(ProofInvalid, match="metrics of round 1 are not those of its sum"):
        client.model(job.hash.hex())


def test_a_strategy_s_steps_are_said_to_be_flower_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
dataset = "budget"
features = ["fuel"]
target = "kids"
recipe = "mlp"
rounds = 2
examples = 1
[training.parameters]
hidden_1 = 3
"""
    whole, job = trained_in(tmp_path, text)
    client, link = client_of(whole, tmp_path, monkeypatch)
    found = client.model(job.hash.hex())
    assert not found.replayed
    assert "Flower's (FedAvg)" in found.provenance
    assert found.coefficients == ()
    assert len(found.predict([{"fuel": 0.1}]).rows) == 1
    second = whole.coordinator.ledger.assembly.vote_on(job.hash).models[1].model.digest
    link.forged = lambda digest, body: changed(body) if digest == second else body
    with pytest.raises(ProofInvalid, match="another model"):
        client.model(job.hash.hex())


# ---- who may read what


def test_artifacts_are_for_the_researcher_and_for_members_and_only_what_is_named(trained: Trained) -> None:
    whole, job = trained
    research = whole.coordinator.research
    assembly = whole.coordinator.ledger.assembly
    vote = assembly.vote_on(job.hash)
    assert vote.trained is not None
    request = ArtifactRequest(job.hash, vote.trained.digest, 0)
    member, other = whole.village[3].principal, replace(whole.researcher_principal, id="f" * 32)
    whole_card = research.artifact(whole.researcher_principal, request)
    assert research.artifact(member, request) == whole_card
    assert hashlib.sha256(whole_card.data).digest() == vote.trained.digest
    assert research.artifact(member, replace(request, offset=10)).data == whole_card.data[10:]
    with pytest.raises(PermissionDenied):
        research.artifact(other, request)
    with pytest.raises(PermissionDenied):
        research.artifact(replace(member, id="e" * 32), request)
    for digest in (bytes(32), job.hash, vote.digest):
        with pytest.raises(NotFound, match="left no such thing"):
            research.artifact(member, ArtifactRequest(job.hash, digest, 0))
    with pytest.raises(NotFound):
        research.artifact(member, replace(request, offset=whole_card.total + 1))
    query = whole.submit(whole.job(title="A query"))
    with pytest.raises(NotFound):
        research.artifact(member, ArtifactRequest(query.hash, vote.trained.digest, 0))


def test_the_rounds_of_a_job_are_shown_to_its_readers_alone(trained: Trained) -> None:
    whole, job = trained
    research = whole.coordinator.research
    own = research.job(whole.researcher_principal, job.hash)
    assert [one.run for one in own.rounds] == [0, 1, 2]
    assert [one.name for one in own.rounds[1].metrics][:2] == ["log_loss", "accuracy"]
    assert (own.status.rounds_released, own.status.rounds_planned) == (3, 2)
    other = research.job(replace(whole.researcher_principal, id="f" * 32), job.hash)
    assert other.rounds == ()
    assert other.status.rounds_planned == 2


# ---- files


@pytest.mark.parametrize("ending", ["safetensors", "npz"])
def test_a_model_is_saved_and_read_again(asked: tuple[Client, VillageLink, str], tmp_path: Path, ending: str) -> None:
    client, _, job = asked
    found = client.model(job)
    path = tmp_path / "out" / f"model.{ending}"
    assert [one.name for one in found.save(path)] == [path.name, "card.json", "job.json"]
    arrays = load_file(path) if ending == "safetensors" else dict(np.load(path))
    assert all(np.array_equal(arrays[name], array) for name, array in found.model.arrays)
    read = Saved(*read_job(beside(path, "job")), read_model(path), read_card(beside(path, "card")))
    assert read.training() == found.training
    assert read.card.digest == found.card.digest
    other = Model.of({name: array + 1.0 for name, array in found.model.arrays})
    with pytest.raises(ProofInvalid, match="not the one that its card names"):
        replace(read, model=other).training()
    with pytest.raises(InvalidInput, match=r"\.safetensors or \.npz"):
        found.save(tmp_path / "model.pickle")


def test_two_models_in_a_folder_keep_their_own_cards() -> None:
    assert beside(Path("a/model.npz"), "card") == Path("a/card.json")
    assert beside(Path("a/second.npz"), "card") == Path("a/second.card.json")
