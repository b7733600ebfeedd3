"""How many calls a caller may have at once, and all together."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from vicinia.errors import Unavailable

__all__ = ["Slots"]


class Slots:
    """So many for each, so many at once; who comes in vain is told so at once, and holds nothing."""

    def __init__(self, each: int, total: int = sys.maxsize) -> None:
        self._each = each
        self._total = total
        self._held: Counter[object] = Counter()
        self._lock = threading.Lock()

    def take(self, who: object) -> None:
        """Hold one more; Unavailable where there is none."""
        with self._lock:
            if self._held.total() >= self._total or self._held[who] >= self._each:
                raise Unavailable("Too many calls at once.", where="call", hint="Try again later.")
            self._held[who] += 1

    def give_back(self, who: object) -> None:
        """Hold one less."""
        with self._lock:
            self._held[who] -= 1
            if not self._held[who]:
                del self._held[who]

    @contextmanager
    def one(self, who: object) -> Iterator[None]:
        """Hold one meanwhile; Unavailable where there is none."""
        self.take(who)
        try:
            yield
        finally:
            self.give_back(who)
