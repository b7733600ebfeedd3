"""Checks of a home's vector and of its packed, masked form."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray
from vicinia.errors import InvalidInput, PhaseOver, ProtocolViolation


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


def mask_context(roster: bytes, dealers: bytes) -> bytes:
    """H(G, U2), in every mask key: homes that were shown different U2 share no mask, and their sum stays masked."""
    return hashlib.sha256(b"vicinia/secagg/1/dealers/" + roster + dealers).digest()


def one_input(known: bytes | None, digest: bytes) -> None:
    """One masked vector: the difference of two would be the difference of two inputs, in the clear."""
    if known is not None and known != digest:
        raise ProtocolViolation("A second input under the same masks.", where="input")


def input_before_survivors(has_input: bool, survivors_seen: bool) -> None:
    """No input is made once the survivors are known."""
    if survivors_seen and not has_input:
        raise PhaseOver("The survivors are fixed; no input is taken any more.", where="input")


def input_open(frozen: bool) -> None:
    """A vector that comes after the survivors were fixed is discarded: its masks would not be removed."""
    if frozen:
        raise PhaseOver("The input came after the survivors were fixed; it was discarded.", where="masked vector")
