"""Calls that send nothing or read nothing: they end in time, and meanwhile keep nobody else from being served."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from vicinia.identity import CertificateAuthority, TlsKey, channel  # before grpc

import grpc  # isort: skip
import pytest
from simulator_village import Village
from vicinia.assembly import Job
from vicinia.coordinator.clock import as_datetime
from vicinia.coordinator.rpc import admission, server
from vicinia.coordinator.rpc.admission import Admission
from vicinia.coordinator.rpc.room import Room
from vicinia.coordinator.rpc.server import Servers
from vicinia.coordinator.rpc.slots import Slots
from vicinia.coordinator.rpc.uploads import Uploads
from vicinia.coordinator.rpc.watch import Watch
from vicinia.errors import InvalidInput, NotFound, PermissionDenied, PhaseOver, ProtocolViolation, Unavailable
from vicinia.identity import Principal
from vicinia.secagg.manifest import PROTOCOL
from vicinia.secagg.messages import Dealers
from vicinia.v1 import enrolment_pb2, enrolment_pb2_grpc, log_pb2, log_pb2_grpc, rounds_pb2, rounds_pb2_grpc
from vicinia.wire import error_from_rpc
from vicinia.wire.published import Phase
from vicinia.wire.upload import UploadHeader, upload_pieces

THREADS = 4


class Line:
    """A real server in this process, and channels to it."""

    def __init__(self, village: Village, clock: Callable[[], int] | None = None) -> None:
        self.village = village
        self.clock = clock or (lambda: village.now_ms)
        self.servers = Servers(village.coordinator, "127.0.0.1", self.clock, THREADS)
        self.port, self.enrolment_port = self.servers.start(0, 0)

    def enrolment(self) -> grpc.Channel:
        credentials = channel.enrolment_credentials(self.village.coordinator.authority.certificate_pem)
        return grpc.secure_channel(f"localhost:{self.enrolment_port}", credentials)

    def channel(self, who: Principal, port: int = 0) -> grpc.Channel:
        authority: CertificateAuthority = self.village.coordinator.authority
        key, now = TlsKey.generate(), as_datetime(self.clock())
        certificate = authority.issue(key.signing_request(), who, now, server._LIFETIME)
        credentials = channel.client_credentials(authority.certificate_pem, key.pem, certificate)
        return grpc.secure_channel(f"localhost:{port or self.port}", credentials)


def poll(port: grpc.Channel) -> rounds_pb2.PollReply:
    request = rounds_pb2.PollRequest(protocols=[PROTOCOL], log_size=0)
    return rounds_pb2_grpc.RoundsStub(port).Poll(request, timeout=15)


@pytest.mark.parametrize("method", ["Upload", "Poll"])
def test_silent_calls_keep_nobody_else_waiting_and_end(
    village: Village, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    village.now_ms = time.time_ns() // 1_000_000
    monkeypatch.setattr(admission, "_MESSAGE_S", 1.0)
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
            wait_until(lambda: is_served(hostile))  # what the calls held is given back after their callers heard of it
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


def is_served(port: grpc.Channel) -> bool:
    try:
        return poll(port).retry_after_ms > 0
    except grpc.RpcError as error:
        if not isinstance(error_from_rpc(error), Unavailable):
            raise
        return False


def wait_until(it_holds: Callable[[], bool]) -> None:
    ended = time.monotonic() + 15
    while not it_holds():
        assert time.monotonic() < ended, "it never came true"
        time.sleep(0.02)


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
        wait_until(lambda: any(call.done() for call in calls))  # sent away: the room is full
        stub = enrolment_pb2_grpc.EnrolmentStub(home)
        for _ in range(3):
            with pytest.raises(grpc.RpcError) as refused:
                stub.Renew(enrolment_pb2.RenewRequest(principal="nobody"), timeout=5)
            assert isinstance(error_from_rpc(refused.value), InvalidInput)
        # who is sent away hears of it when its turn comes
        wait_until(lambda: sum(not call.done() for call in calls) < 2 * server._ENROLMENT_THREADS)


def test_homes_that_collude_in_silence_keep_nobody_else_waiting(line: Line) -> None:
    homes = line.village.village
    with Silence() as silence, ExitStack() as stack:
        ports = [stack.enter_context(line.channel(home.principal)) for home in homes[1:]]
        calls = [call for port in ports for call in silence.call(port, "Rounds/Poll", 2)]
        wait_until(lambda: any(call.done() for call in calls))  # which of them is sent away, nobody can foretell
        with line.channel(homes[0].principal) as honest:
            for _ in range(3):
                request = rounds_pb2.PollRequest(protocols=[PROTOCOL], log_size=0)
                assert rounds_pb2_grpc.RoundsStub(honest).Poll(request, timeout=5).retry_after_ms > 0


def test_many_certificates_of_one_household_are_one_caller(line: Line) -> None:
    greedy = line.village.village[3].principal
    with Silence() as silence, ExitStack() as stack:
        ports = [stack.enter_context(line.channel(greedy)) for _ in range(4)]
        calls = [call for port in ports for call in silence.call(port, "Rounds/Poll", 1)]
        wait_until(lambda: sum(call.done() for call in calls) >= 2)
        refused = [call for call in calls if call.done()]
        assert len(refused) == 2
        assert {str(error_from_rpc(call)) for call in refused} == {"call: Too many calls at once. Try again later."}


class Call:
    """A call as a room sees it."""

    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


def test_a_seat_is_taken_from_who_holds_most_and_is_silent_for_longest() -> None:
    now = 0.0
    room, calls = Room(3, 0.3, lambda: now), [Call() for _ in range(6)]
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


def test_room_is_taken_by_size_and_given_back() -> None:
    now = 0.0
    room, calls = Room(10, 1.0, lambda: now), [Call() for _ in range(5)]
    contexts: list[Any] = list(calls)
    for context, who, takes in zip(contexts, ["large", "small", "small", "gone", "last"], [6, 1, 1, 9, 4], strict=True):
        room.enter(context, who, takes)
        if who == "gone":
            room.leave(context)
            room.leave(context)
    assert not any(call.cancelled for call in calls)
    now = 1.0
    room.make_room()
    assert [call.cancelled for call in calls] == [True, False, False, False, False]
    room.leave(contexts[0])
    room.enter(contexts[3], "next", 4)
    assert [call.cancelled for call in calls] == [True, False, False, False, False]
    room.enter(contexts[0], "next", 1)
    assert [call.cancelled for call in calls] == [True, False, False, False, True]


def test_slots_are_given_back_and_shared_out() -> None:
    slots = Slots(each=1, total=2)
    with slots.one("a"):
        with pytest.raises(Unavailable), slots.one("a"):
            pass
        with slots.one("b"), pytest.raises(Unavailable), slots.one("c"):
            pass
    with slots.one("a"), slots.one("c"):
        pass


def masked(village: Village, run_id: bytes, number: int) -> tuple[UploadHeader, bytes]:
    """What a home is about to upload."""
    home = village.village[number]
    dealers = village.coordinator.publication.next(home.principal, run_id, Phase.SHARE, 1).item
    assert isinstance(dealers, Dealers)
    return village.masked(home, dealers)


def test_a_vector_is_waited_for_where_it_is_missing(accepted: tuple[Village, Job]) -> None:
    village, job = accepted
    village.silent = {7}
    run_id = village.until_phase(job, Phase.INPUT).run_id
    uploads = {number: masked(village, run_id, number) for number in (3, 5)}
    intake, home = village.coordinator.intake, village.village[3]
    header, packed = uploads[3]
    assert intake.expect(home.principal, header)
    intake.upload(home.principal, header, packed)
    assert not intake.expect(home.principal, header)  # the same again is acknowledged, and not taken in
    with pytest.raises(ProtocolViolation, match="another message"):
        intake.expect(home.principal, replace(header, sha256=bytes(32)))
    for outsider in (village.village[7].principal, village.researcher_principal):
        with pytest.raises((NotFound, PermissionDenied)):
            intake.expect(outsider, header)
    village.silent = {5, 7}
    village.answer_all()
    village.until_phase(job, Phase.COMMIT)
    with pytest.raises(PhaseOver):
        intake.expect(village.village[5].principal, uploads[5][0])
    assert not intake.expect(home.principal, header)


def test_who_holds_a_slot_and_does_not_deliver_uses_up_its_time_in_the_run() -> None:
    now = 0.0
    uploads = Uploads(Slots(each=1, total=1), lambda: now)
    header = UploadHeader(bytes(32), 16 * 1024, 8, bytes(32))  # a second's worth
    for seconds, lasts in ((11.0, 8.0), (11.0, 11.0), (3.0, 3.0)):
        with contextlib.suppress(KeyError), uploads.one("slow", header) as allowed:
            assert allowed == seconds
            now += lasts
            raise KeyError
    with pytest.raises(PhaseOver, match="no time left"), uploads.one("slow", header):
        pass
    for home, run in (("quick", 0), ("quick", 0), ("slow", 1)):
        with uploads.one(home, replace(header, run_id=bytes([run] * 32))):
            now += 11.0


def test_homes_of_a_roster_that_send_no_header_hold_no_upload_slot(
    accepted: tuple[Village, Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    village, job = accepted
    run_id = village.until_phase(job, Phase.INPUT).run_id
    monkeypatch.setattr(admission, "_MESSAGE_S", 60.0)
    line, home = Line(village, lambda: time.time_ns() // 1_000_000), village.village[3]
    try:
        header, packed = masked(village, run_id, 3)
        with Silence() as silence, ExitStack() as stack:
            for hostile in village.village[4:]:
                silence.call(stack.enter_context(line.channel(hostile.principal)), "Rounds/Upload", 2)
            time.sleep(1)
            pieces = upload_pieces(header.run_id, header.elements, header.width, packed)
            port = stack.enter_context(line.channel(home.principal))
            rounds_pb2_grpc.RoundsStub(port).Upload(pieces, timeout=15)
            assert village.index(home) in village.coordinator.live.get(header.run_id).answered
    finally:
        line.servers.stop(0)


class Deaf:
    """A connection whose client at some time reads no more, though it still sends."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.reads, self._open = threading.Event(), True
        self.reads.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._open = False
        self.reads.set()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while self._open:
                home, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                for one, other, stops in ((home, server, False), (server, home, True)):
                    threading.Thread(target=self._forward, args=(one, other, stops), daemon=True).start()

    def _forward(self, one: socket.socket, other: socket.socket, stops: bool) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65_536):
                other.sendall(data)
                if stops:
                    self.reads.wait()
        other.close()


@pytest.fixture
def deaf(line: Line) -> Iterator[Deaf]:
    """A household that reads no more."""
    one = Deaf(line.port)
    yield one
    one.close()


def ask(line: Line, port: grpc.Channel, deaf: Deaf, count: int) -> list[Any]:
    """Ask for leaves that are 3 MiB, again and again, without reading them."""
    request, stub = log_pb2.EntriesRequest(start=0, end=1), log_pb2_grpc.LogStub(port)
    stub.Entries(request, timeout=10)
    deaf.reads.clear()
    calls = []
    for _ in range(count):
        calls.append(stub.Entries.future(request))
        time.sleep(0.02)
    return calls


@pytest.fixture
def served(line: Line, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each time that leaves were asked for: they are large ones."""
    counted: list[int] = []

    def entries(start: int, end: int) -> list[bytes]:
        counted.append(end - start)
        return [bytes(60_000)] * 50

    monkeypatch.setattr(line.village.coordinator.ledger, "entries", entries)
    return counted


def test_replies_that_nobody_reads_are_few(line: Line, deaf: Deaf, served: list[int]) -> None:
    """gRPC keeps each of them in memory: a caller has no more of them than calls at once."""
    greedy, home = (line.village.village[number].principal for number in (4, 5))
    with line.channel(greedy, deaf.port) as port, line.channel(home) as other:
        ask(line, port, deaf, 60)
        time.sleep(0.5)
        assert len(served) < 15  # two, and what the sockets on the way hold
        assert poll(other).retry_after_ms > 0


class Context(Call):
    """A call as a servicer sees it, until `end`."""

    def __init__(self) -> None:
        super().__init__()
        self.callbacks: list[Callable[[], None]] = []

    def add_callback(self, callback: Callable[[], None]) -> bool:
        self.callbacks.append(callback)
        return True

    def end(self) -> None:
        for callback in self.callbacks:
            callback()


@pytest.mark.parametrize("gone_before", [True, False])
def test_a_call_counts_until_its_reply_is_sent_and_its_method_has_returned(gone_before: bool) -> None:
    now, slots = 0.0, Slots(each=1)
    watch = Watch(lambda: now)
    context: Any = Context()

    def method(request: Any, _: grpc.ServicerContext) -> Any:
        if gone_before:
            context.end()
        with pytest.raises(Unavailable):
            slots.take("one")
        return rounds_pb2.UploadPiece(data=request.data * admission.BYTES_A_SECOND)

    handler: Any = grpc.unary_unary_rpc_method_handler(method)
    called = SimpleNamespace(method="any")
    guarded = Admission(slots, 1, watch, lambda _: "one").intercept_service(lambda _: handler, called)
    assert guarded.stream_unary(iter([rounds_pb2.UploadPiece(data=b"abcd")]), context) is not None
    if not gone_before:
        with pytest.raises(Unavailable):
            slots.take("one")
        for now, late in ((13.9, False), (14.1, True)):  # noqa: B007 - the watch reads it
            watch.look()
            assert context.cancelled is late
        context.end()
    slots.take("one")
    now = 100.0
    watch.look()
    assert context.cancelled is not gone_before
