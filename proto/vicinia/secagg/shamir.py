"""Shamir's secret sharing over GF(256), for many bytes and many recipients at once.

The field is GF(2)[x] modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197). Every byte of a secret has a polynomial of its own
with that byte at 0; the share at point x, 1 to 254, is its value there.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["recombine", "split"]

Bytes = NDArray[np.uint8]


def _tables() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    exponential, logarithm = np.zeros(510, np.int64), np.zeros(256, np.int64)
    value = 1
    for power in range(255):
        exponential[power] = exponential[power + 255] = value
        logarithm[value] = power
        value ^= (value << 1) ^ (0x11B if value & 0x80 else 0)
        value &= 0xFF
    return exponential, logarithm


_EXP, _LOG = _tables()
_PRODUCT = np.zeros((256, 256), np.uint8)
_PRODUCT[1:, 1:] = _EXP[_LOG[1:, None] + _LOG[None, 1:]]
_FLAT = _PRODUCT.ravel()


def split(secret: bytes, threshold: int, recipients: int, randomness: bytes) -> Bytes:
    """Share a secret among points 1 to `recipients` (at most 254), any `threshold` of which give it back.

    `randomness` is (threshold - 1) * len(secret) uniform bytes. Returns shape (recipients, len(secret)).
    """
    length = len(secret)
    coefficients = np.frombuffer(randomness, np.uint8).reshape(threshold - 1, length)
    row = np.arange(1, recipients + 1, dtype=np.int64)[:, None] * 256
    shares: Bytes = np.zeros((recipients, length), np.uint8)
    for coefficient in (*coefficients, np.frombuffer(secret, np.uint8)):
        shares = _FLAT.take(row + shares) ^ coefficient
    return shares


def recombine(points: Sequence[int], shares: Bytes) -> bytes:
    """The secret from shares of shape (threshold, length) at distinct points 1 to 254."""
    weights = _at_zero(bytes(points))
    return bytes(np.bitwise_xor.reduce(_FLAT.take(weights[:, None] + shares), axis=0))


@lru_cache(maxsize=512)
def _at_zero(points: bytes) -> NDArray[np.int64]:
    """Lagrange's weights at 0 as rows of the flat product table."""
    x = np.frombuffer(points, np.uint8).astype(np.int64)
    differences = x[None, :] ^ x[:, None]
    np.fill_diagonal(differences, 1)
    logs = (_LOG[x].sum() - _LOG[x] - _LOG[differences].sum(axis=1)) % 255
    weights: NDArray[np.int64] = _EXP[logs] * 256
    return weights
