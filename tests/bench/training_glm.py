"""Regressions with the noise of ε = 1 beside pooled scikit-learn: 24 records per home, 12 inputs, default radius."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from training_task import COUNT_HIGH, INPUTS, RECORDS, Task, auc, r_squared, synthetic
from vicinia.node.training import linear, logistic, poisson
from vicinia.privacy.conversion import epsilon_to_rho_nano
from vicinia.privacy.noise import NoisePlan
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.examples import Examples
from vicinia.training.model import Model
from vicinia.training.recipe import Aggregate, Recipe
from vicinia.training.recipes.linear import Linear
from vicinia.training.recipes.logistic import Logistic
from vicinia.training.recipes.poisson import Poisson
from vicinia.training.settings import from_file

__all__ = ["measure", "train"]

Statistic = Callable[..., NDArray[np.float64]]
# So many homes differ; each stands for so many that hold the same rows, which costs no time.
HOMES, COPIES = 2_000, 5
ROUNDS = 4
REPEATS = 3
REAL = Dimensions(INPUTS, TargetKind.REAL)
CLASSES = Dimensions(INPUTS, TargetKind.CLASSES, classes=2)
KINDS = Dimensions(INPUTS, TargetKind.CLASSES, classes=3)
Case: TypeAlias = tuple[str, Any, Dimensions, Statistic, str, int, Any, Callable[..., float], str]
COUNTS = Dimensions(INPUTS, TargetKind.COUNT, high=COUNT_HIGH)


def train(
    recipe: Recipe,
    statistic: Statistic,
    task: Task,
    target: str,
    *,
    rounds: int,
    epsilon: float | None,
    seed: int,
    copies: int = 1,
) -> Model:
    """The model after so many rounds of all homes; noise as the nodes would add it, with 9 homes in 10 honest.

    The noise is emulated: one Gaussian of the sum's deviation; epsilon None: no noise. copies: how many homes hold the
    same rows each.
    """
    draw, model, layout = np.random.default_rng(seed), recipe.initial(), recipe.layout()
    homes = [Examples.cleaned(x, y, RECORDS, recipe.dimensions) for x, y in task.homes(target)]
    noise, n = 0.0, copies * len(homes)
    if epsilon is not None:
        rho, group = epsilon_to_rho_nano(epsilon) // rounds, max(layout.group_lengths)
        plan = NoisePlan.derive(layout.norm_squared, layout.length, rho, n, n * 9 // 10, group=group)
        noise = float(np.hypot(plan.sum_std(n), plan.rounding_std(n)))
    for _ in range(rounds):
        total = np.zeros(layout.length)
        for examples in homes:
            total += statistic(recipe, model, examples, 1.0, None)
        total = copies * total + draw.normal(0.0, noise, layout.length)
        model = recipe.step(model, Aggregate(total, noise, n // 10 * 10))
    return model


def measure() -> list[tuple[str, str]]:
    """Figures as (what, value) rows: the mean and the worst of a few draws of the noise, scored on other homes."""
    from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor
    from sklearn.metrics import d2_tweedie_score

    task, other = synthetic(HOMES, 1), synthetic(2_000, 2)
    inputs = other.pooled

    def explained(truth: NDArray[np.float64], means: NDArray[np.float64]) -> float:
        return float(d2_tweedie_score(truth, np.maximum(means, 1e-9), power=1))

    def ranked(truth: NDArray[np.float64], chances: NDArray[np.float64]) -> float:
        return auc(truth, chances[:, 1])

    def right(truth: NDArray[np.float64], chances: NDArray[np.float64]) -> float:
        return float((chances.argmax(axis=1) == truth).mean())

    cases: tuple[Case, ...] = (
        (
            "linear R²",
            Linear,
            REAL,
            linear.statistic,
            "real",
            1,
            LinearRegression(),
            r_squared,
            " (target: within .03)",
        ),
        (
            "logistic AUC",
            Logistic,
            CLASSES,
            logistic.statistic,
            "classes",
            ROUNDS,
            LogisticRegression(C=1e6),
            ranked,
            " (target: within .01)",
        ),
        (
            "three classes, share right",
            Logistic,
            KINDS,
            logistic.statistic,
            "kinds",
            ROUNDS,
            LogisticRegression(C=1e6),
            right,
            "",
        ),
        ("Poisson D²", Poisson, COUNTS, poisson.statistic, "counts", ROUNDS, PoissonRegressor(alpha=0), explained, ""),
    )
    rows = []
    for what, kind, dimensions, statistic, target, rounds, pooled, score, wanted in cases:
        truth = getattr(other, target).reshape(-1)
        pooled.fit(task.pooled, getattr(task, target).reshape(-1))
        guess = pooled.predict_proba if hasattr(pooled, "predict_proba") else pooled.predict
        reference = score(truth, guess(inputs))
        recipe = kind.of(dimensions, from_file(kind.settings, {}, "bench"))
        scores = []
        for seed in range(REPEATS):
            model = train(recipe, statistic, task, target, rounds=rounds, epsilon=1.0, seed=seed, copies=COPIES)
            scores.append(score(truth, recipe.predict(model, inputs)))
        figure = f"{np.mean(scores):.4f}, worst {min(scores):.4f}; scikit-learn {reference:.4f}{wanted}"
        rows.append((f"{what}, {HOMES * COPIES:,} homes, epsilon 1", figure))
    return rows


if __name__ == "__main__":
    for what, value in measure():
        print(f"{what:70} {value}")
