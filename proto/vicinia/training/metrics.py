"""The metrics in the released sums of an evaluation, each with the standard error that the noise gives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.evaluation import (
    CORRECT,
    DEVIANCE,
    ERROR,
    EXAMPLES,
    LOSS,
    PREDICTED,
    SCORES,
    SQUARE,
    TARGET,
    edges,
    layout,
    sums,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["RANGES", "Bin", "Metric", "calibration", "metrics"]

_REPLICATES = 1_000
_SEED = 0
_SHARE = (0.0, 1.0)
RANGES = {"accuracy": _SHARE, "auc": _SHARE, "base_rate": _SHARE, "r_squared": (-np.inf, 1.0)}
"""What a metric can be at all, where that is not any number."""
# A metric that so many of the replicates cannot compute rests on a number within two deviations of nothing.
_MOST_UNDEFINED = 0.025


@dataclass(frozen=True, slots=True)
class Metric:
    """`value` and `stderr` are None where the value is below the noise.

    `stderr` is the noise's alone: how far the value lies from what the same homes would have shown without noise.
    That other homes would have shown another value is not in it.
    """

    name: str
    value: float | None
    stderr: float | None


@dataclass(frozen=True, slots=True)
class Bin:
    """A bin of the scores' histogram, for a plot.

    false, true: examples over m in it (two classes: of the first and of the second; more: largest probability wrong
    and right), `noise` the standard deviation of each; observed: the share of true, `stderr` its noise's; both None
    below the noise. A calibrated model has it within [low, high].
    """

    low: float
    high: float
    false: float
    true: float
    noise: float
    observed: float | None
    stderr: float | None


def metrics(dimensions: Dimensions, total: NDArray[np.float64], noise: float) -> tuple[Metric, ...]:
    """The metrics of released sums, float64[layout.length], whose every slot has noise of that deviation.

    Real: r_squared, rmse (in the standardised unit), mean. Count: deviance per example, mean and mean_predicted (in
    units of the upper bound). Classes: log_loss, accuracy; two of them: auc, base_rate. No target: error, the mean
    squared error of an input. Losses are bounded, as `vicinia.training.evaluation.statistic` says; the AUC counts
    scores of one bin as ties, which takes up to .003 from it. The standard errors are a parametric bootstrap's with a
    fixed seed (Efron and Tibshirani 1993, chapter 6): half the distance between the replicates' 16th and 84th
    percentiles.
    """
    values = _figures(dimensions, total[None, :])
    replicates = _figures(dimensions, _replicates(total, noise))
    told = {name: _told(float(values[name][0]), replicates[name]) for name in values}
    return tuple(Metric(name, _within(RANGES.get(name), value), stderr) for name, (value, stderr) in told.items())


def calibration(dimensions: Dimensions, total: NDArray[np.float64], noise: float) -> tuple[Bin, ...]:
    """The histogram of scores and the share of true ones in each of its bins; none but for classes."""
    if dimensions.target is not TargetKind.CLASSES:
        return ()
    counted = sums(dimensions, total)[SCORES]
    again = sums(dimensions, _replicates(total, noise))[SCORES]
    unit = float(sums(dimensions, np.full(layout(dimensions).length, noise))[SCORES][0, 0])
    limits, bins = edges(dimensions), []
    with np.errstate(all="ignore"):
        for place in range(len(limits) - 1):
            false, true = (float(number) for number in counted[:, place])
            both = again[:, :, place].sum(axis=1)
            share = _ratio(np.array([true]), np.array([false + true]))[0]
            observed, stderr = _told(float(share), _ratio(again[:, 1, place], both))
            bins.append(
                Bin(
                    float(limits[place]), float(limits[place + 1]), false, true, unit, _within(_SHARE, observed), stderr
                )
            )
    return tuple(bins)


def _replicates(total: NDArray[np.float64], noise: float) -> NDArray[np.float64]:
    draws = np.random.Generator(np.random.Philox(_SEED)).standard_normal((_REPLICATES, len(total)))
    return total + noise * draws


def _told(value: float, replicates: NDArray[np.float64]) -> tuple[float | None, float | None]:
    """The value with its standard error, or nothing."""
    defined = replicates[np.isfinite(replicates)]
    if not np.isfinite(value) or len(defined) < (1 - _MOST_UNDEFINED) * len(replicates):
        return None, None
    low, high = np.percentile(defined, (15.87, 84.13))
    return value, float(high - low) / 2


def _within(limits: tuple[float, float] | None, value: float | None) -> float | None:
    """A value brought back into its range when the noise has taken it out."""
    return value if value is None or limits is None else min(limits[1], max(limits[0], value))


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN where the denominator is not positive."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), np.nan)


def _loss(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN where the loss, or the denominator, is not positive."""
    return _ratio(np.where(part > 0, part, np.nan), whole)


def _figures(dimensions: Dimensions, totals: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Every metric of every row of totals, float64[rows]; NaN where it cannot be computed."""
    found = sums(dimensions, totals)
    count = found[EXAMPLES]
    with np.errstate(all="ignore"):
        if dimensions.target is TargetKind.NONE:
            return {"error": _loss(found[ERROR], count)}
        if dimensions.target is TargetKind.REAL:
            spread = found[SQUARE] - _ratio(found[TARGET] ** 2, count)
            return {
                "r_squared": 1 - _ratio(found[ERROR], spread),
                "rmse": np.sqrt(_loss(found[ERROR], count)),
                "mean": _ratio(found[TARGET], count),
            }
        if dimensions.target is TargetKind.COUNT:
            return {
                "deviance": _loss(found[DEVIANCE], count),
                "mean": _ratio(found[TARGET], count),
                "mean_predicted": _ratio(found[PREDICTED], count),
            }
        figures = {"log_loss": _loss(found[LOSS], count), "accuracy": _ratio(found[CORRECT], count)}
        if dimensions.classes == 2:
            figures["auc"] = _auc(found[SCORES])
            figures["base_rate"] = _ratio(found[SCORES][:, 1].sum(axis=1), count)
        return figures


def _auc(histograms: NDArray[np.float64]) -> NDArray[np.float64]:
    """The area under the ROC curve of float64[rows, 2, bins]: pairs in the right order, ties counting half."""
    false, true = histograms[:, 0], histograms[:, 1]
    below = np.cumsum(false, axis=1) - false / 2
    positive = np.maximum(false.sum(axis=1), 0.0) * np.maximum(true.sum(axis=1), 0.0)
    return _ratio((true * below).sum(axis=1), positive)
