"""A home's part in a round of k-means: its examples by nearest centre, and how far they lie from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from vicinia.privacy.rounding import clip_vector
from vicinia.training.recipes.kmeans import COUNTS, OFFSETS, SPREADS, nearest_centre

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.training.examples import Examples
    from vicinia.training.model import Model
    from vicinia.training.recipes.kmeans import KMeans

__all__ = ["statistic", "sums"]


def statistic(
    recipe: KMeans,
    model: Model,
    examples: Examples,
    clip: float,  # noqa: ARG001
    stream: object,  # noqa: ARG001
) -> NDArray[np.float64]:
    """The home's vector, float64[recipe.layout().length]; of clip and stream it makes no use."""
    layout = recipe.layout()
    return clip_vector(sums(recipe, model, examples), layout.norm_squared, layout.group_lengths)


def sums(recipe: KMeans, model: Model, examples: Examples) -> NDArray[np.float64]:
    """The vector before the norm is made sure of, which leaves it as it is but for rounding: the sum of homes'."""
    layout = recipe.layout()
    vector = np.zeros(layout.length)
    if not len(examples):
        return vector
    clusters, inputs = recipe.clusters, recipe.dimensions.inputs
    centres = np.clip(model["centres"], -1.0, 1.0).astype(np.float64)
    nearest = nearest_centre(centres, examples.inputs)
    offsets = (examples.inputs - centres[nearest]) / recipe.reach
    lengths = np.sqrt(np.square(offsets).sum(axis=1))
    offsets /= np.maximum(lengths, 1.0)[:, None]
    counted, offset, spread = recipe.weights
    share = 1.0 / examples.limit
    vector[layout.place(COUNTS)] = counted * share * np.bincount(nearest, minlength=clusters)
    cells = nearest[:, None] * inputs + np.arange(inputs)
    summed = np.bincount(cells.ravel(), offsets.ravel(), clusters * inputs)
    vector[layout.place(OFFSETS)] = offset * share * summed
    squares = np.minimum(lengths, 1.0) ** 2
    vector[layout.place(SPREADS)] = spread * share * np.bincount(nearest, squares, clusters)
    return vector
