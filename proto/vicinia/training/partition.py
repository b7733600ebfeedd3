"""Regression trees from noisy histograms: where gradients' sums differ by more than the noise explains.

A leaf's value is the Newton step -G/(H + λ) (Chen & Guestrin 2016, "XGBoost", section 2.2). The gain of a split is
lessened by what noise alone is expected to gain, times `caution`; a leaf's value is shrunk by the share of G² that
noise explains (positive-part James-Stein). Sums, products, roots and comparisons only, so that every machine grows the
same trees from the same release.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Pruning", "Sums", "pair_table", "step_function"]


@dataclass(frozen=True, slots=True)
class Sums:
    """Noisy sums of gradients and Hessians, float64 of one shape; and the standard deviations of the noise in a cell
    of each."""

    gradients: NDArray[np.float64]
    hessians: NDArray[np.float64]
    gradient_noise: float
    hessian_noise: float


@dataclass(frozen=True, slots=True)
class Pruning:
    """`l2`: λ; `caution`: how many times the noise's own gain a split must gain; `least`: the least Hessian of a
    leaf; `leaves`: the most leaves of one step function; `largest`: the largest magnitude of a leaf's value."""

    l2: float
    caution: float
    least: float
    leaves: int
    largest: float


def pair_table(sums: Sums, pruning: Pruning) -> tuple[NDArray[np.float64], float]:
    """Values float64[contexts, bins] for sums of that shape, and the gain; `contexts` is a power of two.

    A step function along the bins for all contexts together, then what remains for each half of them, each quarter,
    and so on: a pure interaction (XOR) has no gain until both inputs are split, so the halves are always tried.
    """
    gradients, hessians = sums.gradients.copy(), sums.hessians
    values, gain = np.zeros_like(gradients), 0.0
    width = len(gradients)
    while width:
        wider = np.sqrt(width)
        for start in range(0, len(gradients), width):
            rows = slice(start, start + width)
            row = Sums(
                gradients[rows].sum(axis=0),
                hessians[rows].sum(axis=0),
                sums.gradient_noise * wider,
                sums.hessian_noise * wider,
            )
            added, gained = step_function(row, pruning)
            values[rows] += added
            gradients[rows] += np.maximum(hessians[rows], 0.0) * added
            gain += gained
        width //= 2
    return values, gain


def step_function(sums: Sums, pruning: Pruning) -> tuple[NDArray[np.float64], float]:
    """Values float64[bins] for sums of that shape, grown best split first, and the gain of the splits."""
    grower = _Grower(sums, pruning)
    bins = len(sums.gradients)
    leaves = [(0, bins, *grower.split(0, bins))]
    total = 0.0
    while len(leaves) < pruning.leaves:
        best = max(range(len(leaves)), key=lambda place: leaves[place][2])
        start, end, gain, cut = leaves[best]
        if gain <= 0.0:
            break
        leaves[best : best + 1] = [(start, cut, *grower.split(start, cut)), (cut, end, *grower.split(cut, end))]
        total += gain
    return np.concatenate([np.full(end - start, grower.value(start, end)) for start, end, *_ in leaves]), total


class _Grower:
    """Splits and values of ranges of bins, from running sums."""

    def __init__(self, sums: Sums, pruning: Pruning) -> None:
        self._gradients = np.concatenate(([0.0], np.cumsum(sums.gradients)))
        self._hessians = np.concatenate(([0.0], np.cumsum(sums.hessians)))
        self._variance = sums.gradient_noise**2
        self._hessian_noise = sums.hessian_noise
        self._pruning = pruning

    def split(self, start: int, end: int) -> tuple[float, int]:
        """The gain of the best cut and where it is; a gain of 0 where there is none."""
        if end - start < 2:
            return 0.0, end
        bins = end - start
        left = np.arange(1, bins)
        gradient, hessian = self._inside(self._gradients, start, end), self._inside(self._hessians, start, end)
        whole_gradient = self._gradients[end] - self._gradients[start]
        other = self._hessians[end] - self._hessians[start] - hessian
        # Two deviations of the noise: below, a Hessian may as well be zero.
        least = np.maximum(self._pruning.least, 2.0 * self._hessian_noise * np.sqrt(np.minimum(left, bins - left)))
        weight, other_weight = (np.maximum(part, least) + self._pruning.l2 for part in (hessian, other))
        gain = gradient**2 / weight + (whole_gradient - gradient) ** 2 / other_weight
        gain -= whole_gradient**2 / (weight + other_weight)
        noise = left / weight + (bins - left) / other_weight - bins / (weight + other_weight)
        gain = gain - self._pruning.caution * self._variance * noise
        gain = np.where((hessian > least) & (other > least), gain, 0.0)
        best = int(np.argmax(gain))
        return max(float(gain[best]), 0.0), start + 1 + best

    def value(self, start: int, end: int) -> float:
        """The shrunk Newton step of a leaf."""
        gradient = float(self._gradients[end] - self._gradients[start])
        hessian = max(float(self._hessians[end] - self._hessians[start]), self._pruning.least)
        noise = self._variance * (end - start)
        if gradient * gradient <= noise:
            return 0.0
        value = -gradient / (hessian + self._pruning.l2) * (1.0 - noise / (gradient * gradient))
        return min(max(value, -self._pruning.largest), self._pruning.largest)

    @staticmethod
    def _inside(running: NDArray[np.float64], start: int, end: int) -> NDArray[np.float64]:
        inside: NDArray[np.float64] = running[start + 1 : end] - running[start]
        return inside
