"""Regressions with real noise beside pooled scikit-learn: 24 records per home, 12 inputs, epsilon 1 in all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from training_task import COUNT_HIGH, INPUTS, RECORDS, Task, r_squared, synthetic
from vicinia.node.training import linear
from vicinia.privacy.conversion import epsilon_to_rho_nano
from vicinia.privacy.noise import NoisePlan
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.examples import Examples
from vicinia.training.model import Model
from vicinia.training.recipe import Aggregate, Recipe
from vicinia.training.recipes.linear import Linear

__all__ = ["measure", "train"]

Statistic = Callable[..., NDArray[np.float64]]
HOMES = 10_000
ROUNDS = 4
REPEATS = 3
REAL = Dimensions(INPUTS, TargetKind.REAL)
CLASSES = Dimensions(INPUTS, TargetKind.CLASSES, classes=2)
KINDS = Dimensions(INPUTS, TargetKind.CLASSES, classes=3)
COUNTS = Dimensions(INPUTS, TargetKind.COUNT, high=COUNT_HIGH)


def train(
    recipe: Recipe, statistic: Statistic, task: Task, target: str, *, rounds: int, epsilon: float | None, seed: int
) -> Model:
    """The model after so many rounds of all homes; noise as the nodes would add it, with 9 homes in 10 honest.

    The noise is emulated: one Gaussian of the sum's deviation; epsilon None: no noise.
    """
    draw, model, layout = np.random.default_rng(seed), recipe.initial(), recipe.layout()
    homes = [Examples.cleaned(x, y, RECORDS, recipe.dimensions) for x, y in task.homes(target)]
    noise = 0.0
    if epsilon is not None:
        rho, group = epsilon_to_rho_nano(epsilon) // rounds, max(layout.group_lengths)
        plan = NoisePlan.derive(layout.norm_squared, layout.length, rho, len(task), len(task) * 9 // 10, group=group)
        noise = float(np.hypot(plan.sum_std(len(task)), plan.rounding_std(len(task))))
    for _ in range(rounds):
        total = np.zeros(layout.length)
        for examples in homes:
            total += statistic(recipe, model, examples, 1.0, None)
        total += draw.normal(0.0, noise, layout.length)
        model = recipe.step(model, Aggregate(total, noise, len(task) // 10 * 10))
    return model


def measure() -> list[tuple[str, str]]:
    """Figures as (what, value) rows: each the mean and the worst of a few draws of the noise, on other homes."""
    from sklearn.linear_model import LinearRegression

    task, other = synthetic(HOMES, 1), synthetic(2_000, 2)
    pooled, inputs = task.pooled, other.pooled
    rows = []

    def row(what: str, target: str, reference: float, score: Callable[[int], float], wanted: str) -> None:
        scores = [score(seed) for seed in range(REPEATS)]
        figure = f"{np.mean(scores):.4f}, worst {min(scores):.4f}; scikit-learn {reference:.4f}"
        rows.append((f"{what}, {HOMES:,} homes, epsilon 1", figure + (f" (target: within {wanted})" if wanted else "")))

    truth = other.real.reshape(-1)
    least = LinearRegression().fit(pooled, task.real.reshape(-1))
    for radius in ("1", "0.5"):
        recipe = Linear.of(REAL, {})
        row(
            f"linear R², radius {radius}",
            "real",
            r_squared(truth, least.predict(inputs)),
            lambda seed, recipe=recipe: r_squared(
                truth,
                recipe.predict(train(recipe, linear.statistic, task, "real", rounds=1, epsilon=1, seed=seed), inputs),
            ),
            ".03",
        )
    return rows
