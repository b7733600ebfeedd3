"""A signed statement: what a leaf of the log is."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from vicinia.errors import InvalidInput, ProofInvalid, TooLarge
from vicinia.identity.keys import SIGNATURE_BYTES, SigningKey, VerifyingKey
from vicinia.tlog.canonical import canonical, parse_canonical
from vicinia.tlog.dsse import signing_bytes

__all__ = ["MAX_LEAF_BYTES", "Statement"]

MAX_LEAF_BYTES: Final = 65_535
_VERSION: Final = 1
_SIGNATURE: Final = re.compile(r"[0-9a-f]{128}")


@dataclass(frozen=True, slots=True)
class Statement:
    """A payload of some kind and who signed it, sorted by key, one signature a key.

    The payload belongs to the statement: nobody changes it. InvalidInput for signatures out of order or of
    another length than 64 bytes, and for a payload that cannot be signed. Building one proves nothing yet:
    `verify` and `signed_by` do.
    """

    kind: str
    payload: dict[str, Any]
    signatures: tuple[tuple[VerifyingKey, bytes], ...] = ()
    _message: bytes = field(init=False, repr=False, compare=False)  # what every signature is of

    def __post_init__(self) -> None:
        object.__setattr__(self, "_message", signing_bytes(self.kind, self.payload))
        keys = [key for key, _ in self.signatures]
        if any(left >= right for left, right in itertools.pairwise(keys)):
            raise InvalidInput("Signatures are not sorted by key, one a key.", where=self.kind)
        if any(len(signature) != SIGNATURE_BYTES for _, signature in self.signatures):
            raise InvalidInput("A signature is 64 bytes long.", where=self.kind)

    @classmethod
    def parse(cls, leaf: bytes) -> Statement:
        """Read a statement from a leaf's bytes; InvalidInput unless they are exactly `leaf()` of one."""
        found = parse_canonical(leaf, where="statement", limit=MAX_LEAF_BYTES)
        if set(found) != {"payload", "signatures", "type", "v"}:
            raise InvalidInput("A statement has payload, signatures, type and v, nothing else.", where="statement")
        kind, payload, signatures = found["type"], found["payload"], found["signatures"]
        if found["v"] is True or found["v"] != _VERSION:
            raise InvalidInput("The statement has a version that this program does not know.", where="statement.v")
        if not (isinstance(kind, str) and isinstance(payload, dict) and isinstance(signatures, list)):
            raise InvalidInput("A part of the statement has a wrong type.", where="statement")
        return cls(kind, payload, tuple(_parse_signature(one) for one in signatures))

    def leaf(self) -> bytes:
        """The bytes that are logged: canonical JSON, at most 65,535 (TooLarge)."""
        signatures = [{"key": key.hex, "sig": signature.hex()} for key, signature in self.signatures]
        leaf = canonical({"payload": self.payload, "signatures": signatures, "type": self.kind, "v": _VERSION})
        if len(leaf) > MAX_LEAF_BYTES:
            raise TooLarge(f"The statement has {len(leaf)} bytes, more than {MAX_LEAF_BYTES}.", where=self.kind)
        return leaf

    @property
    def digest(self) -> bytes:
        """The name of what is said, whoever signed it: SHA-256 of the signing bytes."""
        return hashlib.sha256(self._message).digest()

    def sign(self, key: SigningKey) -> Statement:
        """The statement with the signature of `key` added, or replaced."""
        return self.endorse(key.public, key.sign(self._message))

    def endorse(self, key: VerifyingKey, signature: bytes) -> Statement:
        """The statement with a signature that was made elsewhere; ProofInvalid where it does not fit."""
        key.verify(signature, self._message)
        return replace(self, signatures=tuple(sorted({**dict(self.signatures), key: signature}.items())))

    def signed_by(self, key: VerifyingKey) -> bool:
        """Whether a valid signature of `key` is there."""
        signature = dict(self.signatures).get(key)
        if signature is None:
            return False
        try:
            key.verify(signature, self._message)
        except ProofInvalid:
            return False
        return True

    def verify(self) -> None:
        """Check every signature that is there; ProofInvalid for the first that does not fit."""
        for key, signature in self.signatures:
            key.verify(signature, self._message)

    def unsigned(self) -> Statement:
        """The same statement without signatures."""
        return replace(self, signatures=())


def _parse_signature(found: object) -> tuple[VerifyingKey, bytes]:
    if not isinstance(found, Mapping) or set(found) != {"key", "sig"}:
        raise InvalidInput("A signature has key and sig, nothing else.", where="statement.signatures")
    key, signature = found["key"], found["sig"]
    if not (isinstance(key, str) and isinstance(signature, str) and _SIGNATURE.fullmatch(signature)):
        raise InvalidInput("A signature is written as 128 lowercase hexadecimal digits.", where="statement.signatures")
    return VerifyingKey.from_hex(key), bytes.fromhex(signature)
