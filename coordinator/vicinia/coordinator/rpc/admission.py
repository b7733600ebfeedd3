"""Who gets one of the server's threads, and for how long a call may keep one waiting for its message.

gRPC gives a call its thread before the message is there, for unary calls as for streams: who opened calls and sent
nothing would stop everybody else. So calls without their message sit in a room with few seats; while more sit in it,
who has been silent for a moment has to go. An honest call's message may wait for a busy server, too, but not so long.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from vicinia.errors import InvalidInput, Unavailable, ViciniaError
from vicinia.wire.errors import abort

__all__ = ["Admission", "Room", "Slots", "Watch", "address_of"]

_MESSAGE_S = 5.0  # a unary call's message follows its opening at once; a slow line takes a second or two
_SILENT_S = 0.3  # what a call may keep the others waiting for when there is no seat left
_LOOK_S = 0.1


class Slots:
    """So many at once, of whom so many for each; who comes in vain is told so at once, and holds nothing."""

    def __init__(self, total: int, each: int) -> None:
        self._total = total
        self._each = each
        self._held: Counter[object] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def one(self, who: object) -> Iterator[None]:
        """Hold one; Unavailable where there is none."""
        with self._lock:
            if self._held.total() >= self._total or self._held[who] >= self._each:
                raise Unavailable("Too many calls at once.", where="call", hint="Try again later.")
            self._held[who] += 1
        try:
            yield
        finally:
            with self._lock:
                self._held[who] -= 1
                if not self._held[who]:
                    del self._held[who]


class Watch:
    """Cancels calls whose messages do not come in time; the caller sees CANCELLED, and may try again."""

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
            with self._lock:
                self._due.pop(context, None)

    def extend(self, context: grpc.ServicerContext, seconds: float) -> None:
        """So many seconds from now."""
        with self._lock:
            self._due[context] = self._monotonic() + seconds

    def over(self, room: Room) -> None:
        """Look after a room, too: whoever could take a seat in it may still wait for a thread."""
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


class Room:
    """Seats for calls whose message has not come yet.

    Who gives theirs up when there are too few: of those that hold most seats, the call that has been silent for
    longest, if that is long. So a flood of silent calls takes seats from itself, and a burst of honest ones, whose
    messages only wait for this server to read them, costs nobody anything.
    """

    def __init__(self, seats: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seats = seats
        self._monotonic = monotonic
        self._seated: dict[grpc.ServicerContext, tuple[object, float]] = {}  # the longest wait first
        self._lock = threading.Lock()

    @contextmanager
    def seat(self, context: grpc.ServicerContext, who: object) -> Iterator[None]:
        """Until the message is there, or somebody else needs the seat: then the call is cancelled."""
        with self._lock:
            self._seated[context] = who, self._monotonic()
        self.make_room()
        try:
            yield
        finally:
            with self._lock:
                self._seated.pop(context, None)

    def make_room(self) -> None:
        """Send away who has been silent for long while others need the seat."""
        gone: list[grpc.ServicerContext] = []
        with self._lock:
            while len(self._seated) > self._seats and (context := self._silent()) is not None:
                del self._seated[context]
                gone.append(context)
        for context in gone:
            context.cancel()

    def _silent(self) -> grpc.ServicerContext | None:
        """Of those that hold most seats and have been silent for long, the one that came first."""
        held, since = Counter(who for who, _ in self._seated.values()), self._monotonic() - _SILENT_S
        silent = [(-held[who], at, context) for context, (who, at) in self._seated.items() if at <= since]
        return min(silent, key=lambda one: one[:2])[2] if silent else None


class Admission(grpc.ServerInterceptor):
    """Before every call: a slot for the caller, a seat until its message is there, and an end to the wait for it.

    `who` tells callers apart: by what a certificate says, never by the certificate, of which one may have many.
    """

    def __init__(self, slots: Slots, room: Room, watch: Watch, who: Callable[[grpc.ServicerContext], object]) -> None:
        self._slots = slots
        self._room = room
        self._watch = watch
        watch.over(room)
        self._who = who

    def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        """The handler, taught patience; unary calls are taken as streams of one message, the same on the wire."""
        handler = continuation(handler_call_details)
        if handler is None or handler.response_streaming:  # no call here answers with a stream
            return None
        behaviour = handler.stream_unary or self._of_unary(handler.unary_unary)
        return grpc.stream_unary_rpc_method_handler(
            self._admitted(behaviour), handler.request_deserializer, handler.response_serializer
        )

    def _admitted(self, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        def answer(requests: Iterator[Any], context: grpc.ServicerContext) -> Any:
            try:
                with self._slots.one(self._who(context)):
                    return behaviour(requests, context)
            except ViciniaError as error:
                abort(context, error)

        return answer

    def _of_unary(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def answer(requests: Iterator[Any], context: grpc.ServicerContext) -> Any:
            with self._room.seat(context, self._who(context)), self._watch.limit(context, _MESSAGE_S):
                request = next(requests, None)
            if request is None:
                abort(context, InvalidInput("The call has no message.", where="call"))
            return method(request, context)

        return answer


def address_of(context: grpc.ServicerContext) -> object:
    """Where a caller without a certificate calls from: the address without its port."""
    return context.peer().rpartition(":")[0]
