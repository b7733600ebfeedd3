"""What a home sends in the round that standardises: sums over its examples, from which mean and deviation come.

Divided by m, they are the number of examples and, of every numeric input x as its bounds have scaled it to [-1, 1], the
sums of x and of 2x² - 1: the first Chebyshev polynomials, so that the square uses all of [-1, 1], too, and the same
noise tells twice as much of it. Every number of an example is at most 1, so over √(2q + 1) a home's vector has a norm
of at most 1.
"""

from __future__ import annotations

from fractions import Fraction
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from vicinia.privacy.rounding import clip_vector
from vicinia.training.layout import Block, VectorLayout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from vicinia.training.examples import Examples

__all__ = ["layout", "statistic"]

_LABEL = "sums that inputs are standardised by"


def layout(inputs: int) -> VectorLayout:
    """One block for this many numeric inputs, q: 2q + 1 slots with a norm of at most 1."""
    return VectorLayout((Block(_LABEL, 2 * inputs + 1),), Fraction(1))


def statistic(numeric: Sequence[int], examples: Examples) -> NDArray[np.float64]:
    """The home's vector, float64[2q + 1]. numeric: the q columns of the examples' inputs that are numbers."""
    inputs = examples.inputs[:, list(numeric)]
    sums = np.concatenate(([len(inputs)], inputs.sum(axis=0), (2.0 * inputs * inputs - 1.0).sum(axis=0)))
    blocks = layout(len(numeric))
    return clip_vector(sums / (examples.limit * sqrt(blocks.length)), blocks.norm_squared, blocks.group_lengths)
