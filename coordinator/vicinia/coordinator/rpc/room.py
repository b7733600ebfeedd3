"""Room for calls that wait for their caller: for its message, or until it has read the reply."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc

__all__ = ["Room"]


class Room:
    """Calls that wait for their caller, each of which takes so much of the room.

    Who has to go when there is too little: of those that hold most, the call that has waited for longest, if that is
    `patience_s` or more. So a flood takes room from itself, and a burst of honest calls, whose callers are only about
    to be heard, costs nobody anything.
    """

    def __init__(self, size: int, patience_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._patience_s = patience_s
        self._monotonic = monotonic
        self._inside: dict[grpc.ServicerContext, tuple[object, float, int]] = {}  # the longest wait first
        self._taken = 0
        self._lock = threading.Lock()

    def enter(self, context: grpc.ServicerContext, who: object, takes: int = 1) -> None:
        """Wait in here, until `leave`; or until somebody else needs the room: then the call is cancelled."""
        with self._lock:
            self._inside[context] = who, self._monotonic(), takes
            self._taken += takes
        self.make_room()

    def leave(self, context: grpc.ServicerContext) -> None:
        """The wait is over; nothing happens where the call was sent away."""
        with self._lock:
            self._remove(context)

    @contextmanager
    def seat(self, context: grpc.ServicerContext, who: object) -> Iterator[None]:
        """Enter and leave."""
        self.enter(context, who)
        try:
            yield
        finally:
            self.leave(context)

    def make_room(self) -> None:
        """Send away who has waited for long while others need the room."""
        gone: list[grpc.ServicerContext] = []
        with self._lock:
            while self._taken > self._size and (context := self._patient()) is not None:
                self._remove(context)
                gone.append(context)
        for context in gone:
            context.cancel()

    def _remove(self, context: grpc.ServicerContext) -> None:
        self._taken -= self._inside.pop(context, (None, 0.0, 0))[2]

    def _patient(self) -> grpc.ServicerContext | None:
        """Of those that hold most and have waited for long, the one that came first."""
        since, held = self._monotonic() - self._patience_s, Counter[object]()
        for who, _, takes in self._inside.values():
            held[who] += takes
        patient = [(-held[who], at, context) for context, (who, at, _) in self._inside.items() if at <= since]
        return min(patient, key=lambda one: one[:2])[2] if patient else None
