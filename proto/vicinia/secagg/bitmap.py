"""Sets of homes as bits, least significant bit of the first byte first; exactly one spelling for each set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from vicinia.errors import ProtocolViolation

__all__ = ["Bits", "from_bits", "from_indices", "to_bits", "to_indices"]

Bits = NDArray[np.bool_]


def to_bits(data: bytes, size: int, *, where: str) -> Bits:
    """The `size` booleans of a bitmap of positions; another length or a set bit after the end is refused."""
    if len(data) != (size + 7) // 8 or (size % 8 and data[-1] >> (size % 8)):
        raise ProtocolViolation(f"This is not a bitmap of {size} positions.", where=where)
    return np.unpackbits(np.frombuffer(data, np.uint8), count=size, bitorder="little").astype(bool)


def from_bits(bits: Bits) -> bytes:
    """The bitmap of booleans by position."""
    return np.packbits(bits, bitorder="little").tobytes()


def to_indices(data: bytes) -> NDArray[np.int64]:
    """The ascending registry indices in a bitmap, which is not empty and has no zero byte at its end."""
    if not data or not data[-1]:
        raise ProtocolViolation("The bitmap of members is empty or has zeros at its end.", where="roster.members")
    return np.flatnonzero(np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little"))


def from_indices(indices: NDArray[np.int64]) -> bytes:
    """The bitmap of registry indices, without zero bytes at its end; there is at least one."""
    bits = np.zeros(int(indices.max()) + 1, np.bool_)
    bits[indices] = True
    return from_bits(bits)
