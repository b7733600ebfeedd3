"""Regressions beside scikit-learn and statsmodels, their errors, and steps on nothing but noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from training_task import COUNT_HIGH, INPUTS, RECORDS, Task, auc, r_squared, synthetic
from vicinia.errors import InvalidInput, TooLarge
from vicinia.node.training import linear, logistic, poisson
from vicinia.privacy.conversion import epsilon_to_rho_nano
from vicinia.privacy.noise import NANO, NoisePlan
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.examples import Examples
from vicinia.training.model import Model
from vicinia.training.recipe import Aggregate
from vicinia.training.recipes.linear import Linear
from vicinia.training.recipes.logistic import Logistic
from vicinia.training.recipes.poisson import Poisson
from vicinia.training.regression import standard_errors, weights
from vicinia.training.settings import from_file

HOMES = 100
REAL = Dimensions(INPUTS, TargetKind.REAL)
TWO = Dimensions(INPUTS, TargetKind.CLASSES, classes=2)
THREE = Dimensions(INPUTS, TargetKind.CLASSES, classes=3)
COUNTS = Dimensions(INPUTS, TargetKind.COUNT, high=COUNT_HIGH)
L2 = NANO // 100
ALPHA = 0.01 * HOMES * RECORDS
RADII = [NANO, NANO // 2]


def _recipe(kind: Any, dimensions: Dimensions, **parameters: int) -> Any:
    return kind.of(dimensions, from_file(kind.settings, {}, "test") | parameters)


@pytest.fixture(scope="module")
def task() -> Task:
    return synthetic(HOMES, 11)


@pytest.fixture(scope="module")
def town() -> Task:
    """More homes, for noise: their sums only, so that it stays quick."""
    return synthetic(1_000, 12)


def _train(
    recipe: Any,
    statistic: Callable[..., NDArray[np.float64]],
    homes: list[Examples],
    rounds: int,
    noise: tuple[float, int, int] = (0.0, 0, 0),
) -> Any:
    """noise: its deviation in the sum, seed, and how many times the homes are there."""
    deviation, seed, times = noise
    draw, model = np.random.default_rng(seed), recipe.initial()
    for _ in range(rounds):
        total = np.zeros(recipe.layout().length)
        for examples in homes:
            total += statistic(recipe, model, examples, 1.0, None)
        total = total * max(times, 1) + draw.normal(0.0, deviation, len(total))
        model = recipe.step(model, Aggregate(total, deviation, len(homes) * max(times, 1)))
    return model


def _homes(task: Task, target: str, dimensions: Dimensions) -> list[Examples]:
    return [Examples.cleaned(x, y, RECORDS, dimensions) for x, y in task.homes(target)]


def _weights(recipe: Any, task: Task, extra: int) -> NDArray[np.float64]:
    return weights(task.pooled, recipe.bound, extra)


@pytest.mark.parametrize("radius", RADII)
def test_linear_is_ridge(task: Task, radius: int) -> None:
    ridge = pytest.importorskip("sklearn.linear_model").Ridge(alpha=ALPHA, solver="cholesky")
    recipe = _recipe(Linear, REAL, l2=L2, radius=radius)
    model = _train(recipe, linear.statistic, _homes(task, "real", REAL), 1)
    ridge.fit(task.pooled, task.real.reshape(-1), sample_weight=_weights(recipe, task, 2))
    assert np.allclose(model["coef"][0], ridge.coef_, atol=1e-6)
    assert np.allclose(model["intercept"], ridge.intercept_, atol=1e-6)
    assert np.allclose(recipe.predict(model, task.pooled), ridge.predict(task.pooled), atol=1e-5)


def test_without_noise_the_errors_of_least_squares_are_the_usual_ones(task: Task) -> None:
    api = pytest.importorskip("statsmodels.api")
    recipe = _recipe(Linear, REAL, l2=0, radius=NANO)
    model = _train(recipe, linear.statistic, _homes(task, "real", REAL), 1)
    fit = api.OLS(task.real.reshape(-1), api.add_constant(task.pooled)).fit()
    errors = standard_errors(model, RECORDS)
    assert np.allclose(np.append(model["intercept"], model["coef"][0]), fit.params, atol=1e-6)
    assert np.allclose(np.append(errors.intercept, errors.coef[0]), fit.bse, rtol=0.01)
    assert 1 - model["residual_variance"][0] / model["target_variance"][0] == pytest.approx(fit.rsquared, abs=1e-6)


@pytest.mark.parametrize("radius", RADII)
@pytest.mark.parametrize(("target", "dimensions"), [("classes", TWO), ("kinds", THREE)])
def test_logistic_is_scikit_learns(task: Task, radius: int, target: str, dimensions: Dimensions) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    recipe = _recipe(Logistic, dimensions, l2=L2, radius=radius)
    model = _train(recipe, logistic.statistic, _homes(task, target, dimensions), 6)
    pooled = linear_model.LogisticRegression(C=1 / ALPHA, tol=1e-10, max_iter=2_000)
    pooled.fit(task.pooled, getattr(task, target).reshape(-1), sample_weight=_weights(recipe, task, 1))
    assert np.allclose(model["coef"], pooled.coef_, atol=1e-4)
    assert np.allclose(model["intercept"], pooled.intercept_, atol=1e-4)
    assert np.allclose(recipe.predict(model, task.pooled), pooled.predict_proba(task.pooled), atol=1e-4)


@pytest.mark.parametrize("radius", RADII)
def test_poisson_is_scikit_learns(task: Task, radius: int) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    recipe = _recipe(Poisson, COUNTS, l2=L2, radius=radius)
    model = _train(recipe, poisson.statistic, _homes(task, "counts", COUNTS), 6)
    weight = _weights(recipe, task, 1)
    pooled = linear_model.PoissonRegressor(alpha=ALPHA / weight.sum(), tol=1e-10, max_iter=2_000)
    pooled.fit(task.pooled, task.counts.reshape(-1), sample_weight=weight)
    assert np.allclose(model["coef"][0], pooled.coef_, atol=1e-4)
    assert np.allclose(model["intercept"], pooled.intercept_, atol=1e-4)
    assert np.allclose(recipe.predict(model, task.pooled), np.minimum(pooled.predict(task.pooled), 1), atol=1e-4)


def test_without_noise_numbers_and_errors_are_those_of_statsmodels(task: Task) -> None:
    api = pytest.importorskip("statsmodels.api")
    design = api.add_constant(task.pooled)
    two = _recipe(Logistic, TWO, l2=0, radius=NANO)
    model = _train(two, logistic.statistic, _homes(task, "classes", TWO), 6)
    fit = api.GLM(task.classes.reshape(-1), design, family=api.families.Binomial()).fit(tol=1e-12)
    errors = standard_errors(model, RECORDS)
    assert np.allclose(np.append(model["intercept"], model["coef"][0]), fit.params, atol=1e-4)
    assert np.allclose(np.append(errors.intercept, errors.coef[0]), fit.bse, rtol=1e-3)

    counts = _recipe(Poisson, COUNTS, l2=0, radius=NANO)
    model = _train(counts, poisson.statistic, _homes(task, "counts", COUNTS), 6)
    fit = api.GLM(COUNT_HIGH * task.counts.reshape(-1), design, family=api.families.Poisson()).fit(tol=1e-12)
    assert np.allclose(model["coef"][0], fit.params[1:], atol=1e-4)
    assert model["intercept"][0] + np.log(COUNT_HIGH) == pytest.approx(fit.params[0], abs=1e-4)
    errors = standard_errors(model, RECORDS)
    assert np.allclose(np.append(errors.intercept, errors.coef[0]), fit.bse, rtol=1e-3)


def _deviation(recipe: Any, homes: int, rounds: int) -> float:
    layout, rho = recipe.layout(), epsilon_to_rho_nano(1.0) // rounds
    plan = NoisePlan.derive(
        layout.norm_squared, layout.length, rho, homes, homes * 9 // 10, group=max(layout.group_lengths)
    )
    return float(np.hypot(plan.sum_std(homes), plan.rounding_std(homes)))


def test_with_the_noise_of_epsilon_1_ten_thousand_homes_learn_nearly_what_pooled_rows_tell(town: Task) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    other = synthetic(500, 13)
    least, recipe = linear_model.LinearRegression(), _recipe(Linear, REAL)
    least.fit(town.pooled, town.real.reshape(-1))
    homes = _homes(town, "real", REAL)
    model = _train(recipe, linear.statistic, homes, 1, (_deviation(recipe, 10_000, 1), 1, 10))
    truth = other.real.reshape(-1)
    reference = r_squared(truth, least.predict(other.pooled))
    assert r_squared(truth, recipe.predict(model, other.pooled)) > reference - 0.03

    recipe, pooled = _recipe(Logistic, TWO), linear_model.LogisticRegression(C=1e6)
    pooled.fit(town.pooled, town.classes.reshape(-1))
    homes = _homes(town, "classes", TWO)
    model = _train(recipe, logistic.statistic, homes, 4, (_deviation(recipe, 10_000, 4), 1, 10))
    truth = other.classes.reshape(-1)
    reference = auc(truth, pooled.decision_function(other.pooled))
    assert auc(truth, recipe.predict(model, other.pooled)[:, 1]) > reference - 0.01


@pytest.mark.parametrize(
    ("kind", "dimensions", "module", "target", "rounds"),
    [
        (Linear, REAL, linear, "real", 1),
        (Logistic, TWO, logistic, "classes", 4),
        (Logistic, THREE, logistic, "kinds", 4),
        (Poisson, COUNTS, poisson, "counts", 4),
    ],
)
def test_the_stated_noise_is_how_far_numbers_lie_from_those_without_noise(
    kind: Any, dimensions: Dimensions, module: Any, target: str, rounds: int, task: Task
) -> None:
    recipe = _recipe(kind, dimensions, l2=0)
    homes = _homes(task, target, dimensions)
    exact = _train(recipe, module.statistic, homes, 8 if rounds > 1 else 1)
    deviation = _deviation(recipe, 20_000, rounds)
    ratios = []
    for seed in range(4):
        model = _train(recipe, module.statistic, homes, rounds, (deviation, seed, 200))
        ratios.append((model["coef"] - exact["coef"]) / model["coef_noise"])
    assert 0.6 < np.sqrt(np.mean(np.square(ratios))) < 1.6


@pytest.mark.parametrize(
    ("kind", "dimensions"), [(Linear, REAL), (Logistic, TWO), (Logistic, THREE), (Poisson, COUNTS)]
)
@pytest.mark.parametrize("deviation", [1e-9, 1.0, 1e6])
def test_steps_on_nothing_but_noise_stay_finite_and_within_trust(
    kind: Any, dimensions: Dimensions, deviation: float
) -> None:
    recipe = _recipe(kind, dimensions)
    draw, model = np.random.default_rng(9), recipe.initial()
    for _ in range(5):
        released = Aggregate(draw.normal(0.0, deviation, recipe.layout().length), deviation, 300)
        model = recipe.step(model, released)
        assert np.abs(model["coef"]).max() <= 5 * 20
        assert np.isfinite(standard_errors(model, RECORDS).coef).all()
    silent = recipe.step(recipe.initial(), Aggregate(np.zeros(recipe.layout().length), 0.0, 0))
    assert not silent["coef"].any()


@pytest.mark.parametrize(("kind", "dimensions"), [(Linear, REAL), (Logistic, THREE), (Poisson, COUNTS)])
def test_a_step_is_replayed_to_the_same_bytes(kind: Any, dimensions: Dimensions) -> None:
    recipe = _recipe(kind, dimensions)
    total = np.random.default_rng(1).normal(10.0, 1.0, recipe.layout().length)
    once, again = (recipe.step(recipe.initial(), Aggregate(total, 1.0, 100)) for _ in range(2))
    assert once.to_bytes() == again.to_bytes()
    assert once.same_shape(recipe.initial())
    assert Model.from_bytes(once.to_bytes()) == once


def test_what_a_recipe_is_not_for_is_refused() -> None:
    for kind, wrong in ((Linear, TWO), (Logistic, REAL), (Poisson, REAL)):
        with pytest.raises(InvalidInput) as refused:
            _recipe(kind, wrong)
        assert "target" in str(refused.value)
    with pytest.raises(InvalidInput):
        _recipe(Linear, REAL, radius=2 * NANO)
    for kind, large in (
        (Linear, Dimensions(1_900, TargetKind.REAL)),
        (Logistic, Dimensions(200, TargetKind.CLASSES, classes=10)),
        (Poisson, Dimensions(1_900, TargetKind.COUNT)),
    ):
        with pytest.raises(TooLarge):
            _recipe(kind, large)
