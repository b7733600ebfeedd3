"""The ring of integers mod 2**width in which vectors are added, and how they are packed for the wire.

A vector is a one-dimensional numpy `uint32` array with every element below `2**width`, width from 1 to 32 bits.
Element i takes the bits `i*width … (i+1)*width - 1` of the packed string, least significant bit first; the bits
after the last element are zero.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from vicinia.errors import InvalidInput
from vicinia.secagg import checks

__all__ = ["Vector", "centred", "pack", "packed_size", "to_ring", "unpack"]

Vector = NDArray[np.uint32]
_BLOCK = 1 << 15  # elements; a multiple of 8, so that every block starts on a byte


def packed_size(count: int, width: int) -> int:
    """Bytes that `count` elements take at `width` bits each."""
    _need_width(width)
    return (count * width + 7) // 8


def pack(values: Vector, width: int) -> bytes:
    """Pack a vector to `width` bits per element; an element of 2**width or more raises InvalidInput."""
    _need_width(width)
    checks.in_modulus(values, width)
    if width == 32:
        return values.astype("<u4", copy=False).tobytes()
    return b"".join(_pack_block(values[start : start + _BLOCK], width) for start in range(0, len(values), _BLOCK))


def unpack(data: bytes, count: int, width: int) -> Vector:
    """The `count` elements of a packed vector; another length, or a set bit after the end, raises InvalidInput."""
    _need_width(width)
    checks.packed_shape(data, count, width)
    if width == 32:
        return np.frombuffer(data, "<u4", count).astype(np.uint32)
    out = np.empty(count, np.uint32)
    step = _BLOCK * width // 8
    for number, start in enumerate(range(0, count, _BLOCK)):
        size = min(_BLOCK, count - start)
        out[start : start + size] = _unpack_block(data[number * step : (number + 1) * step], size, width)
    return out


def to_ring(values: NDArray[np.int64], width: int = 32) -> Vector:
    """Integers reduced mod 2**width; a negative one becomes its complement."""
    ring = values.astype(np.uint32)  # mod 2**32, which 2**width divides
    ring &= np.uint32((1 << width) - 1)
    return ring


def centred(values: Vector, width: int = 32) -> NDArray[np.int64]:
    """The representatives in [-2**(width-1), 2**(width-1)) of ring elements."""
    _need_width(width)
    half = 1 << (width - 1)
    signed = values.astype(np.int64)
    signed[signed >= half] -= 1 << width
    return signed


def _pack_block(values: Vector, width: int) -> bytes:
    """Eight elements fill `width` bytes. In each such group element j is or-ed into the 8 bytes where it begins."""
    if width < 8:  # there the 8 bytes of one group would overlap those of the next
        bits = np.unpackbits(values.astype("<u4").view(np.uint8).reshape(-1, 4), axis=1, count=width, bitorder="little")
        return np.packbits(bits, bitorder="little").tobytes()
    groups = -(-len(values) // 8)
    padded = np.zeros(8 * groups, np.uint64)
    padded[: len(values)] = values
    out = bytearray(groups * width + 8)
    for j, word in enumerate(_words(out, groups, width)):
        np.bitwise_or(word, padded[j::8] << np.uint64(j * width % 8), out=word)
    return bytes(out[: packed_size(len(values), width)])


def _unpack_block(data: bytes, count: int, width: int) -> Vector:
    groups = -(-count // 8)
    padded = bytearray(groups * width + 8)
    padded[: len(data)] = data
    out = np.empty((groups, 8), np.uint32)
    for j, word in enumerate(_words(padded, groups, width)):
        out[:, j] = (word >> np.uint64(j * width % 8)) & np.uint64((1 << width) - 1)
    return out.ravel()[:count]


def _words(buffer: bytearray, groups: int, width: int) -> Iterator[NDArray[np.uint64]]:
    """For each of the eight elements of a group: the 64-bit words, one in each group, in which it begins."""
    for j in range(8):
        yield np.ndarray(groups, "<u8", buffer, offset=j * width // 8, strides=(width,))


def _need_width(width: int) -> None:
    if not 1 <= width <= 32:
        raise InvalidInput(f"A width of {width} bits; 1 to 32 are possible.", where="encoding")
