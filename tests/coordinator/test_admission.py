"""Calls that send nothing: they end in time, and meanwhile keep nobody else from being served."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from vicinia.identity import CertificateAuthority, TlsKey, channel  # before grpc

import grpc  # isort: skip
import pytest
from simulator_village import Village
from vicinia.coordinator.clock import as_datetime
from vicinia.coordinator.rpc import admission, rounds, server
from vicinia.coordinator.rpc.admission import Room, Slots
from vicinia.coordinator.rpc.server import Servers
from vicinia.errors import InvalidInput, PhaseOver, Unavailable
from vicinia.identity import Principal
from vicinia.v1 import enrolment_pb2, enrolment_pb2_grpc, rounds_pb2, rounds_pb2_grpc
from vicinia.wire import error_from_rpc
from vicinia.wire.rounds import Phase

THREADS = 4


class Line:
    """A real server in this process, and channels to it."""

    def __init__(self, village: Village) -> None:
        self.village = village
        self.servers = Servers(village.coordinator, "127.0.0.1", lambda: village.now_ms, THREADS)
        self.port, self.enrolment_port = self.servers.start(0, 0)

    def enrolment(self) -> grpc.Channel:
        credentials = channel.enrolment_credentials(self.village.coordinator.authority.certificate_pem)
        return grpc.secure_channel(f"localhost:{self.enrolment_port}", credentials)

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


class Silence:
    """Calls that are opened and say nothing until the end of the test."""

    def __init__(self) -> None:
        self._end = threading.Event()

    def __enter__(self) -> Silence:
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()

    def _nothing(self) -> Iterator[bytes]:
        self._end.wait()
        yield from ()

    def call(self, port: grpc.Channel, method: str, count: int) -> list[Any]:
        opened: Any = port.stream_unary(f"/vicinia.v1.{method}")
        return [opened.future(self._nothing()) for _ in range(count)]


@pytest.fixture
def line(village: Village, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """Servers that wait long for a message: nothing in these tests gets better by waiting."""
    village.now_ms = time.time_ns() // 1_000_000
    monkeypatch.setattr(admission, "_MESSAGE_S", 60.0)
    one = Line(village)
    yield one
    one.servers.stop(0)


def test_nobody_closes_the_enrolment_port_by_being_silent(line: Line) -> None:
    with Silence() as silence, line.enrolment() as hostile, line.enrolment() as home:
        calls = silence.call(hostile, "Enrolment/Enrol", 100)
        calls[0].exception(timeout=15)  # sent away: the room is full
        stub = enrolment_pb2_grpc.EnrolmentStub(home)
        for _ in range(3):
            with pytest.raises(grpc.RpcError) as refused:
                stub.Renew(enrolment_pb2.RenewRequest(principal="nobody"), timeout=5)
            assert isinstance(error_from_rpc(refused.value), InvalidInput)
        assert sum(not call.done() for call in calls) < 2 * server._ENROLMENT_THREADS


def test_homes_that_collude_in_silence_keep_nobody_else_waiting(line: Line) -> None:
    homes = line.village.village
    with Silence() as silence, ExitStack() as stack:
        ports = [stack.enter_context(line.channel(home.principal)) for home in homes[1:]]
        calls = [call for port in ports for call in silence.call(port, "Rounds/Poll", 2)]
        calls[0].exception(timeout=15)
        with line.channel(homes[0].principal) as honest:
            for _ in range(3):
                request = rounds_pb2.PollRequest(protocols=[1], log_size=0)
                assert rounds_pb2_grpc.RoundsStub(honest).Poll(request, timeout=5).retry_after_ms > 0


def test_many_certificates_of_one_household_are_one_caller(line: Line) -> None:
    greedy = line.village.village[3].principal
    with Silence() as silence, ExitStack() as stack:
        ports = [stack.enter_context(line.channel(greedy)) for _ in range(4)]
        calls = [call for port in ports for call in silence.call(port, "Rounds/Poll", 1)]
        ended = time.monotonic() + 15
        while sum(call.done() for call in calls) < 2 and time.monotonic() < ended:
            time.sleep(0.02)
        refused = [call for call in calls if call.done()]
        assert len(refused) == 2
        assert {str(error_from_rpc(call)) for call in refused} == {"call: Too many calls at once. Try again later."}


def test_a_seat_is_taken_from_who_holds_most_and_is_silent_for_longest() -> None:
    class Call:
        def __init__(self) -> None:
            self.cancelled = False

        def cancel(self) -> None:
            self.cancelled = True

    now = 0.0
    room, calls = Room(3, lambda: now), [Call() for _ in range(6)]
    contexts: list[Any] = list(calls)
    with ExitStack() as stack:
        for context, who in zip(contexts[:5], ["early", "greedy", "greedy", "late", "later"], strict=True):
            stack.enter_context(room.seat(context, who))
            now += 0.01
        room.make_room()
        assert not any(call.cancelled for call in calls)  # a burst: their messages are about to be read
        now = 1.0
        stack.enter_context(room.seat(contexts[5], "last"))
        assert [call.cancelled for call in calls] == [True, True, True, False, False, False]


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
