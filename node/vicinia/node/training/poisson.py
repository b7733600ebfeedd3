"""A home's part in a round of Poisson regression: gradient and curvature of its examples' loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from vicinia.privacy.rounding import clip_vector
from vicinia.training.regression import weights
from vicinia.training.symmetric import pack

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.training.examples import Examples
    from vicinia.training.model import Model
    from vicinia.training.recipes.poisson import Poisson

__all__ = ["statistic"]


def statistic(
    recipe: Poisson,
    model: Model,
    examples: Examples,
    clip: float,  # noqa: ARG001
    stream: object,  # noqa: ARG001
) -> NDArray[np.float64]:
    """The home's vector, float64[recipe.layout().length]; clip and stream do not matter."""
    rows = np.column_stack((np.ones(len(examples)), examples.inputs))
    weight = weights(examples.inputs, recipe.bound, 1) / examples.limit
    mean = recipe.predict(model, examples.inputs)
    gradient = (weight * (mean - examples.target)) @ rows / recipe.gradient_unit
    curvature = (rows * (weight * mean)[:, None]).T @ rows / recipe.curvature_unit
    layout = recipe.layout()
    return clip_vector(np.concatenate((gradient, pack(curvature))), layout.norm_squared, layout.group_lengths)
