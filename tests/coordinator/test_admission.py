"""Calls that send nothing: they end in time, and meanwhile keep nobody else from being served."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

from vicinia.identity import CertificateAuthority, TlsKey, channel  # before grpc

import grpc  # isort: skip
import pytest
from simulator_village import Village
from vicinia.coordinator.clock import as_datetime
from vicinia.coordinator.rpc import admission, rounds, server
from vicinia.coordinator.rpc.admission import Slots
from vicinia.coordinator.rpc.server import Servers
from vicinia.errors import PhaseOver, Unavailable
from vicinia.identity import Principal
from vicinia.v1 import rounds_pb2, rounds_pb2_grpc
from vicinia.wire import error_from_rpc
from vicinia.wire.rounds import Phase

THREADS = 4


class Line:
    """A real server in this process, and channels to it."""

    def __init__(self, village: Village) -> None:
        self.village = village
        self.servers = Servers(village.coordinator, "127.0.0.1", lambda: village.now_ms, THREADS)
        self.port, self.enrolment_port = self.servers.start(0, 0)

    def channel(self, who: Principal) -> grpc.Channel:
        authority: CertificateAuthority = self.village.coordinator.authority
        key, now = TlsKey.generate(), as_datetime(self.village.now_ms)
        certificate = authority.issue(key.signing_request(), who, now, server._LIFETIME)
        credentials = channel.client_credentials(authority.certificate_pem, key.pem, certificate)
        return grpc.secure_channel(f"localhost:{self.port}", credentials)


def poll(port: grpc.Channel) -> rounds_pb2.PollReply:
    request = rounds_pb2.PollRequest(protocols=[1], log_size=0)
    return rounds_pb2_grpc.RoundsStub(port).Poll(request, timeout=15)


@pytest.mark.parametrize("method", ["Upload", "Poll"])
def test_silent_calls_keep_nobody_else_waiting_and_end(
    village: Village, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    village.now_ms = time.time_ns() // 1_000_000
    monkeypatch.setattr(admission, "_MESSAGE_S", 1.0)
    monkeypatch.setattr(rounds, "_HEADER_S", 1.0)
    monkeypatch.setattr(village.coordinator.intake, "awaits_input", lambda caller: None)
    line, stop = Line(village), threading.Event()

    def silent() -> Iterator[rounds_pb2.UploadPiece]:
        stop.wait()
        yield from ()

    try:
        with line.channel(village.village[3].principal) as hostile, line.channel(village.village[4].principal) as home:
            open_call: Any = hostile.stream_unary(
                f"/vicinia.v1.Rounds/{method}", request_serializer=rounds_pb2.UploadPiece.SerializeToString
            )
            calls = [open_call.future(silent()) for _ in range(2 * THREADS)]
            assert poll(home).retry_after_ms > 0
            faults = [call.exception(timeout=15) for call in calls]
            assert all(isinstance(error_from_rpc(fault), Unavailable) for fault in faults)
            codes = {fault.code() for fault in faults}
            assert codes == {grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE}
            assert poll(hostile).retry_after_ms > 0
    finally:
        stop.set()
        line.servers.stop(0)


def test_slots_are_given_back_and_shared_out() -> None:
    slots = Slots(total=2, each=1)
    with slots.one("a"):
        with pytest.raises(Unavailable), slots.one("a"):
            pass
        with slots.one("b"), pytest.raises(Unavailable), slots.one("c"):
            pass
    with slots.one("a"), slots.one("c"):
        pass


def test_who_is_in_no_roster_is_not_waited_for(village: Village) -> None:
    with pytest.raises(PhaseOver, match="roster"):
        village.coordinator.intake.awaits_input(village.village[3].principal)
    job = village.accepted_job()
    village.silent = {7}
    village.until_phase(job, Phase.INPUT)
    village.coordinator.intake.awaits_input(village.village[3].principal)
    for outsider in (village.village[7].principal, village.researcher_principal):
        with pytest.raises(PhaseOver, match="roster"):
            village.coordinator.intake.awaits_input(outsider)
