"""A bell, rung where there is something to do before the next tick: else each phase of a run would wait for several."""

from __future__ import annotations

import threading

__all__ = ["Bell"]


class Bell:
    """Anybody may ring it at any time, and whoever waits goes on at once; what nobody rings for waits for the tick."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def ring(self) -> None:
        """There may be something to do."""
        self._rung.set()

    def wait(self, seconds: float) -> None:
        """Until it rings, or has rung since the last time, but not longer than so many seconds."""
        self._rung.wait(seconds)
        self._rung.clear()
