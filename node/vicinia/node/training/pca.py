"""A home's part in principal components: sums of squares and products of its inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from vicinia.privacy.rounding import clip_vector
from vicinia.training.symmetric import pack

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.training.examples import Examples
    from vicinia.training.model import Model
    from vicinia.training.recipes.pca import PCA

__all__ = ["statistic", "sums"]


def statistic(
    recipe: PCA,
    model: Model,  # noqa: ARG001
    examples: Examples,
    clip: float,  # noqa: ARG001
    stream: object,  # noqa: ARG001
) -> NDArray[np.float64]:
    """The home's vector, float64[recipe.layout().length]; model, clip and stream do not matter."""
    layout = recipe.layout()
    return clip_vector(sums(recipe, examples), layout.norm_squared, layout.group_lengths)


def sums(recipe: PCA, examples: Examples) -> NDArray[np.float64]:
    """The vector before the norm is made sure of, which leaves it as it is but for rounding: the sum of homes'."""
    # The 1 stays, the inputs are shortened: a shortened example still counts as one.
    reach = np.sqrt(recipe.bound - 1.0)
    lengths = np.sqrt(np.square(examples.inputs).sum(axis=1))
    inputs = examples.inputs * np.minimum(1.0, reach / np.maximum(lengths, reach))[:, None]
    rows = np.column_stack((np.ones(len(examples)), inputs))
    return pack(rows.T @ rows / (examples.limit * recipe.bound))
