"""Many waiting tasks on few threads: each says when it wants to be called again."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

__all__ = ["Scheduler", "Task"]

Task = Callable[[], float | None]


class Scheduler:
    """Calls every task when it is due; a task returns the seconds until its next call, or None when it is done.

    A task is never called twice at once, and must not raise: what went wrong is its own to handle.
    """

    def __init__(self, threads: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._threads = threads
        self._clock = clock
        self._due: list[tuple[float, int, Task]] = []
        self._order = itertools.count()
        self._running = 0
        self._changed = threading.Condition()

    def add(self, task: Task, delay: float = 0.0) -> None:
        """Call a task after `delay` seconds."""
        with self._changed:
            heapq.heappush(self._due, (self._clock() + delay, next(self._order), task))
            self._changed.notify()

    @property
    def idle(self) -> bool:
        """Whether nothing is waiting or running."""
        with self._changed:
            return not self._due and not self._running

    def run(self, stop: threading.Event, *, until_idle: float | None = None) -> None:
        """Serve until `stop` is set, or, with `until_idle`, until there was nothing to do for so many seconds."""
        with ThreadPoolExecutor(self._threads) as pool:
            quiet_since = self._clock()
            while not stop.is_set():
                with self._changed:
                    now = self._clock()
                    if self._due or self._running:
                        quiet_since = now
                    elif until_idle is not None and now - quiet_since >= until_idle:
                        return
                    if not self._due or self._due[0][0] > now or self._running >= self._threads:
                        wait = min(0.5, max(self._due[0][0] - now, 0.005)) if self._due else 0.2
                        self._changed.wait(wait)
                        continue
                    _, _, task = heapq.heappop(self._due)
                    self._running += 1
                pool.submit(self._call, task)

    def _call(self, task: Task) -> None:
        delay: float | None = None
        try:
            delay = task()
        finally:
            with self._changed:
                self._running -= 1
                if delay is not None:
                    heapq.heappush(self._due, (self._clock() + delay, next(self._order), task))
                self._changed.notify()
