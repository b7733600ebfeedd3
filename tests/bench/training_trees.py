"""How well boosted trees learn at 10,000 homes with the noise of ε = 1, beside scikit-learn's on the pooled records.

Two tasks, each with 24 records per home and 12 inputs: the project's synthetic one (`training_task`) where it is there,
and a harder one, `crossed`, with skewed and binary inputs, sines, products, steps and a home effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import hypot

import numpy as np
from numpy.typing import NDArray
from vicinia.node.training.trees import cells, gradients
from vicinia.privacy.conversion import epsilon_to_rho_nano
from vicinia.privacy.noise import NoisePlan
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.model import Model
from vicinia.training.radius import NORM_EDGES, NORM_SHARE, SUMS_SHARE
from vicinia.training.recipe import Aggregate
from vicinia.training.recipes.trees import HESSIAN_WEIGHT, Trees
from vicinia.training.settings import from_file

__all__ = ["auc", "cohort_sum", "crossed", "measure", "noise_of", "train"]

RECORDS, INPUTS = 24, 12
HOMES, HELD_OUT = 10_000, 2_500
CHUNK = 250


def measure() -> list[tuple[str, str]]:
    """AUC and R² of held-out homes, as (what, figure) rows."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    rows = []
    inputs, target, logit = crossed(HOMES, 1)
    held, truth, held_logit = crossed(HELD_OUT, 2)
    classes = Dimensions(INPUTS, TargetKind.CLASSES, 2)
    recipe, model = train(inputs, target, classes, {}, epsilon=1.0)
    ours = auc(truth, recipe.predict(model, held)[:, 1])
    theirs = auc(truth, HistGradientBoostingClassifier(random_state=0).fit(inputs, target).predict_proba(held)[:, 1])
    rows.append(("boosted trees, AUC, n=10,000, ε=1", f"{ours:.3f} (scikit-learn {theirs:.3f}; target above .80)"))
    number, held_number = np.tanh(logit / 4), np.tanh(held_logit / 4)
    recipe, model = train(inputs, number, Dimensions(INPUTS, TargetKind.REAL), {}, epsilon=1.0)
    ours = _explained(held_number, recipe.predict(model, held))
    theirs = _explained(held_number, HistGradientBoostingRegressor(random_state=0).fit(inputs, number).predict(held))
    rows.append(("boosted trees, R², n=10,000, ε=1", f"{ours:.3f} (scikit-learn {theirs:.3f})"))
    return rows


def crossed(homes: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Inputs float64[24 homes, 12], classes and logits float64[24 homes], home by home.

    Inputs are normal with a share of .3 of the variance between homes, squashed by tanh; number 4 is skewed and number
    5 binary. The logit has a sine, two products, a step in two inputs, a kink and an effect of the home.
    """
    draw = np.random.Generator(np.random.PCG64(seed))
    level = np.repeat(draw.normal(size=(homes, INPUTS)), RECORDS, axis=0)
    z = np.sqrt(0.3) * level + np.sqrt(0.7) * draw.normal(size=(homes * RECORDS, INPUTS))
    inputs = np.tanh(z / 1.5)
    inputs[:, 4] = 2 * np.exp(np.minimum(z[:, 4], 2.5) - 2.5) - 1
    binary = np.where(z[:, 5] > 0.3, 1.0, -1.0)
    inputs[:, 5] = binary
    effect = 0.3 * np.repeat(draw.normal(size=homes), RECORDS)
    logit = 1.6 * np.sin(2 * z[:, 0]) + 1.3 * z[:, 1] * np.sign(z[:, 2]) + 2.0 * ((z[:, 3] > 0) & (z[:, 4] > -0.5))
    logit += 1.2 * z[:, 5] * (np.abs(z[:, 6]) - 0.8) + 0.8 * binary * z[:, 7] + 0.7 * z[:, 8] + 0.5 * np.abs(z[:, 9])
    logit = 1.2 * (logit - 0.9) + effect
    return inputs, (draw.uniform(size=len(logit)) < 1 / (1 + np.exp(-logit))).astype(np.float64), logit


def train(
    inputs: NDArray[np.float64],
    target: NDArray[np.float64],
    dimensions: Dimensions,
    table: Mapping[str, object],
    *,
    epsilon: float | None,
    seed: int = 0,
) -> tuple[Trees, Model]:
    """Train with emulated noise (none without an ε) on consecutive homes of 24 records."""
    recipe = Trees.of(dimensions, from_file(Trees.settings, table, "parameters"))
    draw = np.random.Generator(np.random.PCG64(seed))
    homes = len(inputs) // RECORDS
    noise = 0.0 if epsilon is None else noise_of(recipe, homes, epsilon)
    model = recipe.initial()
    for _ in range(recipe.rounds() or 0):
        total = cohort_sum(recipe, model, inputs, target)
        total += noise * draw.normal(size=len(total))
        model = recipe.step(model, Aggregate(total, noise, homes // 10 * 10))
    return recipe, model


def noise_of(recipe: Trees, homes: int, epsilon: float) -> float:
    """Noise and rounding of one slot of the sum, ε shared by all rounds; a twentieth of the homes is corrupt."""
    layout = recipe.layout()
    rho = epsilon_to_rho_nano(epsilon) // (recipe.rounds() or 1)
    honest = -(-9 * homes // 10) - homes // 20
    plan = NoisePlan.derive(layout.norm_squared, layout.length, rho, homes, honest, group=max(layout.group_lengths))
    return hypot(plan.sum_std(homes), plan.rounding_std(homes))


def cohort_sum(
    recipe: Trees, model: Model, inputs: NDArray[np.float64], target: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The sum of the homes' statistics, as `statistic` has them one by one, for many homes at once."""
    width = 2 * recipe.fine * recipe.dimensions.inputs
    total = np.zeros(recipe.layout().length)
    radius = float(model["radius"][0])
    for start in range(0, len(inputs), CHUNK * RECORDS):
        part, truth = inputs[start : start + CHUNK * RECORDS], target[start : start + CHUNK * RECORDS]
        homes = len(part) // RECORDS
        places, scores = cells(recipe, model, part)
        places = places + 2 * recipe.fine * np.arange(recipe.dimensions.inputs)
        places += width * np.repeat(np.arange(homes), RECORDS)[:, None]
        gradient, hessian = gradients(recipe, scores, truth)
        sums = np.zeros(homes * width)
        for shift, numbers in ((0, gradient), (recipe.fine, HESSIAN_WEIGHT * hessian)):
            weights = np.repeat(numbers / RECORDS, recipe.dimensions.inputs)
            sums += np.bincount((places + shift).ravel(), weights, homes * width)
        table = sums.reshape(homes, width)
        norms = np.sqrt((table * table).sum(axis=1))
        total[:width] += (SUMS_SHARE / np.maximum(norms, radius)) @ table
        total[width:] += NORM_SHARE * np.bincount(np.searchsorted(NORM_EDGES, norms), minlength=len(NORM_EDGES) + 1)
    return total


def auc(truth: NDArray[np.float64], score: NDArray[np.float64]) -> float:
    """The area under the ROC curve by ranks; ties count by their order, so scores should have few."""
    ranks = np.empty(len(score))
    ranks[np.argsort(score, kind="stable")] = np.arange(1, len(score) + 1)
    ones, zeros = int((truth > 0).sum()), int((truth <= 0).sum())
    return float((ranks[truth > 0].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def _explained(truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    return float(1 - ((truth - predicted) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())
