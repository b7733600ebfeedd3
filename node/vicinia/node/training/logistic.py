"""A home's part in a round of logistic or multinomial regression: gradient and curvature of its examples' loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from vicinia.privacy.rounding import clip_vector
from vicinia.training.recipes.logistic import contrasts
from vicinia.training.regression import weights
from vicinia.training.symmetric import pack

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.training.examples import Examples
    from vicinia.training.model import Model
    from vicinia.training.recipes.logistic import Logistic

__all__ = ["statistic"]


def statistic(
    recipe: Logistic,
    model: Model,
    examples: Examples,
    clip: float,  # noqa: ARG001
    stream: object,  # noqa: ARG001
) -> NDArray[np.float64]:
    """The home's vector, float64[recipe.layout().length]; clip and stream do not matter."""
    rows = np.column_stack((np.ones(len(examples)), examples.inputs))
    weight = weights(examples.inputs, recipe.bound, 1) / examples.limit
    chances = recipe.predict(model, examples.inputs)
    basis = contrasts(recipe.dimensions.classes)
    residuals = (chances - np.eye(len(basis))[examples.target.astype(np.intp)]) @ basis
    gradient = (residuals * weight[:, None]).T @ rows / recipe.gradient_unit

    spread = np.einsum("ka,nk,kb->nab", basis, chances, basis)
    centre = chances @ basis
    spread = pack(spread - centre[:, :, None] * centre[:, None, :]) * weight[:, None]
    curvature = [pack((rows * column[:, None]).T @ rows) / recipe.curvature_unit for column in spread.T]
    layout = recipe.layout()
    vector = np.concatenate((gradient.reshape(-1), *curvature))
    return clip_vector(vector, layout.norm_squared, layout.group_lengths)
