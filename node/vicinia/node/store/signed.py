"""Every statement that this home has signed, written down before it is sent."""

from __future__ import annotations

from vicinia.node.store.database import Database

__all__ = ["Signed"]


class Signed:
    """The journal of a home's own signatures: a signature in the log that is not here was made by another copy."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, digest: bytes, kind: str, leaf: bytes, now_ms: int) -> None:
        """Write a statement down; writing it again changes nothing."""
        self._database.run(
            "INSERT INTO signed(digest, kind, leaf, at_ms) VALUES(?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (digest, kind, leaf, now_ms),
        )

    def has(self, digest: bytes) -> bool:
        """Whether this home signed the statement of this digest."""
        return self._database.one("SELECT 1 FROM signed WHERE digest = ?", (digest,)) is not None
