"""Conditional stochastic rounding: real vectors to integer vectors whose norm stays within its bound.

Each coordinate goes to one of its two neighbouring integers so that its mean stays; a group of coordinates that
came out too long is drawn again (Kairouz, Liu, Steinke 2021, section 4.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np
from vicinia.errors import InvalidInput
from vicinia.privacy.noise import encoding_scale

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.privacy.stream import Stream

__all__ = ["Groups", "clip_vector", "round_vector"]

_ATTEMPTS = 64
_FRACTION_BITS = 53
_LONG = 4096  # slots
_CHUNK = 1 << 14  # slots: what is made of them stays in the second-level cache

_N = TypeVar("_N", np.float64, np.int64)

Groups: TypeAlias = "Sequence[int] | NDArray[np.int64] | None"
"""Lengths of the consecutive L2 groups of a vector; None: the vector is one group."""


def clip_vector(vector: NDArray[np.float64], norm_squared: Fraction, groups: Groups = None) -> NDArray[np.float64]:
    """Shorten what is too long: every group to norm 1, the whole to √norm_squared; every slot within [-1, 1].

    A vector with NaN, an infinity or an overflowing norm becomes zeros: what leaves home must not tell.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        length_squared = float(vector @ vector)
    if not np.isfinite(length_squared):
        return np.zeros_like(vector)
    clipped = np.clip(vector, -1.0, 1.0)
    if groups is not None:
        lengths = _lengths(groups, len(vector))
        norms = np.sqrt(_squares(clipped, lengths))
        if (norms > 1.0).any():
            clipped /= np.repeat(np.maximum(norms, 1.0), lengths)
    clipped /= max(1.0, float(np.sqrt(clipped @ clipped / float(norm_squared))))
    return clipped


def round_vector(
    vector: NDArray[np.float64],
    norm_squared: Fraction,
    scale: int,
    rng: Stream,
    *,
    unit: int | None = None,
    groups: Groups = None,
) -> NDArray[np.int64]:
    """Clip, scale by `unit` and round so that |result|² <= scale²·norm_squared and each group's is <= scale².

    vector: float64[L] in units where one slot's largest magnitude is 1; groups: lengths of the consecutive L2
    groups (None: the vector is one group); unit: S', by default that of the longest group. Returns int64[L]; divide
    sums of it by `unit`. Mean-preserving but for the conditioning, which never acts on groups of one slot.
    """
    if vector.ndim != 1 or len(vector) == 0:
        raise InvalidInput("A vector of slots has one dimension and at least one slot.", where="vector")
    whole = int(scale * scale * norm_squared)
    limit = whole if groups is None else scale * scale
    lengths = _lengths([len(vector)] if groups is None else groups, len(vector))
    if unit is None:
        unit = encoding_scale(scale, int(lengths.max()))
    exact = clip_vector(np.asarray(vector, dtype=np.float64), norm_squared, None if groups is None else lengths)
    exact *= unit
    result = _round_groups(exact, lengths, limit, rng)
    return result if int(result @ result) <= whole else _shortest(exact)


def _round_groups(exact: NDArray[np.float64], lengths: NDArray[np.int64], limit: int, rng: Stream) -> NDArray[np.int64]:
    """Round group by group; those that came out longer than the limit are drawn again."""
    result = _round_once(exact, rng)
    for _ in range(_ATTEMPTS):
        too_long = _squares(result, lengths) > limit
        if not too_long.any():
            return result
        again = np.repeat(too_long, lengths)
        result[again] = _round_once(exact[again], rng)
    too_long = np.repeat(_squares(result, lengths) > limit, lengths)
    result[too_long] = _shortest(exact[too_long])
    return result


def _round_once(exact: NDArray[np.float64], rng: Stream) -> NDArray[np.int64]:
    """Each number to the next integer below or above, at random so that its mean stays; 8 bytes of the stream each."""
    result = np.empty(len(exact), dtype=np.int64)
    for start in range(0, len(exact), _CHUNK):
        part = exact[start : start + _CHUNK]
        floor = np.floor(part)
        uniform = (rng.words(len(part)) >> np.uint64(64 - _FRACTION_BITS)).view(np.int64) * 2.0**-_FRACTION_BITS
        np.add(floor, uniform < part - floor, out=result[start : start + _CHUNK], casting="unsafe")
    return result


def _shortest(exact: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rounded towards zero, which never lengthens a vector: it stands in wherever no draw fits."""
    return np.trunc(exact).astype(np.int64)


def _lengths(groups: Sequence[int] | NDArray[np.int64], length: int) -> NDArray[np.int64]:
    lengths = np.asarray(groups, dtype=np.int64)
    if lengths.ndim != 1 or len(lengths) == 0 or (lengths < 1).any() or int(lengths.sum()) != length:
        raise InvalidInput(f"The groups do not add up to {length} slots.", where="groups")
    return lengths


def _squares(values: NDArray[_N], lengths: NDArray[np.int64]) -> NDArray[_N]:
    """The squared norm of each group, exact for integers."""
    ends = np.cumsum(lengths)
    if len(values) > _LONG * len(lengths):  # a copy of the vector costs more than a call for each group
        return np.array([part @ part for part in np.split(values, ends[:-1])])
    return np.add.reduceat(values * values, ends - lengths)
