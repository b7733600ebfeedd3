"""What a round of boosted trees makes of its sums: quantiles and an order of inputs, or trees of pairs of inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from vicinia.training.partition import Pruning, Sums, pair_tables, step_functions

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Beginning", "Grown", "first_round", "next_round"]


@dataclass(frozen=True, slots=True)
class Beginning:
    """`base`: the intercept; `edges`: of each input's bins, float64[p, bins - 1]; `order`: the inputs by their strength
    alone, int64[p]."""

    base: float
    edges: NDArray[np.float64]
    order: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Grown:
    """The trees that gain most: their inputs, int64[trees], and values, float64[trees, contexts, bins]; `shared`: the
    value of each part of the context, float64[contexts]; `gains`: of all inputs, float64[p], 0 without a tree."""

    inputs: NDArray[np.int64]
    values: NDArray[np.float64]
    shared: NDArray[np.float64]
    gains: NDArray[np.float64]


def first_round(sums: Sums, pruning: Pruning, bins: int, limit: float) -> Beginning:
    """From sums on equal bins, [p, 1, equal bins]; `limit`: the largest magnitude of the intercept."""
    inputs = len(sums.gradients)
    gradient, hessian = sums.gradients.sum() / inputs, sums.hessians.sum() / inputs
    base = min(max(float(-gradient / max(float(hessian), pruning.least)), -limit), limit)
    edges = np.stack([_quantiles(hessians, bins) for hessians in sums.hessians[:, 0]])
    # The intercept's own part is taken off: what is left tells inputs apart.
    left = sums.gradients[:, 0] + np.maximum(sums.hessians[:, 0], 0.0) * base
    _, gains = step_functions(Sums(left, sums.hessians[:, 0], sums.gradient_noise, sums.hessian_noise), pruning)
    return Beginning(base, edges, np.argsort(-gains, kind="stable"))


def next_round(sums: Sums, pruning: Pruning, context: int, trees: int) -> Grown:
    """At most so many trees from sums by input, part of the context and bin, [p, contexts, bins]."""
    sums = _reconciled(sums)
    shared = _shared(sums, pruning)
    cells = Sums(_within_parts(sums, pruning), sums.hessians, sums.gradient_noise, sums.hessian_noise)
    values, gains = pair_tables(cells, pruning)
    values[context], gains[context] = _own(cells, context, pruning)
    chosen = np.argsort(-gains, kind="stable")[:trees]
    gained = np.where(np.isin(np.arange(len(gains)), chosen), gains, 0.0)
    return Grown(chosen, values[chosen], shared, gained)


def _quantiles(hessians: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """Edges float64[bins - 1] between which equal shares lie; equal bins where the noise hides everything."""
    fine = len(hessians)
    ends = np.array([2.0 * place / fine - 1.0 for place in range(fine + 1)])
    below = np.maximum.accumulate(np.concatenate(([0.0], np.cumsum(hessians))))
    wanted = np.arange(1, bins) / bins
    if below[-1] <= 0.0:
        return 2.0 * wanted - 1.0
    edges: NDArray[np.float64] = np.interp(wanted * below[-1], below, ends)
    return edges


def _shared(sums: Sums, pruning: Pruning) -> NDArray[np.float64]:
    """The value of each part of the context, float64[contexts]: every input's block tells its sums."""
    inputs, contexts, bins = sums.gradients.shape
    noise = sums.gradient_noise**2 * bins / inputs
    values = np.zeros(contexts)
    for part in range(contexts):
        gradient = float(sums.gradients[:, part].sum()) / inputs
        hessian = max(float(sums.hessians[:, part].sum()) / inputs, pruning.least)
        if gradient * gradient > noise:
            value = -gradient / (hessian + pruning.l2) * (1.0 - noise / (gradient * gradient))
            values[part] = min(max(value, -pruning.largest), pruning.largest)
    return values


def _own(cells: Sums, context: int, pruning: Pruning) -> tuple[NDArray[np.float64], float]:
    """The context's own table: only the bins that lie in a part can hold anything there."""
    _, contexts, width = cells.gradients.shape
    bins = np.arange(width)
    part = bins // (width // contexts)
    gradients, hessians = (table[context, part, bins][None] for table in (cells.gradients, cells.hessians))
    values, gains = step_functions(Sums(gradients, hessians, cells.gradient_noise, cells.hessian_noise), pruning)
    return np.tile(values, (contexts, 1)), float(gains[0])


def _within_parts(sums: Sums, pruning: Pruning) -> NDArray[np.float64]:
    """Gradients less what each part's own value explains, all of it: what trees of one round left over together would
    be added by each of them, and the model would overshoot."""
    gradient = sums.gradients.sum(axis=2, keepdims=True)
    hessian = np.maximum(sums.hessians.sum(axis=2, keepdims=True), pruning.least)
    left: NDArray[np.float64] = sums.gradients - sums.hessians * (gradient / hessian)
    return left


def _reconciled(sums: Sums) -> Sums:
    """The same sums, so that every input's add up to the same in each part: their mean, which is the most precise."""

    def even(table: NDArray[np.float64]) -> NDArray[np.float64]:
        totals = table.sum(axis=2, keepdims=True)
        moved: NDArray[np.float64] = table + (totals.mean(axis=0, keepdims=True) - totals) / table.shape[2]
        return moved

    return Sums(even(sums.gradients), even(sums.hessians), sums.gradient_noise, sums.hessian_noise)
