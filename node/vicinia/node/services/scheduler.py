"""Many waiting tasks on few threads: each says when it wants to be called again."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

__all__ = ["Scheduler", "Task"]

Task = Callable[[], float | None]

_log = logging.getLogger("vicinia.node")

_LOOK_SECONDS = 0.5  # how often it is looked whether there is nothing left to do


class Scheduler:
    """Calls every task when it is due; a task returns the seconds until its next call, or None when it is done.

    A task is never called twice at once, and must not raise: what went wrong is its own to handle. The threads take
    the tasks themselves; of those that have none, one waits for the next that is due, and the others for that one.
    """

    def __init__(self, threads: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._threads = threads
        self._clock = clock
        self._due: list[tuple[float, int, Task]] = []
        self._order = itertools.count()
        self._busy: list[Task] = []
        self._hastened: dict[Task, float] = {}  # tasks that run, and when they are wanted again
        self._watched = False  # whether a thread waits for the first of `_due`
        self._ended = False
        self._changed = threading.Condition()

    def add(self, task: Task, delay: float = 0.0) -> None:
        """Call a task after `delay` seconds."""
        with self._changed:
            self._push(task, delay)

    def hasten(self, task: Task, delay: float) -> None:
        """Call a task after `delay` seconds, if that is sooner; one that runs is called again then, if at all."""
        with self._changed:
            at = self._clock() + delay
            if task in self._busy:
                self._hastened[task] = at
                return
            for place, (due, _, waiting) in enumerate(self._due):
                if waiting == task and due > at:
                    del self._due[place]
                    heapq.heapify(self._due)
                    self._push(task, delay)
                    return

    @property
    def idle(self) -> bool:
        """Whether nothing is waiting or running."""
        with self._changed:
            return not self._due and not self._busy

    def run(self, stop: threading.Event, *, until_idle: float | None = None) -> None:
        """Serve until `stop` is set, or, with `until_idle`, until there was nothing to do for so many seconds."""
        self._ended = False
        threads = [threading.Thread(target=self._serve, name=f"task{number}") for number in range(self._threads)]
        for thread in threads:
            thread.start()
        look = _LOOK_SECONDS if until_idle is None else min(_LOOK_SECONDS, until_idle)
        quiet_since = self._clock()
        try:
            while not stop.wait(look):
                if not self.idle:
                    quiet_since = self._clock()
                elif until_idle is not None and self._clock() - quiet_since >= until_idle:
                    return
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
            for thread in threads:
                thread.join()

    def _serve(self) -> None:
        """In each thread: one task after the other."""
        while (task := self._next()) is not None:
            delay: float | None = None
            try:
                delay = task()
            except Exception:
                _log.exception("a task met a defect, and is not called again")
            finally:
                with self._changed:
                    self._busy.remove(task)
                    sooner = self._hastened.pop(task, None)
                    if delay is not None:
                        self._push(task, delay if sooner is None else min(delay, max(0.0, sooner - self._clock())))

    def _next(self) -> Task | None:
        """The first task that is due, once it is; None at the end."""
        with self._changed:
            while not self._ended:
                left = self._due[0][0] - self._clock() if self._due else None
                if left is not None and left <= 0:
                    _, _, task = heapq.heappop(self._due)
                    self._busy.append(task)
                    self._changed.notify()  # somebody else has the next one to wait for
                    return task
                if left is None or self._watched:
                    self._changed.wait()
                    continue
                self._watched = True
                self._changed.wait(left)
                self._watched = False
        return None

    def _push(self, task: Task, delay: float) -> None:
        """Within the lock; who waits for a later one is told of an earlier one."""
        at = self._clock() + delay
        heapq.heappush(self._due, (at, next(self._order), task))
        if self._due[0][0] == at:
            self._changed.notify_all()
