"""The line to the coordinator: reached within seconds or not at all, and said in words, with the address."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any, TypeVar

from vicinia.identity import channel as _tls  # noqa: F401 - before grpc: it restricts the cipher suites

import grpc  # isort: skip
from vicinia.errors import Unavailable
from vicinia.wire.errors import TRAILER, error_from_rpc, was_cut_off
from vicinia.wire.shape import MAX_MESSAGE_BYTES

__all__ = ["CALL_SECONDS", "Line"]

CONNECT_SECONDS = 5.0
LOOK_SECONDS = 1.0
CALL_SECONDS = 30.0
AGAIN_SECONDS = (0.3, 1.0, 3.0)  # until a call that a busy server cut off is made again
OPTIONS = [("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)]
T = TypeVar("T")


class Line:
    """A channel to one address; every call may raise Unavailable and the errors of the other side."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials) -> None:
        self.address = address
        self.channel = grpc.secure_channel(address, credentials, OPTIONS)
        self._reached = False

    def call(self, method: Callable[..., T], request: Any, seconds: float = CALL_SECONDS) -> T:
        """One call; a refusal becomes the error that the other side raised. Once reached, short cuts are waited out."""
        if not self._reached:
            self._reach()
        waits = iter(AGAIN_SECONDS)
        while True:
            try:
                return method(request, timeout=seconds, wait_for_ready=True)
            except grpc.RpcError as error:
                wait = next(waits, None) if was_cut_off(error) else None
                if wait is None:
                    raise self._meant(error) from error
                time.sleep(wait)

    def close(self) -> None:
        """Hang up."""
        self.channel.close()

    def _reach(self) -> None:
        ready = grpc.channel_ready_future(self.channel)
        try:
            ready.result(timeout=CONNECT_SECONDS)
        except grpc.FutureTimeoutError:
            ready.cancel()
            raise unreached(self.address) from None
        self._reached = True

    def _meant(self, error: grpc.RpcError) -> Exception:
        """What the other side said, or, where it is silent, a sentence about that and not about gRPC."""
        found = error_from_rpc(error, where="coordinator")
        said = any(one.key == TRAILER for one in error.trailing_metadata() or ())
        if said or not isinstance(found, Unavailable):
            return found
        return Unavailable(
            f"The coordinator at {self.address} does not answer any more.", where="coordinator", hint="Try again later."
        )


def unreached(address: str) -> Unavailable:
    """Why there is no connection, as far as a look at the address tells, and what to do."""
    host, _, port = address.rpartition(":")
    try:
        with closing(socket.create_connection((host.strip("[]"), int(port)), timeout=LOOK_SECONDS)):
            what = f"Somebody answers at {address}, but does not prove to be your cooperative's coordinator."
            hint = "Ask the steward whether the address or the cooperative's certificate has changed."
    except socket.gaierror:
        what = f"The coordinator's address {address} is not known here: no machine has this name."
        hint = "Check this machine's network, or ask the steward for the right address."
    except ConnectionRefusedError:
        what = f"The coordinator does not answer: nobody listens at {address}."
        hint = "Ask the steward whether it is running (vicinia-coordinator serve), and try again."
    except (OSError, ValueError):
        what = f"The coordinator at {address} does not answer within {CONNECT_SECONDS:.0f} seconds."
        hint = "Check this machine's network, or ask the steward whether it is running, and try again."
    return Unavailable(what, where="coordinator", hint=hint)
