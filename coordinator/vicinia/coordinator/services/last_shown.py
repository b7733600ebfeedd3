"""How far the runs have come that homes may have seen, kept beside the database: one from a backup may be behind it.

No leaf is logged between a run's roster and its release, so the log does not tell: a database that lacks a transition
would publish other dealers or survivors for the same roster (docs/adr/0010). The file is written after a transition
is on disk and before anybody is told of it, so it is never ahead of a database that nobody has put back.
"""

from __future__ import annotations

import threading
from pathlib import Path

from vicinia.errors import NotFound
from vicinia.identity import read_secret, write_secret

__all__ = ["LastShown"]


class LastShown:
    """The file: how many transitions of runs there were, in decimal."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: int | None = None
        self._lock = threading.Lock()

    def read(self) -> int | None:
        """What was kept; None where the file is missing or says nothing."""
        try:
            return int(read_secret(self._path))
        except (NotFound, ValueError):
            return None

    def keep(self, number: int) -> None:
        """On disk before anybody is told of it, never less than before; StorageFault where it cannot be written."""
        with self._lock:
            if self._written is None:
                kept = self.read()
                self._written = -1 if kept is None else kept
            if number > self._written:
                write_secret(self._path, f"{number}\n".encode(), replace=True)
                self._written = number
