"""Who is served, and for how long a call may keep the server waiting for its caller, at its beginning and at its end.

gRPC gives a call its thread before the message is there, for unary calls as for streams: who opened calls and sent
nothing would stop everybody else. So calls without their message sit in a room with few seats; while more sit in it,
who has been silent for a moment has to go. An honest call's message may wait for a busy server, too, but not so long.

And gRPC keeps a reply in memory until the caller reads it, however long that takes, while the thread is free again.
So a call counts for its caller until its reply is sent, not until it was made; who does not read is cancelled.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import grpc
from vicinia.coordinator.rpc.room import Room
from vicinia.coordinator.rpc.slots import Slots
from vicinia.coordinator.rpc.watch import Watch
from vicinia.errors import InvalidInput, ViciniaError
from vicinia.wire.errors import abort

__all__ = ["BYTES_A_SECOND", "Admission", "address_of"]

BYTES_A_SECOND = 16 * 1024  # a slow line; who is slower is cancelled
_MESSAGE_S = 5.0  # a call's first message follows its opening at once; a slow line takes a second or two
_SILENT_S = 0.3  # what a call may keep the others waiting for when there is no seat left
_READ_S = 10.0  # for the first byte of a reply to be read
_UNREAD_S = 2.0  # what an unread reply may stay for when there is no room for more
_UNREAD_BYTES = 64 * 1024 * 1024  # replies of all callers that nobody has read yet
_CALL_BYTES = 16 * 1024  # what a call takes besides


class Admission(grpc.ServerInterceptor):
    """Before every call: a slot for the caller, a seat until its message is there; after it, room for the reply.

    `who` tells callers apart: by what a certificate says, never by the certificate, of which one may have many.
    """

    def __init__(self, slots: Slots, seats: int, watch: Watch, who: Callable[[grpc.ServicerContext], object]) -> None:
        self._slots = slots
        self._silent = Room(seats, _SILENT_S)
        self._unread = Room(_UNREAD_BYTES, _UNREAD_S)
        self._watch = watch
        for room in (self._silent, self._unread):
            watch.over(room)
        self._who = who
        self._taught: dict[str, Any] = {}  # the handlers of the methods that there are, by name

    def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        """The handler, taught patience; unary calls are taken as streams of one message, the same on the wire."""
        method = handler_call_details.method
        taught = self._taught.get(method)
        if taught is None:
            handler = continuation(handler_call_details)
            if handler is None or handler.response_streaming:  # no call here answers with a stream
                return None
            behaviour = self._heard(handler.stream_unary or _of_unary(handler.unary_unary))
            taught = self._taught[method] = grpc.stream_unary_rpc_method_handler(
                self._admitted(behaviour), handler.request_deserializer, handler.response_serializer
            )
        return taught

    def _admitted(self, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        def answer(requests: Iterator[Any], context: grpc.ServicerContext) -> Any:
            call, reply_bytes = _Call(self._slots, self._unread, self._watch, context), 0
            try:
                call.begin(self._who(context))
                reply = behaviour(requests, context)
                reply_bytes = reply.ByteSize()
                return reply
            except ViciniaError as error:
                abort(context, error)
            finally:
                call.answered(reply_bytes)

        return answer

    def _heard(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """The method, once the first message is there."""

        def answer(requests: Iterator[Any], context: grpc.ServicerContext) -> Any:
            with self._silent.seat(context, self._who(context)), self._watch.limit(context, _MESSAGE_S):
                first = next(requests, None)
            if first is None:
                abort(context, InvalidInput("The call has no message.", where="call"))
            return method(chain((first,), requests), context)

        return answer


class _Call:
    """What one call holds: given back when the method has returned and gRPC has done with the call, both.

    A reply is sent after the return; a caller that cancels ends the call before it.
    """

    def __init__(self, slots: Slots, unread: Room, watch: Watch, context: grpc.ServicerContext) -> None:
        self._slots = slots
        self._unread = unread
        self._watch = watch
        self._context = context
        self._who: object = None
        self._has_slot = False
        self._parts = 2
        self._lock = threading.Lock()
        if not context.add_callback(self._part_over):
            self._part_over()

    def begin(self, who: object) -> None:
        """Take a slot; Unavailable where there is none, which is a reply to be read, too."""
        self._who = who
        self._slots.take(who)
        self._has_slot = True

    def answered(self, reply_bytes: int) -> None:
        """The method has returned: from now on the caller is waited for."""
        self._unread.enter(self._context, self._who, _CALL_BYTES + reply_bytes)
        self._watch.extend(self._context, _READ_S + reply_bytes / BYTES_A_SECOND)
        self._part_over()

    def _part_over(self) -> None:
        with self._lock:
            self._parts -= 1
            if self._parts:
                return
        self._watch.forget(self._context)
        self._unread.leave(self._context)
        if self._has_slot:
            self._slots.give_back(self._who)


def _of_unary(method: Callable[..., Any]) -> Callable[..., Any]:
    def answer(requests: Iterator[Any], context: grpc.ServicerContext) -> Any:
        return method(next(requests), context)

    return answer


def address_of(context: grpc.ServicerContext) -> object:
    """Where a caller without a certificate calls from: the address without its port."""
    return context.peer().rpartition(":")[0]
