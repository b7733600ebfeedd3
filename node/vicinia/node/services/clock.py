"""The time as a home believes it: never earlier than what was cosigned, so that a clock set back revives nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

from vicinia.node.store.facts import Facts

__all__ = ["Clock", "HomeClock", "system_clock"]

Clock = Callable[[], int]
_MARK = "clock-cosigned"
_STEP_MS = 60_000  # how often the mark is written: SD cards wear
_LOOK_SECONDS = 1.0  # how often it is read: another process of the home writes it as seldom


def system_clock() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class HomeClock:
    """Milliseconds since 1970: what the machine's clock says, but never earlier than a mark.

    The mark is a time that witnesses have signed plus what has verifiably passed since. The machine's own clock never
    raises it: one that was ahead for a moment would make everything too late for good.
    """

    def __init__(
        self, facts: Facts, clock: Clock = system_clock, elapsed: Callable[[], float] = time.monotonic
    ) -> None:
        self._facts = facts
        self._clock = clock
        self._elapsed = elapsed
        self._anchor = facts.number(_MARK), elapsed()  # the mark, and when it was taken
        self._looked = elapsed()  # when the stored mark was read last

    def __call__(self) -> int:
        return max(self._clock(), self._mark())

    def witness(self, at_ms: int) -> None:
        """Take note of a time that enough witnesses signed: a checkpoint's k-th newest cosignature."""
        if at_ms > self._mark():
            self._anchor = at_ms, self._elapsed()
            self._keep(at_ms)

    def _mark(self) -> int:
        now = self._elapsed()
        at_ms, since = self._anchor
        mark = at_ms + int((now - since) * 1000) if at_ms else 0
        if now < self._looked + _LOOK_SECONDS:
            return mark
        self._looked = now
        stored = self._facts.number(_MARK)  # the daemon and its worker both raise it
        if stored > mark:
            self._anchor = stored, now
            return stored
        self._keep(mark, stored)
        return mark

    def _keep(self, mark: int, stored: int | None = None) -> None:
        if mark >= (self._facts.number(_MARK) if stored is None else stored) + _STEP_MS:
            self._facts.put(_MARK, mark)
