"""The discrete Gaussian, drawn by inverting a table of its distribution function with 128-bit integers.

No floating-point number takes part: the table comes from fixed-point arithmetic with 384 fractional bits, and a
draw compares a uniform 128-bit integer with it. Each of the table's steps is rounded by less than 2^-127, and the
mass beyond the table is below 2^-127, so that a draw is within 2^-109 (statistical distance) of the exact
distribution of Canonne, Kamath, Steinke 2020 for every variance accepted here.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate
from math import isqrt
from typing import TYPE_CHECKING

import numpy as np
from vicinia.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.privacy.stream import Stream

__all__ = ["MAX_VARIANCE", "MIN_VARIANCE", "DiscreteGaussian", "distribution_function"]

MIN_VARIANCE = Fraction(1, 4)
MAX_VARIANCE = Fraction(4096**2)

_PRECISION = 384
_DRAW_BITS = 128
_LANE_BITS = 64
_LANE_MASK = (1 << _LANE_BITS) - 1
# A Gaussian beyond 13.5 deviations has less mass than 2^-130.
_TAIL_SQUARED = Fraction(729, 4)
_GUIDE_BITS = 16
_CHUNK = 1 << 14  # draws: their words and what is made of them stay in the second-level cache


@dataclass(frozen=True, slots=True)
class _Table:
    """Entry i is P[X <= i - reach] scaled to 2^128; the last entry, which would be 2^128, is left out."""

    steps: tuple[int, ...]
    high: NDArray[np.uint64]
    guide: NDArray[np.int64]
    reach: int


class DiscreteGaussian:
    """Discrete Gaussian over the integers with mean 0 and an exact rational variance parameter, 1/4 to 4096².

    The parameter σ² is that of the weights exp(-x²/(2σ²)); from σ = 1 on it equals the variance to nine digits.
    """

    __slots__ = ("_table", "sigma_squared")

    def __init__(self, sigma_squared: Fraction) -> None:
        if not MIN_VARIANCE <= sigma_squared <= MAX_VARIANCE:
            raise InvalidInput(
                "The variance of the noise must lie between 1/4 and 4096² grid units.", where="sigma_squared"
            )
        self.sigma_squared = Fraction(sigma_squared)
        self._table = _table(self.sigma_squared)

    def sample(self, count: int, rng: Stream) -> NDArray[np.int64]:
        """Draw `count` independent values; int64[count]; takes 16 bytes of the stream for each, in order."""
        draws = np.empty(count, dtype=np.int64)
        for start in range(0, count, _CHUNK):
            size = min(_CHUNK, count - start)
            draws[start : start + size] = _invert(self._table, rng.words(2 * size).reshape(size, 2))
        return draws


def _invert(table: _Table, uniform: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Count the steps at or below each 128-bit number, given as (high, low) lanes."""
    high = np.ascontiguousarray(uniform[:, 0])
    index = table.guide[(high >> np.uint64(_LANE_BITS - _GUIDE_BITS)).view(np.int64)]
    # Most draws are below the first step of their bucket. Two sentinels end `high`: above every draw but those of the
    # largest lane, which the exact branch settles.
    passed = np.flatnonzero(table.high[index] <= high)
    count, lanes = index[passed] + 1, high[passed]
    crowded = np.flatnonzero(table.high[count] <= lanes)
    count[crowded] = np.searchsorted(table.high[:-2], lanes[crowded], side="right")
    # Equal high lanes (about once in 2^47 draws): the low lane decides, in exact integers.
    for tied in np.flatnonzero(table.high[count - 1] == lanes):
        low = int(uniform[passed[tied], 1])
        count[tied] = bisect_right(table.steps, (int(lanes[tied]) << _LANE_BITS) | low)
    index[passed] = count
    index -= table.reach
    return index


@lru_cache(maxsize=4)
def _table(sigma_squared: Fraction) -> _Table:
    steps, reach = distribution_function(sigma_squared)
    lanes = np.fromiter((step >> _LANE_BITS for step in steps), dtype=np.uint64, count=len(steps))
    edges = np.arange(1 << _GUIDE_BITS, dtype=np.uint64) << np.uint64(_LANE_BITS - _GUIDE_BITS)
    guide = np.searchsorted(lanes, edges, side="left").astype(np.int64)
    high = np.append(lanes, np.full(2, _LANE_MASK, dtype=np.uint64))
    high.flags.writeable = guide.flags.writeable = False
    return _Table(steps, high, guide, reach)


def distribution_function(sigma_squared: Fraction) -> tuple[tuple[int, ...], int]:
    """The table: floor(2^128 · P[X <= x]) for x = -reach … reach - 1, and the reach; integers only."""
    reach = isqrt(int(_TAIL_SQUARED * sigma_squared)) + 2
    half = _weights(sigma_squared, reach)
    total = 2 * sum(half) - half[0]
    below = [divmod(mass << _DRAW_BITS, total) for mass in accumulate(reversed(half[1:]))]
    # P[X <= x] is 1 - P[X <= -1 - x]: what was rounded down there is rounded up here, but for what came out even.
    above = ((1 << _DRAW_BITS) - step - (rest > 0) for step, rest in reversed(below))
    return (*(step for step, _ in below), *above), reach


def _weights(sigma_squared: Fraction, reach: int) -> list[int]:
    """exp(-x²/(2σ²)) for x = 0 … reach in fixed point, by w(x+1) = w(x)·r(x), r(x+1) = r(x)·exp(-1/σ²)."""
    ratio = _exp_of_minus(1 / (2 * sigma_squared))
    decay = _exp_of_minus(1 / sigma_squared)
    weight = 1 << _PRECISION
    weights = [weight]
    for _ in range(reach):
        weight = (weight * ratio) >> _PRECISION
        ratio = (ratio * decay) >> _PRECISION
        weights.append(weight)
    return weights


def _exp_of_minus(exponent: Fraction) -> int:
    """exp(-exponent) in fixed point: the Taylor series of exp(exponent), inverted; exponent in (0, 4]."""
    term = total = 1 << (2 * _PRECISION)
    order = 0
    while term:
        order += 1
        term = term * exponent.numerator // (exponent.denominator * order)
        total += term
    return (1 << (3 * _PRECISION)) // total
