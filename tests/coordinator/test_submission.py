"""A job that brings a model, over a real connection: in pieces, within its time, one at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

from vicinia.identity import TlsKey  # before grpc

import grpc  # isort: skip
import numpy as np
import pytest
from coordinator.test_admission import Line
from simulator_village import MAP, Village
from vicinia.assembly import Job
from vicinia.assembly.toml import TomlFile
from vicinia.coordinator.client.link import Link
from vicinia.coordinator.clock import as_datetime
from vicinia.coordinator.rpc import research, server
from vicinia.coordinator.store import artifacts
from vicinia.errors import InvalidInput
from vicinia.query.mapping import parse_map
from vicinia.training.model import Model
from vicinia.training.spec import training_of
from vicinia.v1 import research_pb2_grpc
from vicinia.wire import error_from_rpc, limits
from vicinia.wire.research import SubmitJobRequest
from vicinia.wire.submission import submission_messages

TEXT = """
[training]
dataset = "budget"
features = ["fuel"]
target = "kids"
recipe = "mlp"
rounds = 1
[training.parameters]
hidden_1 = 4
"""


@pytest.fixture
def line(village: Village, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    monkeypatch.setattr(limits, "PIECE", 64)
    one = Line(village, lambda: time.time_ns() // 1_000_000)
    yield one
    one.servers.stop(0)


@pytest.fixture
def link(line: Line) -> Iterator[Link]:
    village, key = line.village, TlsKey.generate()
    authority = village.coordinator.authority
    request, now = key.signing_request(), as_datetime(line.clock())
    certificate = authority.issue(request, village.researcher_principal, now, server._LIFETIME)
    one = Link(f"localhost:{line.port}", authority.certificate_pem, key.pem, certificate)
    yield one
    one.close()


def bringing(village: Village) -> tuple[Job, Model]:
    """A job that brings a model of several pieces."""
    training = training_of(TomlFile.parse(TEXT, "JOB.toml"), {"budget": parse_map(MAP)[0]})
    model = training.template.with_flat(np.full(training.template.size, 0.5))
    plan: dict[str, Any] = training.plan.payload() | {"initial": model.digest.hex(), "initial_given": True}
    return village.job(kind="train", query="", training=plan), model


def test_a_model_of_several_pieces_arrives_with_its_job(line: Line, link: Link) -> None:
    village = line.village
    job, model = bringing(village)
    assert len(model.to_bytes()) > limits.PIECE
    proposal = village.proposal(job).leaf()
    with pytest.raises(InvalidInput, match="bytes of a model of"):
        link.submit(job.canonical(), proposal)
    for _ in range(2):  # what is handed in again is the same
        assert link.submit(job.canonical(), proposal, model.to_bytes()) == job.hash
    with village.coordinator.database.read() as connection:
        assert artifacts.find(connection, model.digest) == model.to_bytes()
    assert link.job(job.hash)[0].state == "submitted"


def test_a_model_that_does_not_come_is_not_waited_for_and_keeps_no_thread(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(research, "_START_S", 1.0)
    monkeypatch.setattr(research, "BYTES_A_SECOND", 10**9)
    village, stop = line.village, threading.Event()
    job, _ = bringing(village)
    messages = list(submission_messages(SubmitJobRequest(job.canonical(), village.proposal(job).leaf()), b"x"))

    def halting() -> Iterator[Any]:
        yield from messages
        stop.wait()

    try:
        with line.channel(village.researcher_principal) as channel:
            call: Any = research_pb2_grpc.ResearchStub(channel).SubmitJob
            slow = [call.future(halting()) for _ in range(2)]
            codes = sorted(one.exception(timeout=15).code().name for one in slow)
            assert codes == ["CANCELLED", "UNAVAILABLE"]  # of the one that had the slot, and of the other
            with pytest.raises(grpc.RpcError) as refused:
                call(iter(messages), timeout=15)
            assert isinstance(error_from_rpc(refused.value), InvalidInput)
    finally:
        stop.set()
