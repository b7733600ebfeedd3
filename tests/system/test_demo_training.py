"""What the demo sets a trained model beside: data, jobs and references, each by itself."""

from __future__ import annotations

import csv
import io
import shutil
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from data import PROJECT, data_path
from rich.console import Console
from vicinia.assembly.bylaws import ByLaws
from vicinia.errors import InvalidInput
from vicinia.privacy.stream import chacha_stream
from vicinia.query.mapping import parse_map
from vicinia.training.coefficients import coefficients
from vicinia.training.compiled import Training
from vicinia.training.dimensions import TargetKind
from vicinia.training.examples import Examples
from vicinia.training.metrics import Metric
from vicinia.training.model import Model
from vicinia.training.recipe import Aggregate

from deploy.demo.arguments import parse_arguments
from deploy.demo.data import households
from deploy.demo.question import Question
from deploy.demo.show import Narrator
from deploy.demo.training.history import History, Round
from deploy.demo.training.live import Live
from deploy.demo.training.plain import plain_flower
from deploy.demo.training.pooled import fit, measured, of_model
from deploy.demo.training.published import Published
from deploy.demo.training.sources import MODES, Material, material
from deploy.demo.training.tables import Coefficients, Measured, tell_metrics

if TYPE_CHECKING:
    from vicinia.assembly import Job
    from vicinia.training.card import ModelCard
    from vicinia.training.rounds import RoundRelease

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
    found = plain_flower(training, homes, training.template)
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


def test_plain_flower_does_not_run_away_from_a_linear_regression(tmp_path: Path) -> None:
    training = compiled(Material(((tmp_path, _maps("fitabase")[0]),), JOBS / "fitabase" / "JOB.toml"))
    homes = [replace(one, inputs=0.4 * one.inputs - 0.6) for one in homes_of(training)]  # most days are quiet ones
    found, pooled = plain_flower(training, homes, training.template), fit(training, homes, len(homes))
    assert found is not None
    assert pooled is not None
    predictors = (lambda inputs: found.recipe.predict(found.model, inputs), pooled.predict)
    flower, best = ({one.name: one.value or 0.0 for one in measured(training, one, homes)} for one in predictors)
    assert flower["r_squared"] > best["r_squared"] - 0.1 > 0.5


def test_homes_without_examples_have_nothing_to_compare(tmp_path: Path) -> None:
    training = compiled(Material(((tmp_path, _maps("budget")[0]),), JOBS / "budget" / "JOB.toml"))
    nothing = [Examples(np.empty((0, 5)), np.empty(0), 1)] * 3
    assert fit(training, nothing, 3) is None
    assert plain_flower(training, nothing, training.template) is None


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


def test_coefficients_are_compared_in_the_units_that_the_researcher_has(tmp_path: Path) -> None:
    training = compiled(Material(((tmp_path, _maps("budget")[0]),), JOBS / "budget" / "JOB.toml"))
    exact = without_noise(training, homes_of(training), 3)
    arrays = dict(training.recipe.initial().arrays) | {"intercept": exact[:, 0].copy(), "coef": exact[:, 1:].copy()}
    model, card = Model.of(arrays), cast("ModelCard", None)
    told = [{"outcome": one.outcome, "name": one.name, "value": one.value, "noise": 0.5}
            for one in coefficients(training, model)]  # fmt: skip
    found = Coefficients(training, Published(model, card, {"coefficients": told}), exact)
    assert [row.value for row in found.rows] == pytest.approx([row.pooled for row in found.rows])
    assert [row.keys["input"] for row in found.rows] == ["(intercept)", *training.design.names]
    out = io.StringIO()
    found.tell(Narrator(Console(file=out, width=120)), "Children", "scikit-learn")
    assert "what scikit-learn makes of the same homes' rows" in out.getvalue()
    assert "◉" in out.getvalue()


@pytest.mark.parametrize("recipe", ["mlp", "trees", "kmeans", "linear"])
def test_a_model_that_drowns_in_noise_is_told_whatever_its_recipe(tmp_path: Path, recipe: str) -> None:
    training = compiled(Material(((tmp_path, _maps("budget")[0]),), _job(tmp_path, recipe)))
    for sigma, homes, drowns in ((30.0, 20, True), (30.0, 100_000, False)):
        release = cast("RoundRelease", SimpleNamespace(sigma=sigma))
        last = Round(0, "", frozenset(), frozenset(map(str, range(homes))), training.template, release, b"")
        job = cast("Job", SimpleNamespace(rho_nano=10**7))
        said = History(job, (last,), {}, {}, b"", ByLaws()).drowning(training)
        assert bool(said) == drowns
        assert said.startswith(f"With {homes} homes noise drowns what there is to learn: it is ") == drowns
        assert "epsilon" not in said  # none that would be large enough is within the by-laws


def _job(folder: Path, recipe: str) -> Path:
    """A training of that recipe over the budgets."""
    target = {"kmeans": "", "linear": 'target = "income"\n'}.get(recipe, 'target = "kids"\n')
    rounds = "rounds = 3\n" if recipe == "mlp" else ""
    path = folder / "JOB.toml"
    path.write_text(
        'title = "T"\npurpose = "dpv:NonCommercialResearch"\nwhy = "W"\n[training]\ndataset = "budget"\n'
        f'features = ["food", "age"]\nexamples = 1\nrecipe = "{recipe}"\n{target}{rounds}[privacy]\nepsilon = 4.0\n'
    )
    return path


def test_the_table_of_metrics_says_what_its_words_mean() -> None:
    rounds = [
        Measured("before round 1", (Metric("auc", 0.5, 0.0),), (Metric("auc", None, None),)),
        Measured("the model", (Metric("auc", 0.72, 0.0),), (Metric("auc", 0.7, 0.1),)),
    ]
    out = io.StringIO()
    tell = Narrator(Console(file=out, width=120))
    tell_metrics(tell, "Children", rounds, [Measured("scikit-learn", (Metric("auc", 0.8, 0.0),))])
    text = out.getvalue()
    for words in (
        "below noise (0.500)",
        "0.70 ± 0.10 (0.720)",
        "before round n  the model that round n",
        "AUC",
        "0.5 is",
    ):
        assert words in text
    nobody = [Measured("the model", (Metric("auc", 0.72, 0.0),))]
    tell_metrics(tell, "", nobody, [])
    assert "No home was held out" in out.getvalue().removeprefix(text)


def test_rounds_are_told_once_each_as_the_console_hears_of_them(tmp_path: Path) -> None:
    training = compiled(Material(((tmp_path, _maps("budget")[0]),), JOBS / "budget" / "JOB.toml"))
    out = io.StringIO()
    live = Live(Narrator(Console(file=out, width=200)), training)
    first = {"run": 0, "cohort": 20, "metrics": {"auc": {"value": 0.6, "stderr": 0.1}}}
    hidden = {"run": 1, "cohort": 20, "metrics": {"auc": {"value": None, "stderr": None}}}
    for rounds in ([], [first], [first], [first, hidden, first], [first, hidden, first, first]):
        said = live.words({"state": "running", "rounds": rounds}, "the homes unmask the sum")
    assert said == "the closing round, which measures the model, the homes unmask the sum"
    lines = out.getvalue().splitlines()
    assert len(lines) == len(live.seconds) == 4
    assert "round 1 of 3 (0.0 s). The model that it began with: AUC 0.60 ± 0.10" in lines[0]
    assert "every metric is below the noise" in lines[1]
    assert "The final model: AUC 0.6" in lines[3]


def _maps(name: str) -> list[Path]:
    if name == "budget":
        return [JOBS.parent / "MAP.toml"]
    return sorted(path for path in (JOBS / name).glob("*.toml") if path.name != "JOB.toml")
