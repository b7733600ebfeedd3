"""A home's contribution to a run: clipped, scaled, rounded, with its share of the noise; and the decoding of sums."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from vicinia.errors import InvalidInput
from vicinia.privacy.gaussian import DiscreteGaussian
from vicinia.privacy.rounding import Groups, round_vector
from vicinia.privacy.stream import chacha_stream

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.privacy.noise import NoisePlan

__all__ = ["contribution", "decode", "encode", "noise_share"]

_NOISE = b"noise"
_ROUNDING = b"rounding"


def noise_share(plan: NoisePlan, seed: bytes) -> NDArray[np.int64]:
    """The home's share of the noise, int64[plan.length], grid units; drawn before the query runs.

    seed: 32 fresh secret bytes for this run alone: they determine the noise.
    """
    return DiscreteGaussian(plan.sigma_squared).sample(plan.length, chacha_stream(seed, _NOISE))


def encode(vector: NDArray[np.float64], plan: NoisePlan, seed: bytes, groups: Groups = None) -> NDArray[np.int64]:
    """The vector without noise as integers, int64[plan.length], with |result|² <= S²·norm_squared whatever it holds.

    groups: lengths of the consecutive L2 groups, whose longest the plan was derived for; None: one group.
    """
    if vector.shape != (plan.length,):
        raise InvalidInput(
            f"The vector has shape {vector.shape}, the plan is for {plan.length} slots.", where="contribution"
        )
    return round_vector(
        vector, plan.norm_squared, plan.scale, chacha_stream(seed, _ROUNDING), unit=plan.unit, groups=groups
    )


def contribution(vector: NDArray[np.float64], plan: NoisePlan, seed: bytes, groups: Groups = None) -> NDArray[np.int64]:
    """What a home feeds into secure aggregation: int64[plan.length], magnitudes far below 2^31."""
    total = noise_share(plan, seed)
    total += encode(vector, plan, seed, groups)
    return total


def decode(sums: NDArray[np.int64], plan: NoisePlan) -> NDArray[np.float64]:
    """Sums of contributions back in vector units, float64[plan.length]."""
    return sums / float(plan.unit)
