"""A deterministic stream of random bytes from a 32-byte seed: the only randomness inside this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from vicinia.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SEED_BYTES", "Stream", "chacha_stream"]

SEED_BYTES = 32
_DOMAIN_BYTES = 12
_COUNTER_START = bytes(4)
_ZEROS = memoryview(bytes(1 << 16))  # what is encrypted to see the key stream


class Stream:
    """Successive bytes of one ChaCha20 key stream; never rewinds, so no byte is used twice."""

    __slots__ = ("_cipher",)

    def __init__(self, seed: bytes, domain: bytes) -> None:
        nonce = _COUNTER_START + domain.ljust(_DOMAIN_BYTES, b"\0")
        self._cipher = Cipher(ChaCha20(seed, nonce), mode=None).encryptor()

    def bytes(self, count: int) -> bytes:
        """The next `count` bytes."""
        return self._cipher.update(bytes(count))

    def words(self, count: int) -> NDArray[np.uint64]:
        """The next `count` uniform 64-bit words, little-endian on the stream."""
        words = np.empty(count, dtype="<u8")
        out = words.view(np.uint8).data
        for start in range(0, len(out), len(_ZEROS)):
            part = out[start : start + len(_ZEROS)]
            self._cipher.update_into(_ZEROS[: len(part)], part)
        return words.astype(np.uint64, copy=False)


def chacha_stream(seed: bytes, domain: bytes = b"") -> Stream:
    """The stream of a 32-byte seed; streams of different domains (at most 12 bytes) are independent (RFC 8439)."""
    if len(seed) != SEED_BYTES:
        raise InvalidInput(f"A seed has {SEED_BYTES} bytes, not {len(seed)}.", where="seed")
    if len(domain) > _DOMAIN_BYTES:
        raise InvalidInput(f"A domain has at most {_DOMAIN_BYTES} bytes.", where="domain")
    return Stream(seed, domain)
