"""A home's vector of one round: it trains, or it evaluates, or it sends sums to standardise by, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, cast

import numpy as np
from vicinia.training import evaluation, moments
from vicinia.training.compiled import Part
from vicinia.training.dimensions import TargetKind

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.privacy.stream import Stream
    from vicinia.training.compiled import Training
    from vicinia.training.examples import Examples
    from vicinia.training.model import Model
    from vicinia.training.recipe import Recipe, Reconstructing

__all__ = ["round_vector"]

BLOCK = 256
"""Examples at a time."""

# What these send is no sum over examples: they look at the clock themselves.
_WHOLE = ("mlp", "trees")


def round_vector(
    training: Training,
    model: Model,
    examples: Examples,
    clip: float,
    stream: Stream,
    *,
    part: Part,
    out_of_time: Callable[[], bool],
    measured: Callable[[float], None],
) -> NDArray[np.float64]:
    """float64[training.layout.length], within the layout's norms; zeros where time ran out or there are no examples.

    examples: as their bounds scale them where `part` is SCALES, else as the training has standardised them.

    clip: the norm that updates are cut to; measured: told the norm of an update before that.
    """
    vector = np.zeros(training.layout.length)
    recipe = training.recipe
    home = import_module(f"vicinia.node.training.{recipe.name}")
    if part is Part.EVALUATES:
        vector[training.evaluation_slots] += _summed(
            lambda some: evaluation.statistic(training.design.dimensions, _predictions(recipe, model, some), some),
            examples,
            out_of_time,
        )
    elif part is Part.SCALES:
        numeric = training.design.numeric
        vector[training.scaling_slots] += _summed(lambda some: moments.statistic(numeric, some), examples, out_of_time)
    elif part is Part.TRAINS and recipe.name in _WHOLE:
        learnt = home.statistic(recipe, model, examples, clip, stream, out_of_time, measured)
        vector[training.training_slots] = 0.0 if out_of_time() else learnt
    elif part is Part.TRAINS:
        vector[training.training_slots] += _summed(
            lambda some: home.statistic(recipe, model, some, clip, stream), examples, out_of_time
        )
    return vector


def _summed(
    statistic: Callable[[Examples], NDArray[np.float64]], examples: Examples, out_of_time: Callable[[], bool]
) -> NDArray[np.float64] | float:
    """The sum over blocks of examples, which bounds the memory; 0 where there are none, or time runs out."""
    found: NDArray[np.float64] | float = 0.0
    for some in examples.blocks(BLOCK):
        if out_of_time():
            return 0.0
        found = found + statistic(some)
    return 0.0 if out_of_time() else found


def _predictions(recipe: Recipe, model: Model, examples: Examples) -> NDArray[np.float64]:
    """What is compared with the target; without one, what the model makes of the inputs themselves. Not finite where
    the model's numbers, which may be anything, are too large."""
    with np.errstate(all="ignore"):
        if recipe.dimensions.target is TargetKind.NONE:
            found: NDArray[np.float64] = cast("Reconstructing", recipe).reconstruct(model, examples.inputs)
            return found
        return recipe.predict(model, examples.inputs)
