"""Versioned consent records: appended, never changed."""

from __future__ import annotations

from vicinia.node.store.database import Database

__all__ = ["Consents"]


class Consents:
    """A home's consent records, the newest of a key last."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, dataset: str, purpose: str, recipient: str, record: bytes) -> int:
        """Append a record; its version."""
        with self._database.transaction("record a consent decision"):
            self._database.run(
                "INSERT INTO consent(dataset, purpose, recipient, record) VALUES(?, ?, ?, ?)",
                (dataset, purpose, recipient, record),
            )
            row = self._database.one("SELECT last_insert_rowid()")
        return int(row[0]) if row else 0

    def all(self) -> list[tuple[int, bytes]]:
        """(version, record) of everything ever decided, oldest first."""
        rows = self._database.all("SELECT version, record FROM consent ORDER BY version")
        return [(int(version), bytes(record)) for version, record in rows]
