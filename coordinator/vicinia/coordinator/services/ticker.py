"""One thread that moves everything on that does not wait for a call."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from vicinia.coordinator.services.bell import Bell
from vicinia.errors import ViciniaError

__all__ = ["Ticker"]

_LEAST_S = 0.01

_log = logging.getLogger(__name__)


class Ticker:
    """Calls each task every `interval_s`, and when the bell rings, one after the other; a task that fails does not keep
    the others from work. Who rings all the time has it work half of the time."""

    def __init__(self, tasks: Sequence[Callable[[], None]], interval_s: float, bell: Bell) -> None:
        self._tasks = tuple(tasks)
        self._interval_s = interval_s
        self._bell = bell
        self._stopped = threading.Event()
        self._failing: set[int] = set()
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Let the round under way finish, then end."""
        self._stopped.set()
        self._bell.ring()
        self._thread.join()

    def once(self) -> None:
        """One round; an error is logged when it begins and when it is over, not every time."""
        for number, task in enumerate(self._tasks):
            try:
                task()
            except ViciniaError as error:
                self._failed(number, str(error))
            except Exception as error:
                if number not in self._failing:
                    _log.exception("a task of the coordinator failed")
                self._failed(number, repr(error))
            else:
                if number in self._failing:
                    self._failing.discard(number)
                    _log.info("%s works again", task)

    def _failed(self, number: int, why: str) -> None:
        if number not in self._failing:
            self._failing.add(number)
            _log.error("%s fails: %s", self._tasks[number], why)

    def _run(self) -> None:
        rest_s = _LEAST_S
        while not self._stopped.wait(rest_s):
            self._bell.wait(self._interval_s)
            began = time.monotonic()
            self.once()
            # However often it rings, and in a large run every home may: calls are to be answered, too.
            rest_s = min(self._interval_s, max(_LEAST_S, time.monotonic() - began))
