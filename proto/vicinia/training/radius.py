"""The radius that homes' sums are cut to from round to round: a quantile of their sizes, which only noise has shown.

A home sends, beside its sums, in which interval their norm lies, as one slot of a histogram.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NORM", "NORM_EDGES", "NORM_SHARE", "SUMS_SHARE", "next_radius"]

NORM = "size of the sums"
"""The label of the histogram's block."""
# Of the vector's squared norm: enough for the sizes' distribution, and the sums lose 2 % to it.
NORM_SHARE, SUMS_SHARE = sqrt(0.04), sqrt(0.96)
# Half octaves from 2^-8 to 2^6: in which of them the norm of a home's sums lies.
NORM_EDGES: tuple[float, ...] = tuple(
    2.0 ** (place // 2) * (sqrt(2.0) if place % 2 else 1.0) for place in range(-16, 13)
)


def next_radius(radius: float, sizes: NDArray[np.float64], noise: float, unclipped: float) -> float:
    """The wanted quantile of the sizes of homes' sums, at most a factor of two from the last radius.

    sizes: the histogram as it was released, float64[len(NORM_EDGES) + 1]; noise: the standard deviation in each of its
    slots; unclipped: the share of homes whose sums are to be left as long as they are.
    """
    counts = sizes / NORM_SHARE
    below = np.maximum.accumulate(np.cumsum(counts))
    hidden = noise / NORM_SHARE * sqrt(len(counts))
    if below[-1] <= 4.0 * hidden:
        return radius
    ends = np.array((0.0, *NORM_EDGES, 2.0 * NORM_EDGES[-1]))
    found = float(np.interp(unclipped * below[-1], np.concatenate(([0.0], below)), ends))
    return min(max(found, radius / 2.0), radius * 2.0)
