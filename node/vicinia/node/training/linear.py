"""A home's part in a linear regression: sums of squares and products of its examples."""

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
    from vicinia.training.recipes.linear import Linear

__all__ = ["statistic"]


def statistic(
    recipe: Linear,
    model: Model,  # noqa: ARG001
    examples: Examples,
    clip: float,  # noqa: ARG001
    stream: object,  # noqa: ARG001
) -> NDArray[np.float64]:
    """The home's vector, float64[recipe.layout().length]; model, clip and stream do not matter."""
    rows = np.column_stack((np.ones(len(examples)), examples.inputs, examples.target))
    weighted = rows * weights(examples.inputs, recipe.bound, 2)[:, None]
    sums = weighted.T @ rows / (examples.limit * recipe.bound)
    layout = recipe.layout()
    return clip_vector(pack(sums), layout.norm_squared, layout.group_lengths)
