"""Many messages at a time, or one transition: never both."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Gate"]


class Gate:
    """Shared for those who take a message in and journal it; exclusive for whoever freezes a phase.

    So what is frozen is what has been journalled: no message is in memory and not on disk, or the reverse.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._frozen = False

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Enter beside others; waits while a transition is under way."""
        with self._changed:
            self._changed.wait_for(lambda: not self._frozen)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Enter alone: keep newcomers out, wait for those inside."""
        with self._changed:
            self._changed.wait_for(lambda: not self._frozen)
            self._frozen = True
            self._changed.wait_for(lambda: self._inside == 0)
        try:
            yield
        finally:
            with self._changed:
                self._frozen = False
                self._changed.notify_all()
