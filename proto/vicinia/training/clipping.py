"""The clipping norm from round to round: it follows a quantile of the updates' norms, which only noise has shown.

Andrew, Thakkar, McMahan, Ramaswamy 2021, "Differentially private learning with adaptive clipping", algorithm 1:
C ← C·exp(-η(b̃ - q)), b̃ being the noisy share of homes whose update was not cut. Every home computes the chain of
norms again from the logged releases, so it is whole numbers of 10^-9, the same on every machine.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

from vicinia.errors import InvalidInput
from vicinia.training.parameter import NANO

__all__ = ["MAX_CLIP_NANO", "MAX_RATE_NANO", "MIN_CLIP_NANO", "next_clip", "to_nano"]

# The smallest norm that a chain comes to, 10^-6: from far smaller ones rounding would let none rise again.
MIN_CLIP_NANO = 1_000
MAX_CLIP_NANO = 1_000_000 * NANO
MAX_RATE_NANO = 2 * NANO
# The decimal module rounds its exponential correctly (General Decimal Arithmetic Specification, 1.70), and a norm
# has at most 16 digits: fifty decide its last one everywhere alike.
_EXACT = Context(prec=50, rounding=ROUND_HALF_EVEN)


def to_nano(share: float) -> int:
    """A share in [0, 1] in units of 10^-9: rounded, half to even, from the float's exact value; clamped; NaN is ½."""
    if math.isnan(share):
        return NANO // 2
    return round(Fraction(min(1.0, max(0.0, share))) * NANO)


def next_clip(clip_nano: int, below_nano: int, quantile_nano: int, rate_nano: int) -> int:
    """The next round's clipping norm, within MIN_CLIP_NANO..MAX_CLIP_NANO; all in units of 10^-9.

    below_nano: the estimated share of homes whose update was not cut (clamped to [0, 1]); quantile_nano: the share
    wanted; rate_nano: η, 0 for a norm that stays. InvalidInput for what a plan cannot hold.
    """
    limits = (
        ("clip", clip_nano, 1, MAX_CLIP_NANO),
        ("quantile", quantile_nano, 0, NANO),
        ("rate", rate_nano, 0, MAX_RATE_NANO),
    )
    for name, number, low, high in limits:
        if not low <= number <= high:
            raise InvalidInput(f"This must lie within {low}..{high}, in units of 10^-9.", where=f"training.{name}")
    distance = rate_nano * (quantile_nano - min(NANO, max(0, below_nano)))
    factor = _EXACT.exp(_EXACT.scaleb(Decimal(distance), -18))
    moved = _EXACT.to_integral_value(_EXACT.multiply(Decimal(clip_nano), factor))
    return min(MAX_CLIP_NANO, max(MIN_CLIP_NANO, int(moved)))
