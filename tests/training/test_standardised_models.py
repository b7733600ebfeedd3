"""Models of privately standardised inputs, beside scikit-learn and statsmodels, where noise is negligible."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from protocol.training.test_rounds import EXAMPLE
from training.test_coefficients import HOMES, MAP, NAMES, ROWS, plan, raw, reference
from vicinia.assembly.toml import TomlFile
from vicinia.coordinator.client.predictor import Predictor
from vicinia.node.training import mlp
from vicinia.privacy.stream import chacha_stream
from vicinia.query.mapping import parse_map
from vicinia.training import moments
from vicinia.training.coefficients import coefficients
from vicinia.training.compiled import Training
from vicinia.training.dimensions import TargetKind
from vicinia.training.examples import Examples
from vicinia.training.model import Model
from vicinia.training.recipe import Aggregate
from vicinia.training.spec import training_of
from vicinia.training.spread import REACH, Spread
from vicinia.training.standardisation import standardised

PRIVATE = 'standardise = "private"'
MIDDLE, RADIUS = np.array([2500.0, 54.0]), np.array([2500.0, 36.0])  # of the bounds of income and age
NUMBERS = raw()[:, 1:3]
MLP = f"""
[training]
dataset = "people"
features = ["income", "age", "kind"]
target = "owns"
recipe = "mlp"
examples = 3000
rounds = 4
{PRIVATE}
[training.parameters]
hidden_1 = 0
epochs = 100
batch = 10000
learning_rate = 4
"""


def scaled(training: Training) -> Training:
    """After its first round, of all rows, without noise."""
    inputs = np.hstack(((NUMBERS - MIDDLE) / RADIUS, raw()[:, 3:]))
    examples = Examples(inputs, np.zeros(HOMES), HOMES)
    sums = moments.statistic(training.design.numeric, examples)
    return standardised(training, {0: replace(EXAMPLE, moments=tuple(sums.tolist()), sigma=0.0)})


def standard() -> NDArray[np.float64]:
    """The inputs by scikit-learn's own hand; a recipe sees a third of each deviation."""
    scaler = pytest.importorskip("sklearn.preprocessing").StandardScaler()
    return np.hstack((scaler.fit_transform(NUMBERS) / REACH, raw()[:, 3:]))


def examples(training: Training) -> Examples:
    assert training.design.target is not None
    values: list[Any] = [row[training.design.target.label] for row in ROWS]
    kind = training.design.dimensions.target
    if kind is TargetKind.CLASSES:
        target = np.array(values) == "yes"
    else:
        target = np.array(values) / 20 if kind is TargetKind.COUNT else (np.array(values) - 50) / 40
    return Examples.cleaned(standard(), target, HOMES, training.design.dimensions)


def fitted(training: Training) -> Model:
    """Trained on every row as on a home of its own, without noise."""
    statistic: Any = import_module(f"vicinia.node.training.{training.recipe.name}").statistic
    model = training.recipe.initial()
    for _ in range(training.plan.rounds):
        total = statistic(training.recipe, model, examples(training), 1.0, None) * HOMES
        model = training.recipe.step(model, Aggregate(total, 1e-9, HOMES))
    return model


def test_mean_and_deviation_are_the_scaler_s() -> None:
    scaler = pytest.importorskip("sklearn.preprocessing").StandardScaler().fit(NUMBERS)
    terms = scaled(plan("linear", PRIVATE)).design.terms[:2]
    assert [term.middle for term in terms] == pytest.approx(scaler.mean_.tolist())
    assert [term.radius for term in terms] == pytest.approx((REACH * scaler.scale_).tolist())


@pytest.mark.parametrize("recipe", ["linear", "logistic", "poisson"])
def test_coefficients_are_those_of_statsmodels_in_the_features_own_units(recipe: str) -> None:
    training = scaled(plan(recipe, PRIVATE))
    found = coefficients(training, fitted(training))
    beside = reference(recipe)
    assert tuple(one.name for one in found[1:]) == NAMES
    for place, one in enumerate(found[1:], start=1):
        assert one.value == pytest.approx(beside.params[place], rel=1e-4), one
        assert one.stderr == pytest.approx(beside.bse[place], rel=0.02), one
    centre = np.array([1.0, *NUMBERS.mean(axis=0), 0.0, 0.0])  # the intercept is the answer at the means
    assert found[0].value == pytest.approx(centre @ beside.params, rel=1e-4)


@pytest.mark.parametrize("recipe", ["linear", "logistic", "poisson"])
def test_with_a_penalty_raw_rows_are_predicted_as_by_scikit_learn_after_its_scaler(recipe: str) -> None:
    """A penalty goes by the scale: by another than this, the predictions are others."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    training = scaled(plan(recipe, PRIVATE, l2="0.02"))
    alpha = 0.02 * HOMES
    target = examples(training).target
    if recipe == "linear":
        told = 50 + 40 * linear_model.Ridge(alpha=alpha).fit(standard(), target).predict(standard())
    elif recipe == "logistic":
        model = linear_model.LogisticRegression(C=1 / alpha, tol=1e-8, max_iter=5_000).fit(standard(), target)
        told = model.predict_proba(standard())[:, 1]
    else:
        model = linear_model.PoissonRegressor(alpha=alpha / HOMES, tol=1e-8, max_iter=5_000).fit(standard(), target)
        told = 20 * model.predict(standard())
    found = Predictor(training, fitted(training)).predict({**row, "age": str(row["age"])} for row in ROWS[:300])
    assert [row[-1] for row in found.rows] == pytest.approx(told[:300].tolist(), rel=1e-4)


def test_a_network_without_hidden_layers_comes_to_scikit_learn_s_regression() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    training: Any = scaled(training_of(TomlFile.parse(MLP, "JOB.toml"), {"people": parse_map(MAP)[0]}))
    model, known = training.recipe.initial(), examples(training)
    for _ in range(training.plan.rounds):
        sent = mlp.statistic(training.recipe, model, known, 1000.0, chacha_stream(bytes(32)))
        model = training.recipe.step(model, Aggregate(sent, 0.0, 1), 1000.0)
    beside = linear_model.LogisticRegression(C=1e10, tol=1e-8, max_iter=5_000).fit(standard(), known.target)
    found = Predictor(training, model).predict({**row, "age": str(row["age"])} for row in ROWS[:300])
    told = beside.predict_proba(standard()[:300])[:, 1]
    assert [row[-1] for row in found.rows] == pytest.approx(told.tolist(), rel=1e-3)


def test_a_value_far_from_the_mean_is_cut_for_a_prediction_as_it_was_for_the_training() -> None:
    training = scaled(plan("linear", PRIVATE))
    model = fitted(training)
    narrow = training.standardised([Spread(2500.0, 100.0), Spread(54.0, 10.0)])
    rows = [{"income": value, "age": 40, "kind": "town"} for value in (2790, 2800, 2810, 4000)]
    within, *beyond = (row[0] for row in Predictor(narrow, model).predict(rows).rows)
    assert beyond[0] == beyond[1] == beyond[2] != within
