"""Homes that do nothing but poll, a few processes full of them, each home with a certificate and a channel of its own.

`Pollers(...)` starts the processes; `warm`, `poll` and `handshake` make all of them do so at the same time.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from vicinia.identity import channel  # before grpc: it restricts the cipher suites

import grpc  # isort: skip
from vicinia.secagg.manifest import PROTOCOL
from vicinia.v1 import rounds_pb2 as pb
from vicinia.v1 import rounds_pb2_grpc

__all__ = ["Door", "Pollers"]

THREADS = 8
SECONDS = 60.0
_OPTIONS = [("grpc.use_local_subchannel_pool", 1)]  # one connection for each home, as in the node


@dataclass(frozen=True, slots=True)
class Door:
    """Where the coordinator is, what it is trusted by, the TLS key of the homes, and the size of their replica."""

    address: str
    authority: bytes
    key: bytes
    log_size: int


class Pollers:
    """`processes` processes that share the homes, one certificate each; `close` ends them."""

    def __init__(self, door: Door, certificates: Sequence[bytes], processes: int) -> None:
        context = multiprocessing.get_context("spawn")  # never fork: gRPC has threads
        self._pipes: list[Connection] = []
        self._processes = []
        for place in range(processes):
            near, far = context.Pipe()
            worker = context.Process(target=_serve, args=(far, door, certificates[place::processes]), daemon=True)
            worker.start()
            far.close()
            self._pipes.append(near)
            self._processes.append(worker)

    def warm(self) -> int:
        """Every home opens its channel and polls once; how many polls that were."""
        return self._all("warm", 1)

    def poll(self, times: int) -> int:
        """Every home polls so often over the channel that is open."""
        return self._all("poll", times)

    def handshake(self, homes: int) -> int:
        """So many homes poll, each over a new channel that it closes again."""
        return self._all("handshake", homes // len(self._pipes))

    def close(self) -> None:
        """Hang up."""
        for pipe, process in zip(self._pipes, self._processes, strict=True):
            pipe.close()
            process.join(SECONDS)

    def _all(self, what: str, count: int) -> int:
        for pipe in self._pipes:
            pipe.send((what, count))
        return sum(pipe.recv() for pipe in self._pipes)


class _Homes:
    """The homes of one process."""

    def __init__(self, door: Door, certificates: Sequence[bytes]) -> None:
        self._door = door
        self._certificates = certificates
        self._request = pb.PollRequest(protocols=[PROTOCOL], log_size=door.log_size)
        self._polls: list[Callable[..., Any]] = []
        self._channels: list[grpc.Channel] = []

    def warm(self, _times: int) -> Iterable[Callable[[], None]]:
        for certificate in self._certificates:
            opened = self._open(certificate)
            self._channels.append(opened)
            self._polls.append(rounds_pb2_grpc.RoundsStub(opened).Poll)
        return self.poll(1)

    def poll(self, times: int) -> Iterable[Callable[[], None]]:
        return [lambda one=one: self._call(one) for _ in range(times) for one in self._polls]  # type: ignore[misc]

    def handshake(self, homes: int) -> Iterable[Callable[[], None]]:
        chosen = [self._certificates[number % len(self._certificates)] for number in range(homes)]
        return [lambda one=one: self._anew(one) for one in chosen]  # type: ignore[misc]

    def close(self) -> None:
        for opened in self._channels:
            opened.close()

    def _open(self, certificate: bytes) -> grpc.Channel:
        credentials = channel.client_credentials(self._door.authority, self._door.key, certificate)
        return grpc.secure_channel(self._door.address, credentials, _OPTIONS)

    def _call(self, poll: Callable[..., Any]) -> None:
        poll(self._request, timeout=SECONDS, wait_for_ready=True)

    def _anew(self, certificate: bytes) -> None:
        with self._open(certificate) as opened:
            self._call(rounds_pb2_grpc.RoundsStub(opened).Poll)


def _serve(pipe: Connection, door: Door, certificates: Sequence[bytes]) -> None:
    """Do what the pipe says until it is closed; the answer is the number of polls."""
    homes = _Homes(door, certificates)
    with ThreadPoolExecutor(THREADS) as pool:
        while True:
            try:
                what, count = pipe.recv()
            except EOFError:
                homes.close()
                return
            calls = list(getattr(homes, what)(count))
            for done in [pool.submit(call) for call in calls]:
                done.result()
            pipe.send(len(calls))
