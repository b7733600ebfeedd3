"""Mean and standard deviation of an input, estimated from the noisy sums of a first round (`vicinia.training.moments`).

Whole numbers would not do, so that the arithmetic is kept to what IEEE 754 rounds alike everywhere: sums, products,
quotients and square roots. Every home computes the same from the same release, and trusts nobody's word for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt

from vicinia.errors import InvalidInput

__all__ = ["LEAST_SD", "REACH", "Spread", "estimated"]

REACH = 3.0
"""Deviations from the mean to where an input is cut: that far is 1 for a recipe, whose inputs lie in [-1, 1]."""
LEAST_SD = 1e-6
"""Of half the width of the bounds."""
# Where the count stands out less than this from the noise, nothing can be told of the inputs.
_SEEN = 10.0


@dataclass(frozen=True, slots=True)
class Spread:
    """In the unit of the data set; (value - mean) / sd is what the statistics call a standardised value."""

    mean: float
    sd: float

    def __post_init__(self) -> None:
        if not (isfinite(self.mean) and isfinite(self.sd) and self.sd > 0.0):
            raise InvalidInput("A mean and a positive deviation are needed.", where="training.standardise")

    @classmethod
    def within(cls, middle: float, radius: float, standard: tuple[float, float]) -> Spread:
        """From (mean, sd) of the value that the bounds have scaled: middle ± radius to ±1."""
        mean, sd = standard
        return cls(middle + radius * mean, radius * sd)

    @property
    def radius(self) -> float:
        """What becomes 1 above the mean."""
        return REACH * self.sd


def estimated(sums: Sequence[float], noise: float) -> tuple[tuple[float, float], ...]:
    """(mean, sd) of each of q inputs, scaled by their bounds to [-1, 1]; mean within [-1, 1], sd within [LEAST_SD, 1].

    sums: [2q + 1], those of 1, of each x, and of each 2x² - 1, all in one unit; noise: the standard deviation in each
    of them. Whatever finite numbers these are, so are the answers. A deviation that the noise could hide is taken for
    what the noise could be; where even the count is hidden, the inputs stay as their bounds have scaled them.
    """
    count, inputs = sums[0], (len(sums) - 1) // 2
    noise = abs(noise)
    if not count > _SEEN * noise:
        return ((0.0, 1.0 / REACH),) * inputs
    pairs = zip(sums[1 : 1 + inputs], sums[1 + inputs :], strict=True)
    return tuple(_estimated(first / count, second / count, noise / count) for first, second in pairs)


def _estimated(first: float, second: float, noise: float) -> tuple[float, float]:
    """From the means of x and of 2x² - 1; noise: that of a mean whose value is 0."""
    mean, second = min(1.0, max(-1.0, first)), min(1.0, max(-1.0, second))
    variance = (second + 1.0) / 2.0 - mean * mean
    # By the delta method: the variance moves by half the second mean and by -2·mean times the first, and with both by
    # the count.
    of_count = 2.0 * mean * mean - second / 2.0
    blur = noise * sqrt(0.25 + 4.0 * mean * mean + of_count * of_count)
    least = min(2.0 * blur, 1.0 / (REACH * REACH))
    return mean, sqrt(min(1.0, max(variance, least, LEAST_SD * LEAST_SD)))
