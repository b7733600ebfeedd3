"""Who gets one of the server's threads, and for how long a call may keep one waiting for its message.

gRPC gives a call its thread before the message is there, for unary calls as for streams: who opened calls and sent
nothing would stop everybody else. So calls without their message sit in a room with few seats, and whoever comes
while it is full takes the seat of who has waited longest.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from vicinia.errors import InvalidInput, Unauthenticated, Unavailable
from vicinia.wire.errors import abort

__all__ = ["Admission", "Room", "Slots", "Watch", "address_of"]

_MESSAGE_S = 5.0  # a unary call's message follows its opening at once; a slow line takes a second or two
_LOOK_S = 0.5


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

    def look(self) -> None:
        """Cancel what is overdue."""
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
    """Seats for calls whose message has not come yet; there is always one for a newcomer.

    Who gives theirs up: of those that hold most seats, the call that has waited longest. An honest call sits here for
    the time that a message takes, so that a flood of silent ones takes seats from itself.
    """

    def __init__(self, seats: int) -> None:
        self._seats = seats
        self._seated: dict[grpc.ServicerContext, object] = {}  # the longest wait first
        self._lock = threading.Lock()

    @contextmanager
    def seat(self, context: grpc.ServicerContext, who: object) -> Iterator[None]:
        """Until the message is there, or somebody else needs the seat: then the call is cancelled."""
        with self._lock:
            sent_away = self._to_send_away() if len(self._seated) >= self._seats else None
            self._seated[context] = who
        if sent_away is not None:
            sent_away.cancel()
        try:
            yield
        finally:
            with self._lock:
                self._seated.pop(context, None)

    def _to_send_away(self) -> grpc.ServicerContext:
        held = Counter(self._seated.values())
        most = max(held.values())
        context = next(one for one, who in self._seated.items() if held[who] == most)
        del self._seated[context]
        return context


class Admission(grpc.ServerInterceptor):
    """Before every call: a slot for the caller, a seat until its message is there, and an end to the wait for it.

    `who` tells callers apart: by what a certificate says, never by the certificate, of which one may have many.
    """

    def __init__(self, slots: Slots, room: Room, watch: Watch, who: Callable[[grpc.ServicerContext], object]) -> None:
        self._slots = slots
        self._room = room
        self._watch = watch
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
            except (Unavailable, Unauthenticated) as error:
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
