"""Conditional stochastic rounding: real vectors to integer vectors whose norm stays within its bound.

Each coordinate goes to one of its two neighbouring integers so that its mean stays; a group of coordinates that
came out too long is drawn again (Kairouz, Liu, Steinke 2021, section 4.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from vicinia.errors import InvalidInput
from vicinia.privacy.noise import encoding_scale

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.privacy.stream import Stream

__all__ = ["clip_vector", "round_vector"]

_ATTEMPTS = 64
_FRACTION_BITS = 53


def clip_vector(
    vector: NDArray[np.float64], norm_squared: Fraction, groups: Sequence[int] | None = None
) -> NDArray[np.float64]:
    """Shorten what is too long: every group to norm 1, the whole to √norm_squared; every slot within [-1, 1].

    A vector with NaN, an infinity or an overflowing norm becomes zeros: what leaves home must not tell.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        length_squared = float(vector @ vector)
    if not np.isfinite(length_squared):
        return np.zeros_like(vector)
    clipped = np.clip(vector, -1.0, 1.0)
    if groups is not None:
        norms = np.sqrt(np.add.reduceat(clipped * clipped, _starts(groups, len(vector))))
        clipped /= np.repeat(np.maximum(norms, 1.0), groups)
    return clipped / max(1.0, float(np.sqrt(clipped @ clipped / float(norm_squared))))


def round_vector(
    vector: NDArray[np.float64],
    norm_squared: Fraction,
    scale: int,
    rng: Stream,
    *,
    unit: int | None = None,
    groups: Sequence[int] | None = None,
) -> NDArray[np.int64]:
    """Clip, scale by `unit` and round so that |result|² <= scale²·norm_squared and each group's is <= scale².

    vector: float64[L] in units where one slot's largest magnitude is 1; groups: lengths of the consecutive L2
    groups (None: the vector is one group); unit: S', by default that of the longest group. Returns int64[L]; divide
    sums of it by `unit`. Mean-preserving but for the conditioning, which never acts on groups of one slot.
    """
    if vector.ndim != 1 or len(vector) == 0:
        raise InvalidInput("A vector of slots has one dimension and at least one slot.", where="vector")
    if unit is None:
        unit = encoding_scale(scale, max(groups) if groups else len(vector))
    exact = clip_vector(np.asarray(vector, dtype=np.float64), norm_squared, groups) * unit
    starts = _starts(groups, len(vector)) if groups is not None else np.zeros(1, dtype=np.int64)
    lengths = np.asarray(groups if groups is not None else [len(vector)], dtype=np.int64)
    limits = scale * scale if groups is not None else int(scale * scale * norm_squared)
    whole = int(scale * scale * norm_squared)

    # Rounding towards zero never lengthens a vector: it stands in wherever no draw fits.
    result = np.trunc(exact).astype(np.int64)
    pending = np.ones(len(lengths), dtype=bool)
    for _ in range(_ATTEMPTS):
        drawn = _round_once(exact, rng)
        fits = np.add.reduceat(drawn * drawn, starts) <= limits
        take = np.repeat(pending & fits, lengths)
        result[take] = drawn[take]
        pending &= ~fits
        if not pending.any():
            break
    if int(result @ result) > whole:
        return np.trunc(exact).astype(np.int64)
    return result


def _round_once(exact: NDArray[np.float64], rng: Stream) -> NDArray[np.int64]:
    floor = np.floor(exact)
    uniform = (rng.words(len(exact)) >> np.uint64(64 - _FRACTION_BITS)).astype(np.float64) * 2.0**-_FRACTION_BITS
    return floor.astype(np.int64) + (uniform < exact - floor)


def _starts(groups: Sequence[int], length: int) -> NDArray[np.int64]:
    sizes = np.asarray(groups, dtype=np.int64)
    if sizes.ndim != 1 or len(sizes) == 0 or (sizes < 1).any() or int(sizes.sum()) != length:
        raise InvalidInput(f"The groups do not add up to {length} slots.", where="groups")
    return np.concatenate(([0], np.cumsum(sizes)[:-1]))
