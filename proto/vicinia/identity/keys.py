"""Long-term Ed25519 keys: what a party signs its statements with (RFC 8032).

Which edge cases are accepted, so that all homes agree on every signature:

- refused as a *public key*: an encoding that is not canonical (y >= p, or x = 0 with the sign bit set), a
  y that is on no point of the curve, and the eight points of low order: under those, one signature fits
  many messages. The library below accepts all of these, so they are refused here;
- refused as a *signature*: a length other than 64, S >= L (malleability), an R that is not canonical, and
  an equation that holds only after multiplication with the cofactor;
- accepted: a key or an R with a component of low order, and an R of low order, where the equation holds
  without the cofactor. Only the holder of the key can make these, every home decides the same (the check
  is the same deterministic, cofactorless one, and never done in batches), and no message can be swapped.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from vicinia.errors import InvalidInput, ProofInvalid

__all__ = ["KEY_BYTES", "SIGNATURE_BYTES", "SigningKey", "VerifyingKey"]

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64

_P: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P
_SIGN_BIT: Final = 1 << 255
_ORDER_EIGHT_Y: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_LOW_ORDER_Y: Final = frozenset({0, 1, _P - 1, _ORDER_EIGHT_Y, _P - _ORDER_EIGHT_Y})


class _Newest:
    """The names that were added last, so many of them; each step is one operation, which no thread sees half of."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._names: OrderedDict[bytes, None] = OrderedDict()

    def __contains__(self, name: bytes) -> bool:
        return name in self._names

    def add(self, name: bytes) -> None:
        self._names[name] = None
        if len(self._names) > self._limit:
            self._names.popitem(last=False)


# Signatures found valid, by the SHA-256 of key, signature and message: a roster is the same for every home of a
# process, and a statement is looked at more than once on its way into the log. What fails is never remembered.
_VALID: Final = _Newest(8192)


@dataclass(frozen=True, slots=True, order=True)
class VerifyingKey:
    """A public Ed25519 key: a canonical point of the curve that is not of low order.

    `raw` is its 32 bytes; keys sort by them. InvalidInput for anything else (RFC 8032, section 5.1.3).
    """

    raw: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if type(self.raw) is not bytes or len(self.raw) != KEY_BYTES:
            raise InvalidInput("A public key is 32 bytes long.", where="public key")
        y = int.from_bytes(self.raw, "little") & ~_SIGN_BIT
        if y >= _P:
            raise InvalidInput("The public key is not encoded canonically.", where="public key")
        if y in _LOW_ORDER_Y:
            raise InvalidInput(
                "The public key is a point of low order, which anybody can sign for.", where="public key"
            )
        if not _on_curve(y):
            raise InvalidInput("The public key is not a point of the curve.", where="public key")

    @classmethod
    def from_bytes(cls, raw: bytes) -> VerifyingKey:
        """Read a key from its 32 bytes; InvalidInput where it is none."""
        return cls(raw)

    @classmethod
    def from_hex(cls, text: str) -> VerifyingKey:
        """Read a key from 64 lowercase hexadecimal digits; InvalidInput where it is none."""
        if len(text) != 2 * KEY_BYTES or not set(text) <= set("0123456789abcdef"):
            raise InvalidInput("A public key is written as 64 lowercase hexadecimal digits.", where="public key")
        return cls(bytes.fromhex(text))

    @property
    def hex(self) -> str:
        """The key as 64 lowercase hexadecimal digits."""
        return self.raw.hex()

    @property
    def id(self) -> str:
        """The short name of the key: the first 32 hexadecimal digits of its SHA-256."""
        return hashlib.sha256(self.raw).hexdigest()[:32]

    def verify(self, signature: bytes, message: bytes) -> None:
        """Check a 64-byte signature of `message`; ProofInvalid where it is none."""
        name = hashlib.sha256(self.raw + signature + message).digest()
        if len(signature) == SIGNATURE_BYTES and name in _VALID:
            return
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            raise ProofInvalid("The signature does not fit the message and the key.", where=f"key {self.id}") from None
        _VALID.add(name)

    def __repr__(self) -> str:
        return f"VerifyingKey({self.hex})"


class SigningKey:
    """A secret Ed25519 key; neither its repr nor its str shows the secret."""

    __slots__ = ("_private", "_public")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self._public = VerifyingKey(private.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> SigningKey:
        """Make a new key from the randomness of the operating system."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> SigningKey:
        """Read a key from its 32-byte seed (RFC 8032, section 5.1.5); InvalidInput for another length."""
        if len(seed) != KEY_BYTES:
            raise InvalidInput("The seed of a signing key is 32 bytes long.", where="signing key")
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def seed(self) -> bytes:
        """The 32 secret bytes, to be kept in a secret file and nowhere else."""
        return self._private.private_bytes_raw()

    @property
    def public(self) -> VerifyingKey:
        """The public half."""
        return self._public

    def sign(self, message: bytes) -> bytes:
        """Sign a message: 64 bytes, the same for the same message."""
        return self._private.sign(message)

    def __repr__(self) -> str:
        return f"SigningKey(id={self._public.id})"


@lru_cache(maxsize=4096)  # few keys sign most statements, and the check costs as much as a signature's
def _on_curve(y: int) -> bool:
    """Whether -x^2 + y^2 = 1 + d x^2 y^2 has an x: (y^2 - 1) / (d y^2 + 1) is a square modulo p."""
    square = y * y % _P
    return pow((square - 1) * (_D * square + 1), (_P - 1) // 2, _P) in (0, 1)
