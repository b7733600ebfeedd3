"""What the household must be told."""

from __future__ import annotations

from vicinia.node.store.database import Database

__all__ = ["Alerts"]

_KEPT = 200


class Alerts:
    """Sentences for the household, each once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, sentence: str, now_ms: int) -> None:
        """Add an alert; one that is there already is not repeated."""
        self._database.run("INSERT INTO alert(at_ms, sentence) VALUES(?, ?) ON CONFLICT DO NOTHING", (now_ms, sentence))
        self._database.run("DELETE FROM alert WHERE id <= (SELECT MAX(id) FROM alert) - ?", (_KEPT,))

    def all(self) -> list[tuple[int, str]]:
        """(when, sentence), oldest first."""
        return [
            (int(at), str(text)) for at, text in self._database.all("SELECT at_ms, sentence FROM alert ORDER BY id")
        ]
