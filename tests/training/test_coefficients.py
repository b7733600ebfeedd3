"""Coefficients and predictions in the units of the data set, beside statsmodels on the raw rows."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from vicinia.assembly.toml import TomlFile
from vicinia.coordinator.client.predictor import Predictor
from vicinia.query.mapping import parse_map
from vicinia.query.raw import Raw
from vicinia.training.coefficients import INTERCEPT, coefficients
from vicinia.training.compiled import Training
from vicinia.training.examples import Examples
from vicinia.training.model import Model
from vicinia.training.recipe import Aggregate
from vicinia.training.spec import training_of

MAP = """
dataset     = "people"
description = "People"
category    = "pd:Transactional"
format      = "csv"
household   = "#row"
timezone    = "Europe/London"
[columns]
income = { from = "a", type = "real", low = 0.0, high = 5000.0, unit = "euro" }
age    = { from = "b", type = "integer", low = 18, high = 90, unit = "years", required = true }
kind   = { from = "c", type = "enum", values = ["town", "hill", "shore"] }
spend  = { from = "d", type = "real", low = 10.0, high = 90.0 }
owns   = { from = "e", type = "enum", values = ["no", "yes"] }
trips  = { from = "f", type = "integer", low = 0, high = 20 }
"""
HOMES = 3_000
NAMES = ("income", "age", "kind = hill", "kind = shore")
ROUNDS = {"linear": 1, "logistic": 7, "poisson": 9}
TARGETS = {"linear": "spend", "logistic": "owns", "poisson": "trips"}


def people() -> list[dict[str, Raw]]:
    """Rows whose every column has a linear index behind it."""
    draw = np.random.default_rng(5)
    rows: list[dict[str, Raw]] = []
    for _ in range(HOMES):
        income, age, kind = draw.uniform(200, 4800), int(draw.integers(20, 89)), draw.choice(["town", "hill", "shore"])
        index = income / 2500 - age / 60 + 0.5 * (kind == "shore")
        rows.append(
            {
                "income": float(income),
                "age": age,
                "kind": str(kind),
                "spend": float(40 + 8 * index + draw.normal(0, 4)),
                "owns": "yes" if draw.uniform() < 1 / (1 + np.exp(-index)) else "no",
                "trips": int(min(20, draw.poisson(np.exp(0.5 + 0.5 * index)))),
            }
        )
    return rows


ROWS = people()


def plan(recipe: str, extra: str = "", l2: str = "0") -> Training:
    text = f"""
[training]
dataset = "people"
features = ["income", "age", "kind"]
target = "{TARGETS[recipe]}"
recipe = "{recipe}"
examples = 1
rounds = {ROUNDS[recipe]}
{extra}
[training.parameters]
l2 = {l2}
radius = 1
"""
    return training_of(TomlFile.parse(text, "JOB.toml"), {"people": parse_map(MAP)[0]})


def standardised(training: Training) -> Examples:
    """All homes' rows at once, standardised by hand."""
    numbers = np.array([[row["income"], row["age"]] for row in ROWS], dtype=float)
    middle, radius = np.array([2500.0, 54.0]), np.array([2500.0, 36.0])
    kinds = np.array([[row["kind"] == "hill", row["kind"] == "shore"] for row in ROWS], dtype=float)
    told: Mapping[str, Any] = {
        "linear": (np.array([row["spend"] for row in ROWS], dtype=float) - 50) / 40,
        "logistic": np.array([row["owns"] == "yes" for row in ROWS], dtype=float),
        "poisson": np.array([row["trips"] for row in ROWS], dtype=float) / 20,
    }
    inputs = np.hstack(((numbers - middle) / radius, kinds))
    return Examples.cleaned(inputs, told[training.recipe.name], HOMES, training.design.dimensions)


def fitted(training: Training) -> Model:
    """Trained on every row as on a home of its own, without noise."""
    statistic: Any = import_module(f"vicinia.node.training.{training.recipe.name}").statistic
    model = training.recipe.initial()
    for _ in range(training.plan.rounds):
        total = statistic(training.recipe, model, standardised(training), 1.0, None) * HOMES
        model = training.recipe.step(model, Aggregate(total, 1e-9, HOMES))
    return model


def raw() -> NDArray[np.float64]:
    """(1, income, age, hill, shore) in their own units."""
    return np.array(
        [[1.0, row["income"], row["age"], row["kind"] == "hill", row["kind"] == "shore"] for row in ROWS], dtype=float
    )


def reference(recipe: str) -> Any:
    sm = pytest.importorskip("statsmodels.api")
    target: Mapping[str, Any] = {
        "linear": [row["spend"] for row in ROWS],
        "logistic": [float(row["owns"] == "yes") for row in ROWS],
        "poisson": [row["trips"] for row in ROWS],
    }
    if recipe == "linear":
        return sm.OLS(target[recipe], raw()).fit()
    family = sm.families.Poisson() if recipe == "poisson" else sm.families.Binomial()
    return sm.GLM(target[recipe], raw(), family=family).fit()


@pytest.mark.parametrize("recipe", ["linear", "logistic", "poisson"])
def test_coefficients_and_errors_are_those_of_statsmodels_in_the_features_own_units(recipe: str) -> None:
    training = plan(recipe)
    model = fitted(training)
    found = coefficients(training, model)
    beside = reference(recipe)
    assert [one.name for one in found] == [INTERCEPT, *NAMES]
    assert found[0].outcome == ("owns = yes" if recipe == "logistic" else "")
    for place, one in enumerate(found[1:], start=1):
        assert one.value == pytest.approx(beside.params[place], rel=1e-4), one
        assert one.stderr == pytest.approx(beside.bse[place], rel=0.02), one
        assert one.noise <= one.stderr
    centre = np.array([1.0, 2500.0, 54.0, 0.0, 0.0])
    assert found[0].value == pytest.approx(centre @ beside.params, rel=1e-4)
    assert found[0].stderr == pytest.approx(np.sqrt(centre @ beside.cov_params() @ centre), rel=0.02)


@pytest.mark.parametrize("recipe", ["linear", "logistic", "poisson"])
def test_predictions_of_raw_rows_are_those_of_statsmodels(recipe: str) -> None:
    training = plan(recipe)
    found = Predictor(training, fitted(training)).predict({**row, "age": str(row["age"])} for row in ROWS[:500])
    assert found.columns[0] == f"predicted {TARGETS[recipe]}"
    expected = reference(recipe).predict(raw()[:500])
    told = np.array([row[-1] for row in found.rows], dtype=float)
    assert told == pytest.approx(expected, rel=1e-4)
    if recipe == "logistic":
        assert found.columns[1:] == ("probability of owns = no", "probability of owns = yes")
        assert [row[0] for row in found.rows] == ["yes" if share > 0.5 else "no" for share in expected]


def test_more_rows_than_are_read_at_once_keep_their_order() -> None:
    training = plan("linear")
    model = fitted(training)
    many = [ROWS[place % 7] for place in range(25_000)]
    found = Predictor(training, model).predict(many).rows
    seven = Predictor(training, model).predict(ROWS[:7]).rows
    assert len(found) == 25_000
    assert all(row == pytest.approx(seven[place % 7]) for place, row in enumerate(found))


def test_a_row_that_the_condition_of_the_plan_leaves_out_is_predicted_all_the_same() -> None:
    training = plan("linear", 'where = "age > 30"')
    found = Predictor(training, training.recipe.initial()).predict(ROWS[:50])
    assert len(found.rows) == 50


def test_a_missing_value_gives_no_prediction_and_a_target_is_not_needed() -> None:
    training = plan("linear")
    model = fitted(training)
    found = Predictor(training, model).predict(
        [{"income": 100, "age": 40, "kind": "hill"}, {"income": "", "age": 40, "kind": "hill"}, {"age": 3}]
    )
    assert [row[0] is None for row in found.rows] == [False, True, True]
    beyond = Predictor(training, model).predict([{"income": 10**9, "age": 40, "kind": "hill"}]).rows[0]
    assert beyond == Predictor(training, model).predict([{"income": 5000, "age": 40, "kind": "hill"}]).rows[0]
