"""The servicers over gRPC's own test server: limits, roles, and errors that the other side can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
import grpc_testing
import grpc_testing._server._rpc
import pytest
from google.protobuf.message import Message
from simulator_village import COOP, Village
from vicinia.assembly import Job, build_member, build_resign
from vicinia.coordinator.rpc.enrolment import EnrolmentServicer
from vicinia.coordinator.rpc.log import LogServicer
from vicinia.coordinator.rpc.research import ResearchServicer
from vicinia.coordinator.rpc.rounds import RoundsServicer
from vicinia.coordinator.rpc.slots import Slots
from vicinia.coordinator.rpc.uploads import Uploads
from vicinia.coordinator.rpc.watch import Watch
from vicinia.errors import Code, Unauthenticated
from vicinia.identity import Principal, Role, SigningKey, TlsKey
from vicinia.secagg.manifest import PROTOCOL
from vicinia.v1 import enrolment_pb2, errors_pb2, log_pb2, research_pb2, rounds_pb2
from vicinia.wire.errors import TRAILER
from vicinia.wire.published import Phase

FILES = (enrolment_pb2, log_pb2, research_pb2, rounds_pb2)


class Port:
    """The coordinator's port with somebody calling; `caller` None: no certificate was shown."""

    def __init__(self, village: Village) -> None:
        self.caller: Principal | None = village.village[3].principal
        one = village.coordinator
        log = LogServicer(one.ledger, one.checkpoints, one.statements, self._caller_of)
        servicers = {
            "Enrolment": EnrolmentServicer(one.enrolment),
            "Log": log,
            "Research": ResearchServicer(one.research, self._caller_of, Slots(each=1, total=2), Watch()),
            "Rounds": RoundsServicer(
                one.bulletin, one.publication, one.intake, self._caller_of, Uploads(Slots(each=1, total=2)), Watch()
            ),
        }
        self._services = {
            name: file.DESCRIPTOR.services_by_name[name] for file in FILES for name in file.DESCRIPTOR.services_by_name
        }
        self._server = grpc_testing.server_from_dictionary(
            {self._services[name]: servicer for name, servicer in servicers.items()},
            grpc_testing.strict_real_time(),
        )

    def _caller_of(self, _context: grpc.ServicerContext) -> Principal:
        if self.caller is None:
            raise Unauthenticated("The caller has shown no certificate.", where="channel")
        return self.caller

    def call(self, service: str, method: str, request: Message) -> Any:
        """The reply, or the error that the trailer carries."""
        descriptor = self._services[service].methods_by_name[method]
        if descriptor.client_streaming:
            return self.stream(service, method, [request])
        call = self._server.invoke_unary_unary(descriptor, (), request, None)
        return self._answer(*call.termination())

    def stream(self, service: str, method: str, requests: Sequence[Message]) -> Any:
        descriptor = self._services[service].methods_by_name[method]
        call = self._server.invoke_stream_unary(descriptor, (), None)
        for request in requests:
            call.send_request(request)
        call.requests_closed()
        return self._answer(*call.termination())

    @staticmethod
    def _answer(reply: Any, metadata: Any, code: grpc.StatusCode, _details: str) -> Any:
        if code is grpc.StatusCode.OK:
            return reply
        trailer = dict(metadata)
        return errors_pb2.Error.FromString(trailer[TRAILER])


@pytest.fixture(autouse=True)
def _aborts_as_grpc(monkeypatch: pytest.MonkeyPatch) -> None:
    """grpc-testing forgets the trailing metadata of a call that is aborted; gRPC sends it."""

    def abort(rpc: Any, code: grpc.StatusCode, details: str) -> None:
        rpc._terminate(rpc._pending_trailing_metadata or (), code, details)

    monkeypatch.setattr(grpc_testing._server._rpc.Rpc, "_abort", abort)


@pytest.fixture
def port(village: Village) -> Port:
    village.tick()
    return Port(village)


EVERY_CALL: list[tuple[str, str, Message]] = [
    ("Log", "Entries", log_pb2.EntriesRequest(start=0, end=3)),
    ("Log", "Checkpoint", log_pb2.CheckpointRequest()),
    ("Log", "Inclusion", log_pb2.InclusionRequest(index=0, size=1)),
    ("Log", "Consistency", log_pb2.ConsistencyRequest(old_size=1, new_size=2)),
    ("Log", "Pending", log_pb2.PendingRequest()),
    ("Research", "DataSets", research_pb2.DataSetsRequest()),
    ("Research", "Jobs", research_pb2.JobsRequest()),
    ("Rounds", "Poll", rounds_pb2.PollRequest(protocols=[PROTOCOL], log_size=0)),
]


@pytest.mark.parametrize(("service", "method", "request_"), EVERY_CALL)
def test_calls_are_answered_for_members_and_for_nobody_else(
    port: Port, service: str, method: str, request_: Message
) -> None:
    assert not isinstance(port.call(service, method, request_), errors_pb2.Error)
    port.caller = None
    assert port.call(service, method, request_).code == Code.UNAUTHENTICATED


def test_enrolment_needs_no_certificate_but_an_invitation(port: Port, village: Village) -> None:
    port.caller = None
    key, tls = SigningKey.generate(), TlsKey.generate()
    leaf = build_member(COOP, key.public).sign(key).leaf()
    request = enrolment_pb2.EnrolRequest(
        token=village.invitation().token, statement=leaf, signing_request=tls.signing_request()
    )
    reply = port.call("Enrolment", "Enrol", request)
    assert reply.statement_digest == build_member(COOP, key.public).digest
    request.token = bytes(32)
    assert port.call("Enrolment", "Enrol", request).code == Code.UNAUTHENTICATED
    request.token = b"short"
    assert port.call("Enrolment", "Enrol", request).code == Code.INVALID_INPUT


def test_errors_say_what_where_and_what_to_do(port: Port) -> None:
    error = port.call("Research", "GetJob", research_pb2.JobRequest(job_hash=bytes(32)))
    assert (error.code, error.what, error.where[:4], error.hint) == (
        Code.NOT_FOUND,
        "There is no such job.",
        "job ",
        "List them.",
    )


LOW_ORDER = {Code.INVALID_INPUT}
BAD: list[tuple[str, str, Message, set[Code]]] = [
    ("Log", "Entries", log_pb2.EntriesRequest(start=9, end=3), {Code.INVALID_INPUT}),
    ("Log", "Entries", log_pb2.EntriesRequest(start=0, end=2**63), {Code.INVALID_INPUT}),
    ("Log", "Inclusion", log_pb2.InclusionRequest(index=5, size=5), {Code.INVALID_INPUT}),
    ("Log", "Consistency", log_pb2.ConsistencyRequest(old_size=0, new_size=5), {Code.INVALID_INPUT}),
    ("Log", "Submit", log_pb2.SubmitRequest(statement=b"{"), {Code.INVALID_INPUT}),
    ("Log", "Submit", log_pb2.SubmitRequest(statement=b"x" * 70_000), {Code.TOO_LARGE}),
    ("Log", "Endorse", log_pb2.EndorseRequest(digest=b"x"), {Code.INVALID_INPUT}),
    (
        "Log",
        "Endorse",
        log_pb2.EndorseRequest(digest=bytes(32), key=bytes(32), signature=bytes(64)),
        {Code.INVALID_INPUT},
    ),
    ("Log", "Cosign", log_pb2.CosignRequest(size=11, signature_line=b"x"), {Code.PERMISSION_DENIED}),
    ("Log", "Pending", log_pb2.PendingRequest(kinds=["k"] * 100), {Code.TOO_LARGE}),
    ("Research", "Check", research_pb2.CheckRequest(job=b"{}"), {Code.PERMISSION_DENIED}),
    ("Research", "Check", research_pb2.CheckRequest(job=b"x" * 40_000), {Code.TOO_LARGE}),
    ("Research", "SubmitJob", research_pb2.SubmitJobRequest(job=b"{}", proposal=b"{}"), {Code.PERMISSION_DENIED}),
    ("Research", "Result", research_pb2.JobRequest(job_hash=b"x"), {Code.INVALID_INPUT}),
    ("Research", "GetArtifact", research_pb2.ArtifactRequest(job_hash=bytes(32), sha256=b"x"), {Code.INVALID_INPUT}),
    (
        "Research",
        "GetArtifact",
        research_pb2.ArtifactRequest(job_hash=bytes(32), sha256=bytes(32), offset=2**40),
        {Code.INVALID_INPUT},
    ),
    ("Research", "GetArtifact", research_pb2.ArtifactRequest(job_hash=bytes(32), sha256=bytes(32)), {Code.NOT_FOUND}),
    ("Rounds", "Poll", rounds_pb2.PollRequest(protocols=[PROTOCOL] * 100), {Code.TOO_LARGE}),
    ("Rounds", "GetManifest", rounds_pb2.RunRequest(run_id=bytes(32)), {Code.NOT_FOUND}),
    ("Rounds", "Next", rounds_pb2.NextRequest(run_id=bytes(32), after=Phase.SHARE), {Code.NOT_FOUND}),  # type: ignore[arg-type]
    ("Rounds", "Next", rounds_pb2.NextRequest(run_id=bytes(32)), {Code.INVALID_INPUT}),
    ("Rounds", "Advertise", rounds_pb2.AdvertiseRequest(run_id=bytes(32)), {Code.INVALID_INPUT}),
    ("Rounds", "Share", rounds_pb2.ShareRequest(run_id=bytes(32), signature=bytes(64)), {Code.NOT_FOUND}),
    ("Rounds", "Attest", rounds_pb2.AttestRequest(run_id=bytes(32), signature=bytes(64)), {Code.NOT_FOUND}),
    ("Rounds", "Unmask", rounds_pb2.UnmaskRequest(run_id=bytes(32)), {Code.NOT_FOUND}),
]


@pytest.mark.parametrize(("service", "method", "request_", "codes"), BAD)
def test_bad_requests_are_refused_and_change_nothing(
    port: Port, village: Village, service: str, method: str, request_: Message, codes: set[Code]
) -> None:
    error = port.call(service, method, request_)
    assert isinstance(error, errors_pb2.Error)
    assert Code(error.code) in codes
    assert error.what
    assert village.coordinator.ledger.size == 11


def test_an_unknown_field_is_refused(port: Port) -> None:
    request = rounds_pb2.PollRequest()
    request.MergeFromString(b"\xf8\x07\x01")  # field 127
    assert port.call("Rounds", "Poll", request).code == Code.INVALID_INPUT


def test_uploads_that_are_refused(accepted: tuple[Village, Job]) -> None:
    village, job = accepted
    run = village.until_phase(job, Phase.INPUT)
    port = Port(village)
    header = rounds_pb2.UploadHeader(run_id=run.run_id, elements=1, width=8, sha256=bytes(32))
    piece = rounds_pb2.UploadPiece
    for pieces in ([], [piece(data=b"x")], [piece(header=header, data=b"x")]):
        assert port.stream("Rounds", "Upload", pieces).code == Code.INVALID_INPUT
    header.run_id = bytes(32)
    assert port.stream("Rounds", "Upload", [piece(header=header, data=b"x")]).code == Code.NOT_FOUND


ROUNDS = [(method, request) for service, method, request, _ in BAD if service == "Rounds"]


@pytest.mark.parametrize("role", [Role.RESEARCHER, Role.COORDINATOR])
@pytest.mark.parametrize(("method", "request_"), ROUNDS)
def test_runs_are_for_households(port: Port, role: Role, method: str, request_: Message) -> None:
    assert port.caller is not None
    port.caller = Principal(COOP, role, port.caller.id)
    assert port.call("Rounds", method, request_).code == Code.PERMISSION_DENIED
    assert port.stream("Rounds", "Upload", []).code == Code.PERMISSION_DENIED


def test_a_defect_is_not_shown_to_the_caller(
    port: Port, village: Village, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(type(village.coordinator.research), "jobs", broken)
    error = port.call("Research", "Jobs", research_pb2.JobsRequest())
    assert (error.code, "secret" in error.what + error.hint) == (Code.INTERNAL, False)
    assert "secret detail" in caplog.text


def test_a_statement_goes_through(port: Port, village: Village) -> None:
    home = village.village[4]
    leaf = build_resign(COOP, home.principal.id).sign(home.key).leaf()
    reply = port.call("Log", "Submit", log_pb2.SubmitRequest(statement=leaf))
    assert (reply.index, reply.waiting_for) == (11, "")
    assert port.call("Log", "Entries", log_pb2.EntriesRequest(start=11, end=12)).leaves == [leaf]
