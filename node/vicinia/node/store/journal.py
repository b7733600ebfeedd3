"""The secure aggregation's state of every open run: durable before any message of it is sent."""

from __future__ import annotations

from dataclasses import dataclass

from vicinia.node.store.database import Database

__all__ = ["Entry", "Journal"]


@dataclass(frozen=True, slots=True)
class Entry:
    """The newest state of a run and the message of its step (empty where the step has none).

    `width` is the bits of an element where the message is the masked vector, else 0.
    """

    state: bytes
    message: bytes
    width: int = 0


class Journal:
    """One entry a run; a message is sent exactly as it stands here, however often."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, run_id: bytes, entry: Entry) -> None:
        """Replace the entry of a run; its message counts once in what the run sends, however often it is sent."""
        with self._database.transaction("journal a message"):
            self._database.run(
                "INSERT INTO journal(run_id, state, message, width) VALUES(?, ?, ?, ?) ON CONFLICT(run_id) "
                "DO UPDATE SET state = excluded.state, message = excluded.message, width = excluded.width",
                (run_id, entry.state, entry.message, entry.width),
            )
            self._database.run("UPDATE run SET bytes_up = bytes_up + ? WHERE run_id = ?", (len(entry.message), run_id))

    def get(self, run_id: bytes) -> Entry | None:
        """The entry of a run, or None."""
        row = self._database.one("SELECT state, message, width FROM journal WHERE run_id = ?", (run_id,))
        return None if row is None else Entry(bytes(row[0]), bytes(row[1]), int(row[2]))

    def erase(self, run_id: bytes) -> None:
        """Forget a run's keys and message; secure_delete overwrites the pages."""
        with self._database.lock:
            self._database.run("PRAGMA secure_delete = ON")
            self._database.run("DELETE FROM journal WHERE run_id = ?", (run_id,))
