"""ChaCha20 (RFC 8439) as a source of pseudo-random bytes, nonce 0, one key per stream; masks straight into numpy.

A mask of d elements is the first 4d bytes of the stream as little-endian 32-bit integers. Reducing them mod 2**width
leaves them uniform, because 2**width divides 2**32.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from vicinia.secagg.encoding import Vector

__all__ = ["add_masks", "expand"]

_NONCE = bytes(16)
_CHUNK = 1 << 14  # elements: the chunk, its stream and the zeros stay in the second-level cache
_ZEROS = bytes(4 * _CHUNK)
_AT_ONCE = 128  # streams that are open together


def expand(key: bytes, size: int) -> bytes:
    """The first `size` bytes of the stream under a 32-byte key."""
    return _open(key).update(bytes(size))


def add_masks(vector: Vector, plus: Iterable[bytes] = (), minus: Iterable[bytes] = ()) -> None:
    """Add the masks under the keys `plus` to the vector, and subtract those under `minus`, in place, mod 2**32."""
    for keys, ufunc in ((iter(plus), np.add), (iter(minus), np.subtract)):
        while batch := list(islice(keys, _AT_ONCE)):
            _apply(vector, batch, ufunc)


def _apply(vector: Vector, keys: Sequence[bytes], ufunc: np.ufunc) -> None:
    streams = [_open(key) for key in keys]
    buffer = bytearray(4 * min(_CHUNK, len(vector)))
    for start in range(0, len(vector), _CHUNK):
        part = vector[start : start + _CHUNK]
        size = 4 * len(part)
        zeros, out = memoryview(_ZEROS)[:size], memoryview(buffer)[:size]
        mask = np.frombuffer(out, "<u4")
        for stream in streams:
            stream.update_into(zeros, out)
            ufunc(part, mask, out=part)


def _open(key: bytes) -> CipherContext:
    return Cipher(ChaCha20(key, _NONCE), mode=None).encryptor()
