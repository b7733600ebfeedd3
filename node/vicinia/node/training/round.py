"""A home's vector of one round: it trains, or it evaluates, and never both."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
from vicinia.training import evaluation

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.privacy.stream import Stream
    from vicinia.training.compiled import Training
    from vicinia.training.examples import Examples
    from vicinia.training.model import Model

__all__ = ["round_vector"]


def round_vector(
    training: Training,
    model: Model,
    examples: Examples,
    clip: float,
    stream: Stream,
    *,
    evaluates: bool,
    out_of_time: Callable[[], bool],
) -> NDArray[np.float64]:
    """float64[training.layout.length], within the layout's norms; zeros where time ran out or there are no examples.

    clip: the norm that updates are cut to; evaluates: this home is held out, and only measures the model.
    """
    vector = np.zeros(training.layout.length)
    if evaluates:
        predictions = training.recipe.predict(model, examples.inputs)
        if not out_of_time():
            part = evaluation.statistic(training.design.dimensions, predictions, examples)
            vector[training.evaluation_slots] = part
        return vector
    recipe = training.recipe
    home = import_module(f"vicinia.node.training.{recipe.name}")
    if training.strategy is not None:
        part = home.statistic(recipe, model, examples, clip, stream, out_of_time)
    else:
        part = home.statistic(recipe, model, examples, clip, stream)
    if not out_of_time():
        vector[training.training_slots] = part
    return vector
