"""What a query gave, kept until something is written: what a daemon asks for at every poll."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from vicinia.node.store.database import Database

__all__ = ["Kept"]

T = TypeVar("T")


class Kept(Generic[T]):
    """`read` is called again where anybody, in this process or another, has written since. Nobody changes the value."""

    def __init__(self, database: Database, read: Callable[[], T]) -> None:
        self._database = database
        self._read = read
        self._known: tuple[tuple[int, int], T] | None = None

    def __call__(self) -> T:
        """The value as it is on disk, or as the transaction under way has made it."""
        version, known = self._database.version(), self._known
        if version is None:  # what a transaction has not committed may be undone: it is never kept
            return self._read()
        if known is None or known[0] != version:
            # Read after the version was: what is written between the two is seen, and read again the next time.
            known = self._known = version, self._read()
        return known[1]
