"""A training that starts from the researcher's own model: from the file to the card, and what cheats about it."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from simulator_researcher import VillageLink
from simulator_village import MAP
from simulator_whole import Whole
from training.conftest import Make
from training.jobs import LOGISTIC, MLP, training
from training.researchers import client_of
from training.test_attacks import Swapping, joined, nothing, opened, twice
from training.test_trainer import to_round
from training.test_whole import ended
from vicinia.assembly import Job, build_revoke
from vicinia.assembly.toml import TomlFile
from vicinia.coordinator.client.connection import Client
from vicinia.coordinator.console import show, show_training
from vicinia.coordinator.services.research import Research
from vicinia.coordinator.store import artifacts, jobs
from vicinia.coordinator.store.jobs import Stage
from vicinia.errors import InvalidInput, NotFound, ProofInvalid, ViciniaError
from vicinia.identity import Principal, Role
from vicinia.node.services.departures import describe
from vicinia.node.store.departures import Departures
from vicinia.node.store.runs import Runs
from vicinia.query.mapping import parse_map
from vicinia.training import rounds
from vicinia.training.model import Model
from vicinia.training.rounds import RoundRelease
from vicinia.training.spec import training_of
from vicinia.wire.published import Phase
from vicinia.wire.research import ArtifactRequest

VICTIM = 3
JOB = """
title   = "Kids"
purpose = "dpv:NonCommercialResearch"
why     = "To know."

[training]
initial  = "first.safetensors"
dataset  = "budget"
features = ["fuel"]
target   = "kids"
recipe   = "mlp"
rounds   = 2
examples = 1

[training.parameters]
hidden_1 = 3

[privacy]
epsilon = 70
floor   = 3
"""
HIDDEN = {"layer0.bias": (3,), "layer0.weight": (1, 3), "layer1.bias": (1,), "layer1.weight": (3, 1)}
MINE = Model.of({name: np.full(shape, 0.5, np.float32) for name, shape in HIDDEN.items()})
PLAIN = Model.of({"layer0.bias": np.full(1, 0.25, np.float32), "layer0.weight": np.full((1, 1), 2.0, np.float32)})


def logistic(slope: float = 3.0) -> Model:
    """A regression that somebody has, with nothing kept of earlier rounds."""
    zeros = own(LOGISTIC)
    return Model.of(dict(zeros.arrays) | {"coef": np.full((1, 1), slope), "intercept": np.full(1, -0.5)})


def own(text: str) -> Model:
    """The recipe's own first model."""
    file = TomlFile.parse(f"[training]\n{text}", "JOB.toml")
    return training_of(file, {"budget": parse_map(MAP)[0]}).template


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "mine"
    found.mkdir()
    (found / "first.safetensors").write_bytes(MINE.to_bytes())
    return found


@pytest.fixture
def whole(make: Make) -> Whole:
    return make()


@pytest.fixture
def client(whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Client, VillageLink]:
    return client_of(whole, tmp_path, monkeypatch)


def text_of(show_: Any, *arguments: object) -> str:
    out = io.StringIO()
    show_(Console(file=out, width=400), *arguments)
    return " ".join(out.getvalue().split())


def accepted(whole: Whole, job_hash: str) -> Job:
    """A job that was handed in, voted on and accepted."""
    with whole.coordinator.database.read() as connection:
        row = jobs.find(connection, bytes.fromhex(job_hash))
    assert row is not None
    job = Job.from_canonical(row.body)
    whole.sponsor(job)
    whole.tick()
    whole.tick()
    whole.vote(job, yes=whole.homes - 1, no=1)
    whole.wait(61)
    while whole.row(job).stage in (Stage.VOTING, Stage.CLOSING):
        whole.tick()
    return job


def test_from_a_file_to_a_model_that_was_replayed_from_it(
    whole: Whole, client: tuple[Client, VillageLink], folder: Path
) -> None:
    asked, _ = client
    assert f"Starts from your own model, sha256 {MINE.digest.hex()}" in text_of(
        show.checked, asked.check(JOB, folder=folder)
    )
    job = accepted(whole, asked.submit(JOB, folder=folder))
    assert job.training is not None
    assert job.training.initial == MINE.digest
    whole.until_phase(job, Phase.ADVERTISE)
    whole.restart()
    whole.until(job, Stage.RELEASED)
    whole.tick()
    whole.tick()
    vote = whole.coordinator.ledger.assembly.vote_on(job.hash)
    assert vote.models[0].model.digest == MINE.digest
    card, _ = ended(whole, job.hash)
    assert card.fields["initial"] == MINE.digest.hex()
    found = asked.model(job.hash.hex())
    assert f"The job starts from the researcher's own model, sha256 {MINE.digest.hex()}." in text_of(
        show_training.model, found
    )
    for number in range(whole.homes):
        runs = Runs(whole.stores[number].database).all()
        lines = [line for run in runs for line in Runs(whole.stores[number].database).lines(run.run_id)]
        said = [line.sentence for line in lines if line.name == "begins"]
        assert said == [f"It starts from the researcher's own model, sha256 {MINE.digest.hex()}."] * 2
        records = [describe(one) for one in Departures(whole.stores[number].database).all()]
        assert [str(one["query"]).endswith("starting from the researcher's own model") for one in records] == [True] * 2
        lesson: Any = records[0]["lesson"]
        assert lesson["model"] == MINE.digest.hex()


def test_a_recipe_that_takes_its_own_steps_is_replayed_from_the_file(
    whole: Whole, client: tuple[Client, VillageLink]
) -> None:
    asked, link = client
    mine = logistic()
    job = handed_in(whole, LOGISTIC, mine)
    whole.until(job, Stage.RELEASED)
    whole.tick()
    whole.tick()
    assert asked.model(job.hash.hex()).replayed
    link.forged = lambda digest, body: own(LOGISTIC).to_bytes() if digest == mine.digest else body
    with pytest.raises(ProofInvalid, match="another model than the one that the log vouches for"):
        asked.model(job.hash.hex())


def with_model(text: str, model: Model) -> dict[str, Any]:
    """The fields of a job that starts from this model."""
    fields = training(text)
    fields["training"] |= {"initial": model.digest.hex(), "initial_given": True}
    return fields


def handed_in(whole: Whole, text: str, model: Model) -> Job:
    """A job with this section [training] that brings the model, accepted."""
    return accepted(whole, submitted(whole, text, model).hash.hex())


def submitted(whole: Whole, text: str, model: Model) -> Job:
    """The same, as it waits for a sponsor."""
    job = whole.job(**with_model(text, model))
    proposal = whole.proposal(job).leaf()
    whole.coordinator.research.submit(whole.researcher_principal, job.canonical(), proposal, model.to_bytes())
    return job


# ---- what is refused before anything is kept


def refused(whole: Whole, job: Job, model: bytes, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        whole.coordinator.research.submit(
            whole.researcher_principal, job.canonical(), whole.proposal(job).leaf(), model
        )
    with whole.coordinator.database.read() as connection:
        assert jobs.find(connection, job.hash) is None
        assert job.training is None or artifacts.find(connection, job.training.initial) is None


def test_a_job_without_its_model_or_with_another_is_not_kept(whole: Whole) -> None:
    job = whole.job(**with_model(MLP, PLAIN))
    for model in (b"", own(MLP).to_bytes(), MINE.to_bytes()):
        refused(whole, job, model, "not the one that the job names")
    refused(whole, whole.job(**with_model(MLP, MINE)), MINE.to_bytes(), r"shape \(3,\); here it has \(1,\)")
    refused(whole, whole.job(**training(MLP)), PLAIN.to_bytes(), "begins with none")
    refused(whole, whole.job(), PLAIN.to_bytes(), "begins with none")


def test_the_hash_of_somebody_s_model_is_not_enough(whole: Whole) -> None:
    """Hashes are in the public log; who names one must have the model, or the coordinator would hand it out."""
    first = submitted(whole, MLP, PLAIN)
    second = whole.job(**with_model(MLP, PLAIN) | {"title": "Another"})
    research, caller = whole.coordinator.research, whole.researcher_principal
    assert research.model_expected(caller, second.canonical()) == len(PLAIN.to_bytes())
    with pytest.raises(InvalidInput, match="not the one that the job names"):
        research.submit(caller, second.canonical(), whole.proposal(second).leaf())
    assert research.model_expected(caller, first.canonical()) == 0
    for digest in (PLAIN.digest, MINE.digest):  # nothing is shown before the log names it
        with pytest.raises(NotFound):
            research.artifact(caller, ArtifactRequest(first.hash, digest, 0))


def test_how_much_is_waited_for_follows_from_the_plan(whole: Whole) -> None:
    research, caller = whole.coordinator.research, whole.researcher_principal
    assert research.model_expected(caller, whole.job(**with_model(MLP, PLAIN)).canonical()) == len(PLAIN.to_bytes())
    for fields in (training(MLP), training(LOGISTIC), {}):
        assert research.model_expected(caller, whole.job(**fields).canonical()) == 0
    wrong = whole.job(**with_model(MLP, PLAIN) | {"datasets": ["other"]})
    assert research.model_expected(caller, wrong.canonical()) == 0
    with pytest.raises(ViciniaError):
        research.model_expected(replace(caller, id="f" * 32), wrong.canonical())


@pytest.mark.parametrize(
    ("name", "arrays", "words"),
    [
        ("first.npz", {"layer0.bias": np.full(3, np.nan, np.float32)}, "not finite"),
        ("first.npz", {"layer0.bias": np.full(3, np.inf, np.float32)}, "not finite"),
        ("first.npz", {"layer0.bias": np.ones(2, np.float32)}, r"shape \(2,\); here it has \(3,\)"),
        ("first.npz", {"layer0.bias": np.ones(3, np.int32)}, "cannot travel"),
        ("nowhere.npz", None, "cannot be read"),
        ("first.bin", {}, r"ends in \.safetensors or \.npz"),
    ],
)
def test_a_file_that_cannot_be_begun_with_is_told_with_its_line_and_nothing_is_submitted(
    client: tuple[Client, VillageLink], folder: Path, name: str, arrays: dict[str, Any] | None, words: str
) -> None:
    if arrays is not None:
        with (folder / name).open("wb") as file:
            np.savez(file, **dict(MINE.arrays) | arrays)
    for action in (client[0].check, client[0].submit):
        with pytest.raises((InvalidInput, NotFound), match=words) as refusal:
            action(JOB.replace("first.safetensors", name), folder=folder)
        assert refusal.value.where.startswith("JOB.toml:7: training.initial")
    assert client[0].jobs() == ()


# ---- what stays


def test_what_a_revoked_training_released_can_still_be_replayed(whole: Whole) -> None:
    job = handed_in(whole, MLP, PLAIN)
    to_round(whole, job, 1)
    whole.coordinator.statements.submit(build_revoke(job.coop, job.hash).sign(whole.researcher).leaf())
    for _ in range(5):
        whole.tick()
    assert whole.row(job).stage is Stage.REVOKED
    research, vote = whole.coordinator.research, whole.coordinator.ledger.assembly.vote_on(job.hash)
    assert vote.releases.keys() == {0}
    release = RoundRelease.from_canonical(_fetched(research, job, vote.releases[0].digest))
    assert _fetched(research, job, PLAIN.digest) == PLAIN.to_bytes()
    assert len(_fetched(research, job, release.vector))


def _fetched(research: Research, job: Job, digest: bytes) -> bytes:
    """What the job's researcher may have."""
    principal = Principal(job.coop, Role.RESEARCHER, job.researcher)
    return research.artifact(principal, ArtifactRequest(job.hash, digest, 0)).data


# ---- a coordinator that cheats


@twice
def test_homes_begin_with_no_other_model_than_the_researcher_s(
    whole: Whole, checked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even with the recipe's own."""
    if not checked:
        monkeypatch.setattr(rounds, "model_carried_over", nothing)
    from vicinia.coordinator.services.trainer import Trainer

    monkeypatch.setattr(Trainer, "_brought", lambda _self, _digest: own(MLP))
    run_id = opened(whole, handed_in(whole, MLP, PLAIN))
    assert joined(whole, run_id) == (0 if checked else whole.homes)


@pytest.fixture
def separate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Homes of this process fetch a model each."""
    from vicinia.node.services import curriculum, engagement

    class Fresh(curriculum.Models):
        def fetch(self, link: object, run_id: bytes, digest: bytes) -> Model:
            return curriculum.Models().fetch(link, run_id, digest)  # type: ignore[arg-type]

    monkeypatch.setattr(engagement, "models", Fresh())


@pytest.mark.usefixtures("separate")
def test_other_bytes_under_the_hash_are_seen_by_the_home_that_gets_them(whole: Whole) -> None:
    whole.wrap = lambda number, link: Swapping(link, lambda: own(MLP)) if number == VICTIM else link
    job = handed_in(whole, MLP, PLAIN)
    whole.until(job, Stage.RUNNING)
    run = whole.run(VICTIM, whole.run_of(job).run_id)
    assert run is not None
    assert run.step == "failed"
    assert "not the one that the log names" in run.reason


@twice
@pytest.mark.usefixtures("separate")
def test_a_model_of_another_network_under_its_own_hash_is_refused_by_every_home(
    whole: Whole, checked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if researcher and coordinator were one: the job names such a model, and the coordinator keeps it."""
    from vicinia.coordinator.services import research
    from vicinia.training import compiled

    monkeypatch.setattr(research, "given_model", nothing)
    job = handed_in(whole, MLP, MINE)
    if not checked:
        monkeypatch.setattr(compiled, "require_arrays", nothing)
    run_id = opened(whole, job)
    assert joined(whole, run_id) == (0 if checked else whole.homes)


def test_a_model_that_was_lost_with_the_database_ends_the_training_in_words(whole: Whole) -> None:
    job = submitted(whole, MLP, PLAIN)
    with whole.coordinator.database.write("lose") as connection:
        connection.exec_driver_sql("DELETE FROM artifact")
    row = whole.row(accepted(whole, job.hash.hex()))
    assert row.stage is Stage.FAILED
    assert "The researcher's model is no longer in the database." in row.reason
