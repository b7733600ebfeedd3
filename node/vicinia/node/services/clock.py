"""The time as a home believes it: never earlier than what it has seen, so that a clock set back revives nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

from vicinia.node.store.facts import Facts

__all__ = ["Clock", "HomeClock", "system_clock"]

Clock = Callable[[], int]
_SEEN = "clock-seen"
_STEP_MS = 60_000  # how often the high-water mark is written: SD cards wear


def system_clock() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class HomeClock:
    """Milliseconds since 1970, monotonic over restarts up to a minute."""

    def __init__(self, facts: Facts, clock: Clock = system_clock) -> None:
        self._facts = facts
        self._clock = clock

    def __call__(self) -> int:
        now, seen = self._clock(), self._facts.number(_SEEN)
        if now > seen + _STEP_MS:
            self._facts.put(_SEEN, now)
        return max(now, seen)

    def witness(self, at_ms: int) -> None:
        """Take note of a time that others signed, such as a checkpoint's cosignature."""
        if at_ms > self._facts.number(_SEEN):
            self._facts.put(_SEEN, at_ms)
