"""What the demo sets a trained model beside: data, jobs and references, each by itself."""

from __future__ import annotations

import csv
import shutil
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from data import PROJECT, data_path
from vicinia.errors import InvalidInput
from vicinia.privacy.stream import chacha_stream
from vicinia.query.mapping import parse_map
from vicinia.training.compiled import Training
from vicinia.training.dimensions import TargetKind
from vicinia.training.examples import Examples
from vicinia.training.recipe import Aggregate

from deploy.demo.arguments import parse_arguments
from deploy.demo.data import households
from deploy.demo.question import Question
from deploy.demo.training.plain import plain_flower
from deploy.demo.training.pooled import fit, measured, of_model
from deploy.demo.training.sources import MODES, Material, material

JOBS = PROJECT / "deploy" / "demo" / "training"
HOMES = 40


def compiled(given: Material) -> Training:
    """The training of the demo's own for this data."""
    question = Question(given.job)
    question.check({one.name: one for one in (parse_map(path.read_text())[0] for _, path in given.tables)})
    assert question.training is not None
    return question.training


def own(folder: Path, *words: str) -> Material:
    return material(parse_arguments(["--job", "train", *words]), folder)


def homes_of(training: Training, seed: int = 3) -> list[Examples]:
    """Homes with random rows, from which something can be learnt."""
    dimensions, draw, found = training.design.dimensions, np.random.default_rng(seed), []
    for _ in range(HOMES):
        rows = training.plan.examples
        inputs = draw.uniform(-1, 1, (rows, dimensions.inputs))
        score = inputs.sum(axis=1) + draw.normal(0, 0.5, rows)
        if dimensions.target is TargetKind.CLASSES:
            target = np.digitize(score, np.linspace(-1, 1, dimensions.classes + 1)[1:-1]).astype(float)
        else:
            target = np.clip(score / dimensions.inputs, -1, 1)
        found.append(Examples(inputs, target, rows))
    return found


def without_noise(training: Training, homes: list[Examples], rounds: int) -> np.ndarray:
    """The recipe's own coefficients after so many exact rounds, [r, p + 1]."""
    recipe, model = training.recipe, training.recipe.initial()
    home = import_module(f"vicinia.node.training.{recipe.name}")
    for _ in range(rounds):
        total = sum(home.statistic(recipe, model, one, 1.0, chacha_stream(bytes(32))) for one in homes)
        model = recipe.step(model, Aggregate(total, 0.0, len(homes)))
    return np.column_stack((model["intercept"], model["coef"]))


def test_the_pooled_answer_is_the_recipes_own_without_noise(tmp_path: Path) -> None:
    for name, rounds in (("budget", 12), ("fitabase", 1)):
        training = compiled(Material(((tmp_path, _maps(name)[0]),), JOBS / name / "JOB.toml"))
        homes = homes_of(training)
        found = fit(training, homes, len(homes))
        assert found is not None
        assert found.coefficients is not None
        assert np.abs(found.coefficients - without_noise(training, homes, rounds)).max() < 1e-3


def test_plain_flower_learns_what_there_is_to_learn(tmp_path: Path) -> None:
    training = compiled(Material(((tmp_path, _maps("nhts2022")[0]),), JOBS / "nhts2022" / "JOB.toml"))
    homes = homes_of(training)
    found = plain_flower(training, homes)
    assert found is not None
    assert found.name == "plain Flower FedAvg, 5 rounds"
    pooled = fit(training, homes, len(homes))
    assert pooled is not None
    predictors = (of_model(training, training.recipe.initial()), of_model(training, found.model), pooled.predict)
    before, after, best = (
        {one.name: one.value or 0.0 for one in measured(training, predict, homes)} for predict in predictors
    )
    assert before["log_loss"] > after["log_loss"] > best["log_loss"] - 1e-6
    assert after["accuracy"] > 0.6


def test_homes_without_examples_have_nothing_to_compare(tmp_path: Path) -> None:
    training = compiled(Material(((tmp_path, _maps("budget")[0]),), JOBS / "budget" / "JOB.toml"))
    nothing = [Examples(np.empty((0, 5)), np.empty(0), 1)] * 3
    assert fit(training, nothing, 3) is None
    assert plain_flower(training, nothing) is None


def test_the_demos_own_data_has_a_training(tmp_path: Path) -> None:
    given = own(tmp_path)
    training = compiled(given)
    assert training.recipe.name == "logistic"
    assert training.plan.closing == 1
    assert given.tables[0][0].is_file()


def test_the_swiss_meters_are_two_data_sets_of_the_homes_that_answered(tmp_path: Path) -> None:
    given = own(tmp_path, "--data", str(data_path("swiss_elec")))
    training = compiled(given)
    assert [one.name for one in training.datasets] == ["readings", "answers"]
    source, path = given.tables[0]
    definition, mapping = parse_map(path.read_text())
    found = households(definition.name, mapping, source, path, wanted=152, least=152)
    with (source / "answers.csv").open() as file:
        assert {row["VID"] for row in csv.DictReader(file)} == set(found.names)


def test_trips_are_those_of_the_kinds_that_can_be_learnt(tmp_path: Path) -> None:
    given = own(tmp_path, "--data", str(data_path("nhts2022")))
    training = compiled(given)
    assert training.strategy is not None
    with (given.tables[0][0] / "trips.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 30_000
    assert {row["mode"] for row in rows} == set(MODES)
    assert all(not row["miles"] or float(row["miles"]) >= 0 for row in rows)


def test_fitness_trackers_have_a_training(tmp_path: Path) -> None:
    assert compiled(own(tmp_path, "--data", str(data_path("fitabase")))).recipe.rounds() == 1


def test_other_data_needs_a_job_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "readings.csv").write_text("VID,kwh\n1,2\n")
    shutil.copy(_maps("budget")[0], tmp_path / "MAP.toml")
    with pytest.raises(InvalidInput, match="no training of its own"):
        own(tmp_path, "--data", str(tmp_path))
    with pytest.raises(InvalidInput, match=r"Give a JOB\.toml"):
        parse_arguments(["--job", "train", "--data", str(tmp_path), "--map", str(tmp_path / "MAP.toml")])


def test_a_training_that_does_not_fit_the_data_is_refused_at_once(tmp_path: Path) -> None:
    job = tmp_path / "JOB.toml"
    job.write_text((JOBS / "budget" / "JOB.toml").read_text().replace('"food"', '"fod"'))
    question = Question(job)
    with pytest.raises(InvalidInput) as refusal:
        question.check({"budget": parse_map(_maps("budget")[0].read_text())[0]})
    assert refusal.value.where.startswith("JOB.toml:")
    assert "fod" in str(refusal.value)


def _maps(name: str) -> list[Path]:
    if name == "budget":
        return [JOBS.parent / "MAP.toml"]
    return sorted(path for path in (JOBS / name).glob("*.toml") if path.name != "JOB.toml")
