"""Who may hold one of the few slots for vectors under way, and for how long in all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vicinia.coordinator.rpc.admission import BYTES_A_SECOND
from vicinia.coordinator.rpc.slots import Slots
from vicinia.errors import PhaseOver
from vicinia.wire.upload import UploadHeader

__all__ = ["Uploads"]

_START_S = 10.0
_TRIES = 2  # a slow line, and one more; how often a line breaks off early does not matter
_MAX_REMEMBERED = 200_000


class Uploads:
    """Slots for vectors whose headers are good. A home that holds one and does not deliver uses up its time in the run.

    Else a few homes of a roster could hold all slots until the phase is over, and no other vector would get in.
    """

    def __init__(self, slots: Slots, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._slots = slots
        self._monotonic = monotonic
        self._spent: dict[tuple[bytes, str], float] = {}  # only of those that did not deliver; the oldest first
        self._lock = threading.Lock()

    @contextmanager
    def one(self, home: str, header: UploadHeader) -> Iterator[float]:
        """Hold a slot, for so many seconds at most; PhaseOver for who has none left, Unavailable where no slot is."""
        allowed, key = _START_S + header.packed_bytes / BYTES_A_SECOND, (header.run_id, home)
        left = _TRIES * allowed - self._spent.get(key, 0.0)
        if left <= 0:
            raise PhaseOver(
                "This home took too long to send its vector in this run, and has no time left.", where="run"
            )
        with self._slots.one(home):
            begun = self._monotonic()
            try:
                yield min(allowed, left)
            except BaseException:
                self._spend(key, self._monotonic() - begun)
                raise

    def _spend(self, key: tuple[bytes, str], seconds: float) -> None:
        with self._lock:
            self._spent[key] = self._spent.pop(key, 0.0) + seconds
            while len(self._spent) > _MAX_REMEMBERED:
                del self._spent[next(iter(self._spent))]
