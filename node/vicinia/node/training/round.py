"""A home's vector of one round: it trains, or it evaluates, or neither; never both."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, cast

import numpy as np
from vicinia.training import evaluation
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

    clip: the norm that updates are cut to; measured: told the norm of an update before that.
    """
    vector = np.zeros(training.layout.length)
    recipe = training.recipe
    if part is Part.EVALUATES:
        found = evaluation.statistic(training.design.dimensions, _predictions(recipe, model, examples), examples)
        if not out_of_time():
            vector[training.evaluation_slots] = found
    elif part is Part.TRAINS:
        home = import_module(f"vicinia.node.training.{recipe.name}")
        timed = (out_of_time, measured) if training.strategy is not None else ()
        learnt = home.statistic(recipe, model, examples, clip, stream, *timed)
        if not out_of_time():
            vector[training.training_slots] = learnt
    return vector


def _predictions(recipe: Recipe, model: Model, examples: Examples) -> NDArray[np.float64]:
    """What is compared with the target; without one, what the model makes of the inputs themselves."""
    if recipe.dimensions.target is TargetKind.NONE:
        found: NDArray[np.float64] = cast("Reconstructing", recipe).reconstruct(model, examples.inputs)
        return found
    return recipe.predict(model, examples.inputs)
