"""Two gRPC servers: the main port, where every caller shows a certificate, and the enrolment port."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from vicinia.coordinator.clock import Clock, as_datetime
from vicinia.coordinator.rpc.admission import Admission, address_of
from vicinia.coordinator.rpc.caller import certificate_callers
from vicinia.coordinator.rpc.enrolment import EnrolmentServicer
from vicinia.coordinator.rpc.health import Health
from vicinia.coordinator.rpc.log import LogServicer
from vicinia.coordinator.rpc.port import require_free
from vicinia.coordinator.rpc.research import ResearchServicer
from vicinia.coordinator.rpc.rounds import RoundsServicer
from vicinia.coordinator.rpc.slots import Slots
from vicinia.coordinator.rpc.uploads import Uploads
from vicinia.coordinator.rpc.watch import Watch
from vicinia.coordinator.services.cooperative import Cooperative
from vicinia.errors import InvalidInput, Unavailable
from vicinia.identity import CertificateAuthority, TlsKey, channel
from vicinia.v1 import enrolment_pb2_grpc, log_pb2_grpc, research_pb2_grpc, rounds_pb2_grpc
from vicinia.wire.shape import MAX_MESSAGE_BYTES

import grpc  # isort: skip - after the channel module, which restricts TLS

__all__ = ["Servers"]

_LIFETIME = timedelta(days=30)
_ANY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - to listen on; nobody can be called so
_ENROLMENT_THREADS = 16  # not shared out by caller: a whole village may share an address
# Under way or waiting for a thread, in turn; whatever is beyond is refused by gRPC itself. One address that keeps the
# enrolment port's queue full of silent calls makes everybody there wait for some 10 to 15 s: a known limit. A shorter
# queue would refuse homes at once in place of that, and a share for each address would be one for a whole village.
_CALLS_A_THREAD = 64
_CALLS_A_CONNECTION = 128
_ENROLMENT_EACH = _ENROLMENT_THREADS * _CALLS_A_THREAD
_OPTIONS = [
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    ("grpc.so_reuseport", 0),
    ("grpc.max_concurrent_streams", _CALLS_A_CONNECTION),
    # Who does not even read from the connection loses it, and whatever gRPC still has to send there. A slow line may
    # have much in its way before the answer.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 60_000),
    ("grpc.keepalive_permit_without_calls", 1),
]


class _Identity:
    """The server's certificate, issued anew when two thirds of its life are over; new handshakes show the new one."""

    def __init__(self, authority: CertificateAuthority, hosts: tuple[str, ...], clock: Clock) -> None:
        self._authority = authority
        self._hosts = hosts
        self._clock = clock
        self._lock = threading.Lock()
        self._renew_ms = 0
        self._shown = self._issue()

    def __call__(self) -> channel.ServerIdentity:
        with self._lock:
            if self._clock() >= self._renew_ms:
                self._shown = self._issue()
            return self._shown

    def _issue(self) -> channel.ServerIdentity:
        now_ms, key = self._clock(), TlsKey.generate()
        certificate = self._authority.issue_server(key.public, self._hosts, as_datetime(now_ms), _LIFETIME)
        self._renew_ms = now_ms + int(_LIFETIME.total_seconds() * 1000) * 2 // 3
        return channel.ServerIdentity(key.pem, certificate, self._authority.certificate_pem)


class Servers:
    """Both servers of one cooperative; `start` gives the ports that were bound."""

    def __init__(self, cooperative: Cooperative, host: str, clock: Clock, threads: int) -> None:
        self._host = host
        hosts = tuple(dict.fromkeys((host, "localhost", "127.0.0.1")))
        named = tuple(one for one in hosts if one not in _ANY_ADDRESS)
        identity = _Identity(cooperative.authority, named, clock)
        caller_of = certificate_callers(cooperative.authority.certificate_pem, clock)
        self._watch = Watch()
        self._main = self._server(threads, "call", max(2, threads // 4), lambda context: caller_of(context).uri)
        uploads = Uploads(Slots(each=1, total=max(1, threads // 2)))
        rounds = RoundsServicer(
            cooperative.bulletin, cooperative.publication, cooperative.intake, caller_of, uploads, self._watch
        )
        rounds_pb2_grpc.add_RoundsServicer_to_server(rounds, self._main)
        log = LogServicer(cooperative.ledger, cooperative.checkpoints, cooperative.statements, caller_of)
        log_pb2_grpc.add_LogServicer_to_server(log, self._main)
        models = Slots(each=1, total=max(1, threads // 4))
        research = ResearchServicer(cooperative.research, caller_of, models, self._watch)
        research_pb2_grpc.add_ResearchServicer_to_server(research, self._main)
        self._health = Health(self._main)
        self._enrolment = self._server(_ENROLMENT_THREADS, "enrol", _ENROLMENT_EACH, address_of)
        enrolment_pb2_grpc.add_EnrolmentServicer_to_server(EnrolmentServicer(cooperative.enrolment), self._enrolment)
        self._credentials = channel.server_credentials(identity)
        self._enrolment_credentials = channel.enrolment_server_credentials(identity)

    def start(self, port: int, enrolment_port: int) -> tuple[int, int]:
        """Bind and serve; Unavailable where a port is taken, before gRPC sees it."""
        require_free(self._host, port, "--port")
        require_free(self._host, enrolment_port, "--enrolment-port")
        if port == enrolment_port != 0:
            raise InvalidInput("The two ports cannot be the same.", where="--enrolment-port")
        bound = (
            self._bind(self._main, port, self._credentials),
            self._bind(self._enrolment, enrolment_port, self._enrolment_credentials),
        )
        self._watch.start()
        self._main.start()
        self._enrolment.start()
        return bound

    def stop(self, grace_s: float) -> None:
        """Take no new calls, let those under way finish."""
        self._health.end()
        for stopped in [self._main.stop(grace_s), self._enrolment.stop(grace_s)]:
            stopped.wait()
        self._watch.stop()

    def _server(self, threads: int, name: str, each: int, who: Callable[[grpc.ServicerContext], object]) -> grpc.Server:
        """So many threads for work, as many for calls without a message yet, and at most `each` calls of one caller."""
        admission = Admission(Slots(each), threads - 1, self._watch, who)
        return grpc.server(
            ThreadPoolExecutor(2 * threads, name),
            interceptors=[admission],
            options=_OPTIONS,
            maximum_concurrent_rpcs=threads * _CALLS_A_THREAD,
        )

    def _bind(self, server: grpc.Server, port: int, credentials: grpc.ServerCredentials) -> int:
        address = f"[{self._host}]:{port}" if ":" in self._host else f"{self._host}:{port}"
        try:
            return server.add_secure_port(address, credentials)
        except RuntimeError as error:
            raise Unavailable("The port cannot be bound.", where=address, hint="Is another server running?") from error
