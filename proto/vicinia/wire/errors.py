"""The one place where errors become gRPC statuses, and gRPC statuses errors again.

A refused call carries a `vicinia.v1.Error` in its trailing metadata; the status code is for tools that know no
better. gRPC is imported on use, so that who only builds messages does not load it.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NoReturn, TypeVar

from vicinia.errors import (
    Code,
    Incompatible,
    InternalFault,
    TooLarge,
    Unauthenticated,
    Unavailable,
    ViciniaError,
    error_from_wire,
)
from vicinia.v1 import errors_pb2 as pb
from vicinia.wire.shape import parse

if TYPE_CHECKING:
    import grpc

__all__ = ["STATUS", "TRAILER", "abort", "error_from_rpc", "error_to_trailer", "guard", "guarded", "was_cut_off"]

TRAILER = "vicinia-error-bin"

STATUS: Mapping[Code, str] = MappingProxyType(
    {
        Code.UNSPECIFIED: "INTERNAL",
        Code.INVALID_INPUT: "INVALID_ARGUMENT",
        Code.TOO_LARGE: "RESOURCE_EXHAUSTED",
        Code.NOT_FOUND: "NOT_FOUND",
        Code.ALREADY_EXISTS: "ALREADY_EXISTS",
        Code.UNAUTHENTICATED: "UNAUTHENTICATED",
        Code.PERMISSION_DENIED: "PERMISSION_DENIED",
        Code.NOT_ACCEPTED: "FAILED_PRECONDITION",
        Code.CONSENT_DENIED: "FAILED_PRECONDITION",
        Code.BUDGET_SPENT: "FAILED_PRECONDITION",
        Code.PROOF_INVALID: "INVALID_ARGUMENT",
        Code.PROTOCOL_VIOLATION: "FAILED_PRECONDITION",
        Code.ROUND_FAILED: "ABORTED",
        Code.PHASE_OVER: "FAILED_PRECONDITION",
        Code.UNAVAILABLE: "UNAVAILABLE",
        Code.INCOMPATIBLE: "UNIMPLEMENTED",
        Code.STORAGE_FAULT: "INTERNAL",
        Code.INTERNAL: "INTERNAL",
    }
)
"""Names of grpc.StatusCode by error code."""

# Trailing metadata of more than 8 KiB is dropped by many peers.
_WHAT, _WHERE, _HINT = 1_000, 300, 700
_TRAILER_BYTES = 8 * 1024

# What gRPC says where the other side said nothing: worth another try.
_UNREACHED: Mapping[str, str] = MappingProxyType(
    {
        "UNAVAILABLE": "The other side cannot be reached now.",
        "DEADLINE_EXCEEDED": "The other side did not answer in time.",
        "CANCELLED": "The call was ended before it was answered.",
    }
)

# Faults of the serving side, of which its operator must know.
_OUR_OWN = frozenset({Code.INTERNAL, Code.STORAGE_FAULT})

_log = logging.getLogger(__name__)

Request = TypeVar("Request")
Reply = TypeVar("Reply")
Servicer = TypeVar("Servicer", bound=type)


def error_to_trailer(error: ViciniaError) -> tuple[tuple[str, bytes], ...]:
    """The trailing metadata of a refused call; overlong and unprintable text is cut."""
    message = pb.Error(
        code=int(error.code),  # type: ignore[arg-type]  # the enumerations are equal, a test says
        what=_printable(error.what, _WHAT),
        where=_printable(error.where, _WHERE),
        hint=_printable(error.hint, _HINT),
    )
    return ((TRAILER, message.SerializeToString(deterministic=True)),)


def abort(context: grpc.ServicerContext, error: ViciniaError) -> NoReturn:
    """Refuse the call with this error; ends the servicer's method."""
    import grpc

    context.set_trailing_metadata(error_to_trailer(error))
    context.abort(grpc.StatusCode[STATUS[error.code]], error.code.name)
    raise error  # a context that does not end the method is no context of gRPC


def guarded(method: Callable[..., Reply]) -> Callable[..., Reply]:
    """Wrap a servicer's method (self, request or requests, context): whatever it raises becomes a proper refusal.

    An unexpected exception is logged once, here, and the caller learns nothing of it but that it happened.
    """

    @functools.wraps(method)
    def answer(self: object, request: object, context: grpc.ServicerContext) -> Reply:
        try:
            return method(self, request, context)
        except ViciniaError as error:
            if error.code in _OUR_OWN:
                _log.error("%s: %s", method.__qualname__, error)
            abort(context, error)
        except Exception as error:
            if _is_abort(error) or not context.is_active():  # the caller has gone
                raise
            _log.exception("A call failed: %s", method.__qualname__)
            abort(context, InternalFault("The other side has a defect and could not answer.", where=method.__name__))

    return answer


def _is_abort(error: Exception) -> bool:
    """Whether this is what gRPC's own `context.abort` raises: a bare Exception."""
    return type(error) is Exception and not error.args


def guard(servicer: Servicer) -> Servicer:
    """Class decorator: guards every RPC method (capitalised, as generated) that the class itself defines."""
    for name, member in list(vars(servicer).items()):
        if name[0].isupper() and callable(member):
            setattr(servicer, name, guarded(member))
    return servicer


def error_from_rpc(error: grpc.RpcError, *, where: str = "") -> ViciniaError:
    """The error that the other side raised, or what a failed transport means.

    `where` names the other side, for errors that carry no place of their own.
    """
    for key, value in _trailing(error):
        if key == TRAILER and isinstance(value, bytes):
            return _error_in(value, where)
    status, details = _status(error)
    _log.debug("A call failed without a word of ours: %s %s", status or "no status", details)
    return _of_transport(status, details, where)


def was_cut_off(error: grpc.RpcError) -> bool:
    """Whether a busy server ended the call before it had read it: nothing happened, it may be made again at once."""
    return _status(error)[0] == "CANCELLED" and all(key != TRAILER for key, _ in _trailing(error))


def _of_transport(status: str, details: str, where: str) -> ViciniaError:
    """What gRPC's own status means to a person; its details are read here, and never shown."""
    if status in _UNREACHED:
        what, hint = _UNREACHED[status], "Try again later."
        if status == "UNAVAILABLE" and any(word in details.lower() for word in ("handshake", "certificate", "ssl")):
            what = "The other side answers, but no secure connection comes about: a certificate is not accepted."
            hint = "Check the address, and the clock of this machine."
        return Unavailable(what, where=where, hint=hint)
    if status == "RESOURCE_EXHAUSTED":
        if "larger than max" in details.lower():
            return TooLarge("The message is larger than the other side takes.", where=where)
        return Unavailable("The other side has too much to do now.", where=where, hint="Try again later.")
    if status == "UNIMPLEMENTED":
        return Incompatible("The other side does not know this call.", where=where, hint="Update this program.")
    if status == "UNAUTHENTICATED":
        return Unauthenticated("The other side does not know who is calling.", where=where)
    return InternalFault("The other side failed without saying why.", where=where)


def _error_in(data: bytes, where: str) -> ViciniaError:
    try:
        message = parse(pb.Error, data, _TRAILER_BYTES)
    except ViciniaError:
        return InternalFault("The other side refused in words that cannot be read.", where=where)
    return error_from_wire(
        int(message.code),
        _printable(message.what, _WHAT),
        _printable(message.where, _WHERE) or where,
        _printable(message.hint, _HINT),
    )


def _trailing(error: grpc.RpcError) -> tuple[tuple[str, str | bytes], ...]:
    read = getattr(error, "trailing_metadata", None)
    return tuple((read() if callable(read) else None) or ())


def _status(error: grpc.RpcError) -> tuple[str, str]:
    """Name of the status code and printable details; empty where the error knows none."""
    code, details = getattr(error, "code", None), getattr(error, "details", None)
    name = getattr(code() if callable(code) else None, "name", "")
    return str(name), _printable(str((details() if callable(details) else "") or ""), 200)


def _printable(text: str, most: int) -> str:
    """At most `most` characters without what would act on a terminal."""
    return "".join(one if one.isprintable() or one in "\n\t" else "?" for one in text[:most])
