"""Fetching what a training left behind, each thing by the hash that the log, the card or a release names."""

from __future__ import annotations

import hashlib

from vicinia.coordinator.client.link import Link
from vicinia.errors import Incompatible, ProofInvalid

__all__ = ["Artifacts"]


class Artifacts:
    """One training's; whatever comes back has the hash that was asked for."""

    def __init__(self, link: Link, job_hash: bytes) -> None:
        self._link = link
        self._job_hash = job_hash

    def fetch(self, digest: bytes, what: str) -> bytes:
        """The bytes with this SHA-256; `what` is how an error calls them."""
        body = bytearray()
        total = 1
        while len(body) < total:
            piece = self._link.artifact(self._job_hash, digest, len(body))
            total = piece.total
            if not piece.data or len(body) + len(piece.data) > total:
                raise Incompatible(f"The coordinator holds back a part of {what}.", where=what)
            body += piece.data
        if hashlib.sha256(body).digest() != digest:
            raise ProofInvalid(
                f"The coordinator sent another {what} than the one that the log vouches for.", where=what
            )
        return bytes(body)
