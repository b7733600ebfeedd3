"""From the sums over the cohort to a table with honest errors.

A cell's value is a function of a few slot sums; its standard error follows from theirs by the delta method (first
order). Noise and rounding are independent between slots and equally strong in each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from vicinia.errors import InvalidInput
from vicinia.query.expression import number_text
from vicinia.query.layout import Group, GroupKind
from vicinia.query.plan import Aggregate, AggregateKind, Plan

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BELOW_NOISE", "NO_DATA", "SMALLER_THAN_NOISE", "CellResult", "bin_labels", "finalise", "pooled"]

BELOW_NOISE = "below noise"
"""The value is null: its denominator or variance is estimated at or below zero, or below its own noise."""
SMALLER_THAN_NOISE = "smaller than its noise"
OUTSIDE = "outside of its bounds, by noise"
NO_DATA = "no data"


@dataclass(frozen=True, slots=True)
class CellResult:
    """One number of the result: the cell's keys, the column, the value and what it may be off by.

    `stderr`: standard error by noise and rounding alone. `sampling_stderr`: that of another sample of as many homes,
    where it is known. `note`: words where there is something to say.
    """

    keys: dict[str, str | int]
    column: str
    value: float | None
    stderr: float | None
    note: str
    sampling_stderr: float | None = None


@dataclass(frozen=True, slots=True)
class _Estimate:
    value: float | None
    stderr: float | None
    note: str = ""
    sampling: float | None = None


def finalise(
    plan: Plan, sums: NDArray[np.float64], noise_std: float, rounding_std: float, survivors: int
) -> tuple[CellResult, ...]:
    """The result, cell by cell in the layout's order, each cell in the order of SELECT; a histogram bin by bin.

    sums: float64[layout.length], the sum of the survivors' vectors in vector units (a slot's largest is 1); noise_std
    and rounding_std: standard deviations of one slot's sum in the same units. With both 0 the values are exact.
    """
    if sums.shape != (plan.layout.length,):
        raise InvalidInput(f"The sums have shape {sums.shape}, the plan has {plan.layout.length} slots.", where="sums")
    results: list[CellResult] = []
    deviation = math.hypot(noise_std, rounding_std)
    for number, cell in enumerate(plan.layout.cells):
        keys = dict(zip(plan.layout.key_names, cell, strict=True))
        reader = _Cell(plan, sums, number, deviation, survivors)
        for aggregate in plan.aggregates:
            for column, estimate in reader.estimates(aggregate):
                value, stderr, note, sampling = estimate.value, estimate.stderr, estimate.note, estimate.sampling
                results.append(CellResult(keys, column, value, stderr, note, sampling))
    return tuple(results)


def pooled(plan: Plan, vectors: Iterable[NDArray[np.float64]]) -> tuple[CellResult, ...]:
    """The same statistic over the homes' exact vectors, without noise or rounding, clipped as declared."""
    sums = np.zeros(plan.layout.length, dtype=np.float64)
    homes = 0
    for vector in vectors:
        sums += vector
        homes += 1
    return finalise(plan, sums, 0.0, 0.0, homes)


def bin_labels(aggregate: Aggregate) -> tuple[str, ...]:
    """The columns of a histogram: its label and each bin, `[low, high)`, the last one closed."""
    edges = [
        number_text(aggregate.low + (aggregate.high - aggregate.low) * place / aggregate.bins)
        for place in range(aggregate.bins + 1)
    ]
    ends = [")"] * (aggregate.bins - 1) + ["]"]
    return tuple(
        f"{aggregate.label} [{low}, {high}{end}" for low, high, end in zip(edges, edges[1:], ends, strict=False)
    )


@dataclass(frozen=True, slots=True)
class _Cell:
    """The slot sums of one cell and the standard deviation of each."""

    plan: Plan
    sums: NDArray[np.float64]
    number: int
    deviation: float
    survivors: int

    def estimates(self, aggregate: Aggregate) -> list[tuple[str, _Estimate]]:
        """Column and estimate, one of each but for histograms."""
        match aggregate.kind:
            case AggregateKind.HISTOGRAM:
                group = aggregate.groups[0]
                bins = [self._count(self._sum(group, place), 1.0) for place in range(group.width)]
                return list(zip(bin_labels(aggregate), bins, strict=True))
            case AggregateKind.COUNT | AggregateKind.CAPPED:
                estimate = self._count(self._sum(aggregate.groups[0]), float(aggregate.cap))
            case AggregateKind.SUM:
                group = aggregate.groups[0]
                estimate = self._scaled(self._sum(group), float(group.scale), None)
            case AggregateKind.AVG:
                estimate = self._average(aggregate)
            case _:
                estimate = self._spread(aggregate)
        return [(aggregate.label, estimate)]

    def _sum(self, group: Group, place: int = 0) -> float:
        return float(self.sums[self.plan.layout.offset(self.number, group) + place])

    def _count(self, total: float, cap: float) -> _Estimate:
        """Homes, or capped rows. Another sample of homes: binomial, for homes only, and not where noise hides them."""
        share = min(max(total / self.survivors, 0.0), 1.0) if self.survivors > 0 else 0.0
        known = cap == 1.0 and (self.deviation == 0 or total > self.deviation)
        sampling = math.sqrt(self.survivors * share * (1.0 - share)) if known else None
        return self._scaled(total, cap, sampling)

    def _scaled(self, total: float, scale: float, sampling: float | None) -> _Estimate:
        note = SMALLER_THAN_NOISE if self.deviation > 0 and abs(total) <= self.deviation else ""
        return _Estimate(total * scale, self.deviation * scale, note, sampling)

    def _no_denominator(self, homes: float) -> _Estimate | None:
        if homes > self.deviation:
            return None
        return _Estimate(None, None, BELOW_NOISE if self.deviation > 0 else NO_DATA)

    def _average(self, aggregate: Aggregate) -> _Estimate:
        homes = self._sum(aggregate.denominator)
        missing = self._no_denominator(homes)
        if missing is not None:
            return missing
        middle, radius = _middle_radius(aggregate)
        unit = self._sum(aggregate.group(GroupKind.MEAN)) / homes
        stderr = radius * self.deviation / homes * math.hypot(1.0, unit)
        sampling = None
        if aggregate.group(GroupKind.SQUARE) in self.plan.layout.groups:
            variance, _stderr = self._variance(aggregate, homes)
            sampling = math.sqrt(variance / homes) if variance > 0 else None
        return _Estimate(middle + radius * unit, stderr, OUTSIDE if abs(unit) > 1 + 1e-9 else "", sampling)

    def _variance(self, aggregate: Aggregate, homes: float) -> tuple[float, float]:
        """R^2 ((c/a + 1)/2 - (b/a)^2) of the sums a (homes), b (u), c (2u^2 - 1), and its standard error."""
        _middle, radius = _middle_radius(aggregate)
        unit = self._sum(aggregate.group(GroupKind.MEAN)) / homes
        square = self._sum(aggregate.group(GroupKind.SQUARE)) / homes
        variance = radius**2 * ((square + 1.0) / 2.0 - unit**2)
        slopes = (2.0 * unit**2 - square / 2.0, -2.0 * unit, 0.5)
        return variance, radius**2 * self.deviation / homes * math.hypot(*slopes)

    def _spread(self, aggregate: Aggregate) -> _Estimate:
        homes = self._sum(aggregate.denominator)
        missing = self._no_denominator(homes)
        if missing is not None:
            return missing
        variance, stderr = self._variance(aggregate, homes)
        if self.deviation == 0.0:
            variance = max(variance, 0.0)
        elif variance <= stderr:
            return _Estimate(None, None, BELOW_NOISE)
        if aggregate.kind is AggregateKind.VAR:
            return _Estimate(variance, stderr)
        root = math.sqrt(variance)
        return _Estimate(root, stderr / (2.0 * root) if root > 0 else 0.0)


def _middle_radius(aggregate: Aggregate) -> tuple[float, float]:
    group = aggregate.group(GroupKind.MEAN)
    return float(group.middle), float(group.radius)
