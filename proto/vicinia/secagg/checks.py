"""Every defence of the protocol, one named function each.

Callers look each up in this module at the time of the call, so that a test can take one out and show what it is there
for. A check returns what it has established, or nothing, and raises on an offence; none changes anything.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray
from vicinia.errors import InvalidInput, RoundFailed


def manifest_digest(canonical: bytes) -> bytes:
    """J covers the whole manifest: homes shown different models, jobs or deadlines are in different runs."""
    return hashlib.sha256(canonical).digest()


def honest_floor(n: int, survivors: int, corrupt: int, floor: int) -> None:
    """Even if all A corrupt homes are in it, the smallest sum that is released covers `floor` honest homes."""
    if survivors - corrupt < floor:
        raise RoundFailed(
            f"Of {n} homes in the roster {survivors} may be left and {corrupt} of those corrupt, "
            f"so fewer than {floor} honest ones.",
            hint="A larger roster or a smaller A needed.",
        )


def in_modulus(values: NDArray[np.uint32], width: int) -> None:
    """A vector has no element outside the ring, which would wrap and spoil the sum."""
    if values.dtype != np.uint32 or values.ndim != 1:
        raise InvalidInput("The vector is not a one-dimensional array of uint32.", where="vector")
    if width < 32 and values.size and int(values.max()) >> width:
        raise InvalidInput(f"An element of the vector needs more than {width} bits.", where="vector")


def packed_shape(data: bytes, count: int, width: int) -> None:
    """A packed vector has exactly the length of the run's vectors, and nothing after its end."""
    bits = count * width
    if len(data) != (bits + 7) // 8:
        raise InvalidInput(f"{len(data)} bytes, but {count} elements of {width} bits are due.", where="masked vector")
    if bits % 8 and data[-1] >> (bits % 8):
        raise InvalidInput("There are bits after the end of the vector.", where="masked vector")
