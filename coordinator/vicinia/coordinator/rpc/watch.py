"""An end to calls whose caller keeps this server waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc
from vicinia.coordinator.rpc.room import Room

__all__ = ["Watch"]

_LOOK_S = 0.1


class Watch:
    """Cancels calls that are not over in time; the caller sees CANCELLED, and may try again."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._due: dict[grpc.ServicerContext, float] = {}
        self._rooms: list[Room] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopped.set()
        self._thread.join()

    @contextmanager
    def limit(self, context: grpc.ServicerContext, seconds: float) -> Iterator[None]:
        """For as long as a call waits for its messages."""
        self.extend(context, seconds)
        try:
            yield
        finally:
            self.forget(context)

    def extend(self, context: grpc.ServicerContext, seconds: float) -> None:
        """So many seconds from now."""
        with self._lock:
            self._due[context] = self._monotonic() + seconds

    def forget(self, context: grpc.ServicerContext) -> None:
        """Nothing is waited for any more."""
        with self._lock:
            self._due.pop(context, None)

    def over(self, room: Room) -> None:
        """Look after a room, too: whoever could make another one go may still wait for a thread."""
        self._rooms.append(room)

    def look(self) -> None:
        """Cancel what is overdue."""
        for room in self._rooms:
            room.make_room()
        now = self._monotonic()
        with self._lock:
            late = [context for context, due in self._due.items() if due <= now]
            for context in late:
                del self._due[context]
        for context in late:
            context.cancel()

    def _run(self) -> None:
        while not self._stopped.wait(_LOOK_S):
            self.look()
