"""What the household must be told."""

from __future__ import annotations

from vicinia.node.store.database import Database

__all__ = ["Alerts"]

_FINDINGS, _PASSING = 200, 20


class Alerts:
    """Sentences for the household, each once: what this home found, and troubles that may pass.

    Whoever is on the other side can make trouble as often as it likes, with other figures each time: the newest few are
    kept, and they never push out a finding.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, sentence: str, now_ms: int) -> None:
        """Add a finding of this home; one that is there already is not repeated."""
        self._add(sentence, now_ms, 0, _FINDINGS)

    def trouble(self, sentence: str, now_ms: int) -> None:
        """Add a trouble that may pass; one that is there already is not repeated."""
        self._add(sentence, now_ms, 1, _PASSING)

    def all(self) -> list[tuple[int, str]]:
        """(when, sentence), oldest first."""
        return [
            (int(at), str(text)) for at, text in self._database.all("SELECT at_ms, sentence FROM alert ORDER BY id")
        ]

    def _add(self, sentence: str, now_ms: int, passing: int, kept: int) -> None:
        self._database.run(
            "INSERT INTO alert(at_ms, sentence, passing) VALUES(?, ?, ?) ON CONFLICT DO NOTHING",
            (now_ms, sentence, passing),
        )
        self._database.run(
            "DELETE FROM alert WHERE passing = ? AND id NOT IN "
            "(SELECT id FROM alert WHERE passing = ? ORDER BY id DESC LIMIT ?)",
            (passing, passing, kept),
        )
