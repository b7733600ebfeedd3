"""A home's part in boosted trees: sums of gradients and Hessians by bin, cut to the round's radius."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from vicinia.privacy.rounding import clip_vector
from vicinia.training.dimensions import TargetKind
from vicinia.training.radius import NORM_EDGES, NORM_SHARE, SUMS_SHARE
from vicinia.training.recipes.trees import HESSIAN_WEIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.training.examples import Examples
    from vicinia.training.model import Model
    from vicinia.training.recipes.trees import Trees

__all__ = ["cells", "gradients", "statistic"]

_SMALLEST_RADIUS = 1e-6
_BLOCK = 256


def statistic(
    recipe: Trees,
    model: Model,
    examples: Examples,
    clip: float,  # noqa: ARG001
    stream: object,  # noqa: ARG001
    out_of_time: Callable[[], bool] = lambda: False,
    measured: Callable[[float], None] = lambda _: None,  # noqa: ARG001
) -> NDArray[np.float64]:
    """The home's vector, float64[recipe.layout().length]; the radius that sums are cut to is part of the model. Zeros
    where time runs out, which is looked at between blocks of examples."""
    layout = recipe.layout()
    vector = np.zeros(layout.length)
    if not len(examples):
        return vector
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.zeros(2 * recipe.fine * recipe.dimensions.inputs)
        for some in examples.blocks(_BLOCK):
            if out_of_time():
                return vector
            sums += _sums(recipe, model, some)
        norm = float(np.sqrt(sums @ sums))
        if not np.isfinite(norm):
            return vector
        radius = max(float(model["radius"][0]), _SMALLEST_RADIUS)
        vector[: len(sums)] = sums * (SUMS_SHARE / max(radius, norm))
        vector[len(sums) + int(np.searchsorted(NORM_EDGES, norm))] = NORM_SHARE
    return clip_vector(vector, layout.norm_squared, layout.group_lengths)


def gradients(
    recipe: Trees, scores: NDArray[np.float64], target: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First and second derivative of the loss by the score, float64[n] each: of the logistic loss, or of a quarter of
    the squared error of the score within the target's bounds, so that both lie within [-1, 1]."""
    if recipe.dimensions.target is TargetKind.CLASSES:
        probability = 1.0 / (1.0 + np.exp(-np.clip(scores, -700.0, 700.0)))
        return probability - target, probability * (1.0 - probability)
    return (np.clip(scores, recipe.lowest, 1.0) - target) / 2.0, np.full(len(target), 0.5)


def cells(recipe: Trees, model: Model, inputs: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The cell of each example in each input's histogram, int64[n, p] below `recipe.fine`, and the scores of the trees
    so far, float64[n]."""
    fine = recipe.fine
    done = recipe.round_of(model)
    if done == 0:
        # Bin b is (2b/fine - 1, 2(b+1)/fine - 1], open below as between quantiles; -1 belongs to the first.
        return np.clip(np.ceil((inputs + 1.0) * (fine / 2.0)).astype(np.int64) - 1, 0, fine - 1), np.zeros(len(inputs))
    binned = recipe.binned(model, inputs)
    part = recipe.part(binned[:, recipe.context_of(model, done - 1)])
    return part[:, None] * recipe.bins + binned, recipe.scores(model, binned)


def _sums(recipe: Trees, model: Model, examples: Examples) -> NDArray[np.float64]:
    """Sums over the examples, divided by m: for each input the gradients' cells, then the Hessians'."""
    inputs, fine = recipe.dimensions.inputs, recipe.fine
    places, scores = cells(recipe, model, examples.inputs)
    places = places + 2 * fine * np.arange(inputs)
    gradient, hessian = gradients(recipe, scores, examples.target)
    length = 2 * fine * inputs
    sums = np.zeros(length)
    for shift, numbers in ((0, gradient), (fine, HESSIAN_WEIGHT * hessian)):
        sums += np.bincount((places + shift).ravel(), np.repeat(numbers / examples.limit, inputs), length)
    return sums
