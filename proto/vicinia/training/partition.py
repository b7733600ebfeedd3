"""Regression trees from noisy histograms: where gradients' sums differ by more than the noise explains.

A leaf's value is the Newton step -G/(H + λ) (Chen & Guestrin 2016, "XGBoost", section 2.2). The gain of a split is
lessened by what noise alone is expected to gain, times `caution`; a leaf's value is shrunk by the share of G² that
noise explains (positive-part James-Stein). Sums, products, roots and comparisons only, so that every machine grows the
same trees from the same release. All rows of a table are grown at once, each by its own best split.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Pruning", "Sums", "pair_tables", "step_functions"]


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


def pair_tables(sums: Sums, pruning: Pruning) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values float64[n, contexts, bins] for sums of that shape, and the gains float64[n]; `contexts` is a power of two.

    A step function along the bins for all contexts together, then what remains for each half of them, each quarter,
    and so on: a pure interaction (XOR) has no gain until both inputs are split, so the halves are always tried.
    """
    n, contexts, bins = sums.gradients.shape
    left = sums.gradients.copy()
    values, gains = np.zeros_like(left), np.zeros(n)
    width = contexts
    while width:
        groups = (n, contexts // width, width, bins)
        wider = np.sqrt(width)
        rows = Sums(
            left.reshape(groups).sum(axis=2).reshape(-1, bins),
            sums.hessians.reshape(groups).sum(axis=2).reshape(-1, bins),
            sums.gradient_noise * wider,
            sums.hessian_noise * wider,
        )
        found, gained = step_functions(rows, pruning)
        added = np.repeat(found.reshape(n, contexts // width, bins), width, axis=1)
        values += added
        left += np.maximum(sums.hessians, 0.0) * added
        gains += gained.reshape(n, -1).sum(axis=1)
        width //= 2
    return values, gains


def step_functions(sums: Sums, pruning: Pruning) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values float64[rows, bins] for sums of that shape, grown best split first, and the gains float64[rows]."""
    grower = _Grower(sums, pruning)
    rows, bins = sums.gradients.shape
    active, gains = np.arange(rows), np.zeros(rows)
    grower.plant(active, np.zeros(rows, np.intp), np.full(rows, bins))
    for _ in range(pruning.leaves - 1):
        best = np.argmax(grower.gains[active], axis=1)
        gained = grower.gains[active, best]
        active, best, gained = (some[gained > 0.0] for some in (active, best, gained))
        if not len(active):
            break
        cuts, ends = grower.cuts[active, best], grower.ends[active, best]
        grower.plant(active, best, cuts)
        grower.plant(active, cuts, ends)
        gains[active] += gained
    return grower.values(), gains


class _Grower:
    """The leaves of every row so far, and the best split of each, by the bin at which the leaf starts.

    `gains`: float64[rows, bins], 0 where a leaf has no split, -1 where none starts; `cuts`: where the split's right
    part starts; `ends`: where the leaf ends, 0 where none starts.
    """

    def __init__(self, sums: Sums, pruning: Pruning) -> None:
        self._gradients = _running(sums.gradients)
        self._hessians = _running(sums.hessians)
        self._variance = sums.gradient_noise**2
        self._hessian_noise = sums.hessian_noise
        self._pruning = pruning
        self.gains = np.full(sums.gradients.shape, -1.0)
        self.cuts = np.zeros(sums.gradients.shape, np.intp)
        self.ends = np.zeros(sums.gradients.shape, np.intp)

    def plant(self, rows: NDArray[np.intp], starts: NDArray[np.intp], ends: NDArray[np.intp]) -> None:
        """A new leaf of each of these rows, from its start to its end, with its best split."""
        self.gains[rows, starts], self.ends[rows, starts] = 0.0, ends
        wide = ends - starts > 1
        rows, starts, ends = rows[wide], starts[wide], ends[wide]
        if not len(rows):
            return
        # The places between the bins of each leaf, one leaf after the other.
        places = ends - starts - 1
        first = np.cumsum(places) - places
        leaf = np.repeat(np.arange(len(rows)), places)
        cuts = np.arange(len(leaf)) - first[leaf] + starts[leaf] + 1
        gains = self._gains(rows[leaf], starts[leaf], ends[leaf], cuts)
        best = np.maximum.reduceat(gains, first)
        self.gains[rows, starts] = best
        # Of equally good ones the first.
        self.cuts[rows, starts] = np.minimum.reduceat(np.where(gains == best[leaf], cuts, ends[leaf]), first)

    def values(self) -> NDArray[np.float64]:
        """The shrunk Newton step of each bin's leaf, float64[rows, bins]."""
        rows, starts = np.nonzero(self.ends)
        ends = self.ends[rows, starts]
        gradient = self._gradients[rows, ends] - self._gradients[rows, starts]
        hessian = np.maximum(self._hessians[rows, ends] - self._hessians[rows, starts], self._pruning.least)
        noise, square = self._variance * (ends - starts), gradient * gradient
        seen = square > noise
        shrunk = 1.0 - noise / np.where(seen, square, 1.0)
        steps = np.where(seen, -gradient / (hessian + self._pruning.l2) * shrunk, 0.0)
        steps = np.clip(steps, -self._pruning.largest, self._pruning.largest)
        return np.repeat(steps, ends - starts).reshape(self.gains.shape)

    def _gains(
        self, rows: NDArray[np.intp], starts: NDArray[np.intp], ends: NDArray[np.intp], cuts: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """The gain of each cut of a row's leaf, 0 where it is none; all of one shape."""
        left, whole = cuts - starts, ends - starts
        right = whole - left
        # Two deviations of the noise: below, a Hessian may as well be zero.
        least = np.maximum(self._pruning.least, 2.0 * self._hessian_noise * np.sqrt(np.minimum(left, right)))
        before, after = self._gradients[rows, starts], self._gradients[rows, ends]
        gradient, whole_gradient = self._gradients[rows, cuts] - before, after - before
        before, after = self._hessians[rows, starts], self._hessians[rows, ends]
        hessian = self._hessians[rows, cuts] - before
        other = after - before - hessian
        weight, other_weight = (np.maximum(part, least) + self._pruning.l2 for part in (hessian, other))
        gain = gradient**2 / weight + (whole_gradient - gradient) ** 2 / other_weight
        gain -= whole_gradient**2 / (weight + other_weight)
        noise = left / weight + right / other_weight - whole / (weight + other_weight)
        gain = gain - self._pruning.caution * self._variance * noise
        found: NDArray[np.float64] = np.where((hessian > least) & (other > least), np.maximum(gain, 0.0), 0.0)
        return found


def _running(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Running sums along the bins, float64[rows, bins + 1], from 0."""
    sums = np.zeros((cells.shape[0], cells.shape[1] + 1))
    np.cumsum(cells, axis=1, out=sums[:, 1:])
    return sums
