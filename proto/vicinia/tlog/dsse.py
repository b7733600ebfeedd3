"""What a signature covers: the DSSE pre-authentication encoding of a canonical payload, and its type.

Every kind of message has a type of its own and names its cooperative, so that no signature can be carried
over to another kind or another cooperative. Source: secure-systems-lab/dsse, protocol.md, v1.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from vicinia.errors import InvalidInput
from vicinia.identity.keys import SigningKey, VerifyingKey
from vicinia.tlog.canonical import canonical

__all__ = ["check_kind", "pae", "sign_detached", "signing_bytes", "verify_detached"]

_KIND: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")


def pae(payload_type: str, payload: bytes) -> bytes:
    """The pre-authentication encoding: both parts with their lengths, so that no two pairs share one."""
    name = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)


def check_kind(kind: str) -> str:
    """The name of a kind of message: a-z, then up to 39 of a-z, 0-9, hyphen; InvalidInput otherwise."""
    if not _KIND.fullmatch(kind):
        raise InvalidInput(f"{kind[:60]!r} is no kind of statement.", where="type")
    return kind


def signing_bytes(kind: str, payload: Mapping[str, object]) -> bytes:
    """The bytes under a signature of `payload`, which must name its cooperative; InvalidInput otherwise."""
    check_kind(kind)
    if type(payload.get("coop")) is not str:
        raise InvalidInput("What is signed must name its cooperative.", where=f"{kind}.coop")
    return pae(f"application/vnd.vicinia.{kind}.v1+json", canonical(dict(payload)))


def sign_detached(key: SigningKey, kind: str, payload: Mapping[str, object]) -> bytes:
    """Sign something that is not logged: 64 bytes, kept beside the payload."""
    return key.sign(signing_bytes(kind, payload))


def verify_detached(public: VerifyingKey, signature: bytes, kind: str, payload: Mapping[str, object]) -> None:
    """Check a signature that `sign_detached` made; ProofInvalid where it does not fit."""
    public.verify(signature, signing_bytes(kind, payload))
