"""Verifications of public messages that are done once in a process.

Homes that share a process are shown the same adverts and proofs. Whether one of them is valid follows from the
arguments alone, and all of these are public; they are the key of the memo in full, so that nothing but the very same
question is answered from it. A failure raises, and what raises is never remembered.
"""

from __future__ import annotations

from functools import lru_cache

from vicinia.identity.keys import VerifyingKey
from vicinia.tlog.dsse import verify_detached
from vicinia.tlog.merkle import leaf_hash, verify_inclusion

__all__ = ["detached", "inclusion"]

_KEPT = 4096  # of each kind, some 2 KiB each at the most


@lru_cache(maxsize=_KEPT)
def detached(key: VerifyingKey, signature: bytes, kind: str, payload: tuple[tuple[str, object], ...]) -> None:
    """Check a detached signature of the payload with these fields; ProofInvalid where it is none.

    The key remembers valid signatures of its own; here it is the signing bytes that are not made again.
    """
    verify_detached(key, signature, kind, dict(payload))


@lru_cache(maxsize=_KEPT)
def inclusion(leaf: bytes, index: int, size: int, proof: tuple[bytes, ...], root: bytes) -> None:
    """Check that a leaf has this place in the tree with this root (RFC 6962); ProofInvalid where it has not."""
    verify_inclusion(leaf_hash(leaf), index, size, proof, root)
