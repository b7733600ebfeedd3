"""A home's copy of the log, as a file that somebody brought: nothing in it is believed before it is checked."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from vicinia.errors import InvalidInput, NotFound

__all__ = ["CopyOfLog"]


@dataclass(frozen=True, slots=True)
class CopyOfLog:
    """Every leaf under `note`, and the jobs (canonical JSON by hash) that the home has read; `where` is the file."""

    where: str
    note: bytes
    leaves: tuple[bytes, ...]
    jobs: Mapping[bytes, bytes]

    @classmethod
    def read(cls, path: Path) -> CopyOfLog:
        """Read a home's `replica.db`, without changing it; NotFound or InvalidInput where it is none."""
        if not path.is_file():
            raise NotFound("There is no such file.", where=str(path))
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
                kept = database.execute("SELECT size, note FROM checkpoint").fetchone()
                size, note = (int(kept[0]), bytes(kept[1])) if kept is not None else (0, b"")
                rows = database.execute("SELECT leaf FROM leaf WHERE idx < ? ORDER BY idx", (size,))
                leaves = tuple(bytes(row[0]) for row in rows)
                jobs = [bytes(row[0]) for row in database.execute("SELECT job FROM job")]
        except (sqlite3.Error, TypeError, ValueError) as error:
            raise InvalidInput(
                "This is not a home's copy of the log.", where=str(path), hint="Homes keep it in replica.db."
            ) from error
        if not leaves:
            raise InvalidInput("This home had not read the log yet.", where=str(path), hint="Ask another home.")
        return cls(str(path), note, leaves, {hashlib.sha256(job).digest(): job for job in jobs})
