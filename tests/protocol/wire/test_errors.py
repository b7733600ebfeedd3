"""Errors over the wire: the same on both sides, and nothing but ours, whatever breaks."""

# ruff: noqa: N802  # RPC methods are named as in the contract

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any, NoReturn

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vicinia.errors import (
    BudgetSpent,
    Code,
    Incompatible,
    InternalFault,
    InvalidInput,
    PhaseOver,
    StorageFault,
    TooLarge,
    Unauthenticated,
    Unavailable,
    ViciniaError,
    error_from_wire,
)
from vicinia.v1 import errors_pb2, log_pb2, log_pb2_grpc, rounds_pb2, rounds_pb2_grpc
from vicinia.wire import abort, error_from_rpc, error_to_trailer, guard
from vicinia.wire.errors import STATUS, TRAILER


def test_the_codes_are_those_of_the_contract() -> None:
    assert {code.name: int(code) for code in Code} == dict(errors_pb2.ErrorCode.items())


def test_every_code_has_a_status_that_grpc_knows() -> None:
    assert set(STATUS) == set(Code)
    assert all(grpc.StatusCode[name] is not grpc.StatusCode.OK for name in STATUS.values())


class Failure(grpc.RpcError):
    """What a stub raises."""

    def __init__(self, code: grpc.StatusCode | None, details: str = "", trailer: Any = ()) -> None:
        self._code, self._details, self._trailer = code, details, trailer

    def code(self) -> grpc.StatusCode:
        return self._code  # type: ignore[return-value]  # an error that never had a status has None

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> Any:
        return self._trailer


TEXTS = st.text(st.characters(categories=["L", "N", "P"]), max_size=200)


@given(st.sampled_from([code for code in Code if code]), TEXTS, TEXTS, TEXTS)
@settings(max_examples=80, deadline=None)
def test_an_error_arrives_as_it_was_raised(code: Code, what: str, where: str, hint: str) -> None:
    raised = error_from_wire(code, what, where, hint)
    arrived = error_from_rpc(Failure(grpc.StatusCode.INTERNAL, trailer=error_to_trailer(raised)))
    assert (type(arrived), str(arrived), arrived.hint) == (type(raised), str(raised), raised.hint)


@given(st.binary(max_size=100))
@settings(max_examples=150, deadline=None)
def test_any_trailer_becomes_an_error_of_ours(data: bytes) -> None:
    assert isinstance(error_from_rpc(Failure(grpc.StatusCode.INTERNAL, trailer=((TRAILER, data),))), ViciniaError)


def test_an_overlong_error_is_cut_to_what_fits_the_metadata_and_cannot_act_on_a_terminal() -> None:
    raised = InvalidInput("ä" * 100_000, where="x" * 100_000, hint="\x1b[2J" + "y" * 100_000)
    ((_, data),) = error_to_trailer(raised)
    assert len(data) < 4_096
    assert "\x1b" not in error_from_rpc(Failure(None, trailer=((TRAILER, data),))).hint
    lone = error_to_trailer(InvalidInput("\ud800"))
    assert error_from_rpc(Failure(None, trailer=lone)).what == "?"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, Unavailable),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Unavailable),
        (grpc.StatusCode.CANCELLED, Unavailable),
        (grpc.StatusCode.UNIMPLEMENTED, Incompatible),
        (grpc.StatusCode.UNAUTHENTICATED, Unauthenticated),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Unavailable),
        (grpc.StatusCode.UNKNOWN, InternalFault),
        (grpc.StatusCode.INTERNAL, InternalFault),
        (None, InternalFault),
    ],
)
def test_a_failure_without_our_trailer_is_told_by_its_status(
    status: grpc.StatusCode | None, kind: type[ViciniaError]
) -> None:
    error = error_from_rpc(Failure(status, "Connection refused"), where="coordinator")
    assert type(error) is kind
    assert error.where == "coordinator"


GRPC_SAYS = [
    (grpc.StatusCode.UNAVAILABLE, "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:9: refused"),
    (grpc.StatusCode.UNAVAILABLE, "ipv4:127.0.0.1:9: Ssl handshake failed: CERTIFICATE_VERIFY_FAILED"),
    (grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"),
    (grpc.StatusCode.CANCELLED, "Locally cancelled by application!"),
    (grpc.StatusCode.RESOURCE_EXHAUSTED, "Concurrent RPC limit exceeded!"),
    (grpc.StatusCode.RESOURCE_EXHAUSTED, "SERVER: Received message larger than max (5242880 vs. 4194304)"),
    (grpc.StatusCode.UNKNOWN, "Exception calling application: ipv4"),
    (grpc.StatusCode.INTERNAL, "RST_STREAM with error code 2"),
]


@pytest.mark.parametrize(("status", "details"), GRPC_SAYS)
def test_nothing_that_grpc_says_reaches_a_person(
    status: grpc.StatusCode, details: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG", "vicinia.wire.errors"):
        error = error_from_rpc(Failure(status, details), where="coordinator")
    shown = str(error)
    assert not any(word in shown for word in (details, "ipv4", "UNKNOWN", "xceeded", "gRPC", "RPC", "RST", status.name))
    assert error.what[0].isupper()
    assert error.what.endswith(".")
    assert details in caplog.text
    too_large = "larger" in details
    assert isinstance(error, TooLarge) == too_large
    if status in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED) and not too_large:
        assert type(error) is Unavailable


def test_a_bare_rpc_error_is_an_internal_fault() -> None:
    assert type(error_from_rpc(grpc.RpcError())) is InternalFault


def unserved(self: object, request: object, context: grpc.ServicerContext) -> NoReturn:
    """As gRPC's generated base class does it."""
    abort(context, Incompatible("This call is not served."))


@guard
class Log(log_pb2_grpc.LogServicer):
    """Answers each call with another mishap."""

    def Checkpoint(self, request: log_pb2.CheckpointRequest, context: grpc.ServicerContext) -> NoReturn:
        raise BudgetSpent("Nothing left.", where="account", hint="Wait for the next quarter.")

    def Entries(self, request: log_pb2.EntriesRequest, context: grpc.ServicerContext) -> log_pb2.EntriesReply:
        return log_pb2.EntriesReply(leaves=[b"leaf"])

    def Inclusion(self, request: log_pb2.InclusionRequest, context: grpc.ServicerContext) -> NoReturn:
        raise ZeroDivisionError("a secret of the program")

    def Consistency(self, request: log_pb2.ConsistencyRequest, context: grpc.ServicerContext) -> NoReturn:
        abort(context, StorageFault("The disk is full."))

    def Cosign(self, request: log_pb2.CosignRequest, context: grpc.ServicerContext) -> NoReturn:
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "by hand")

    def Pending(self, request: log_pb2.PendingRequest, context: grpc.ServicerContext) -> NoReturn:
        raise StorageFault("The database is read-only.")

    Submit = Endorse = unserved


@guard
class Rounds(rounds_pb2_grpc.RoundsServicer):
    """Reads a stream and refuses."""

    def Upload(self, request_iterator: Iterator[rounds_pb2.UploadPiece], context: grpc.ServicerContext) -> NoReturn:
        next(iter(request_iterator))
        raise PhaseOver("Too late.")

    Poll = GetManifest = GetModel = GetRounds = Advertise = Next = Share = Attest = Unmask = unserved


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[grpc.Channel]:
    address = f"unix:{Path(tmp_path_factory.mktemp('s')) / 'grpc'}"
    server = grpc.server(futures.ThreadPoolExecutor(2))
    log_pb2_grpc.add_LogServicer_to_server(Log(), server)
    rounds_pb2_grpc.add_RoundsServicer_to_server(Rounds(), server)
    kind = grpc.LocalConnectionType.UDS
    server.add_secure_port(address, grpc.local_server_credentials(kind))
    server.start()
    with grpc.secure_channel(address, grpc.local_channel_credentials(kind)) as channel:
        yield channel
    server.stop(None).wait()


def failure_of(call: Any, request: Any) -> tuple[grpc.StatusCode, ViciniaError]:
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=10)
    return caught.value.code(), error_from_rpc(caught.value)


def test_our_error_arrives_over_grpc_with_its_status(channel: grpc.Channel) -> None:
    status, error = failure_of(log_pb2_grpc.LogStub(channel).Checkpoint, log_pb2.CheckpointRequest())
    assert status is grpc.StatusCode.FAILED_PRECONDITION
    assert type(error) is BudgetSpent
    assert str(error) == "account: Nothing left. Wait for the next quarter."


def test_a_call_that_succeeds_is_left_alone(channel: grpc.Channel) -> None:
    assert list(log_pb2_grpc.LogStub(channel).Entries(log_pb2.EntriesRequest()).leaves) == [b"leaf"]


def test_a_defect_is_logged_once_and_not_told(channel: grpc.Channel, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        status, error = failure_of(log_pb2_grpc.LogStub(channel).Inclusion, log_pb2.InclusionRequest())
    assert status is grpc.StatusCode.INTERNAL
    assert type(error) is InternalFault
    assert "secret" not in str(error)
    assert len([record for record in caplog.records if record.exc_info]) == 1
    assert "secret" in caplog.text


def test_an_abort_within_a_method_keeps_its_error(channel: grpc.Channel, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        status, error = failure_of(log_pb2_grpc.LogStub(channel).Consistency, log_pb2.ConsistencyRequest())
        by_hand, _ = failure_of(log_pb2_grpc.LogStub(channel).Cosign, log_pb2.CosignRequest())
    assert status is grpc.StatusCode.INTERNAL
    assert type(error) is StorageFault
    assert by_hand is grpc.StatusCode.PERMISSION_DENIED
    assert not caplog.records


def test_a_fault_of_the_serving_side_is_told_and_logged_for_its_operator(
    channel: grpc.Channel, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        _, error = failure_of(log_pb2_grpc.LogStub(channel).Pending, log_pb2.PendingRequest())
        _, budget = failure_of(log_pb2_grpc.LogStub(channel).Checkpoint, log_pb2.CheckpointRequest())
    assert (type(error), type(budget)) == (StorageFault, BudgetSpent)
    assert [record.getMessage() for record in caplog.records] == ["Log.Pending: The database is read-only."]


def test_a_streaming_call_is_guarded_too(channel: grpc.Channel) -> None:
    pieces = iter([rounds_pb2.UploadPiece(data=b"x")])
    _, error = failure_of(rounds_pb2_grpc.RoundsStub(channel).Upload, pieces)
    assert type(error) is PhaseOver


def test_a_call_that_is_not_served_and_a_server_that_is_not_there(channel: grpc.Channel, tmp_path: Path) -> None:
    _, error = failure_of(log_pb2_grpc.LogStub(channel).Submit, log_pb2.SubmitRequest())
    assert type(error) is Incompatible
    kind = grpc.local_channel_credentials(grpc.LocalConnectionType.UDS)
    with grpc.secure_channel(f"unix:{tmp_path / 'nobody'}", kind) as nobody:
        _, error = failure_of(log_pb2_grpc.LogStub(nobody).Checkpoint, log_pb2.CheckpointRequest())
    assert type(error) is Unavailable


def test_members_that_are_no_rpc_methods_are_left_alone() -> None:
    @guard
    class Helper:
        def lower(self) -> NoReturn:
            raise KeyError("plain")

    with pytest.raises(KeyError):
        Helper().lower()
