"""Frames between the coordinator and its Flower process: what goes in comes out, and nothing else comes out."""

from __future__ import annotations

import io
import json
import struct
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from vicinia.coordinator.services.dialogue import Failure, Finished, Reply, Request, Start, Stop, receive, send
from vicinia.coordinator.services.frame import MAX_PARAMETERS
from vicinia.errors import InvalidInput, ProtocolViolation

FED_AVG: dict[str, Any] = {"name": "FedAvg", "parameters": {}}
MODEL = {"a": np.array([[1.5, -2.0]]), "b": np.array(0.25)}


def packed(message: Any) -> bytes:
    pieces: list[bytes] = []
    send(message, lambda piece: pieces.append(bytes(piece)))
    return b"".join(pieces)


def unpacked(raw: bytes) -> Any:
    stream = io.BytesIO(raw)

    def fill(target: memoryview) -> None:
        if stream.readinto(target) != len(target):
            raise EOFError

    return receive(fill)


def framed(header: bytes, body: bytes = b"") -> bytes:
    return struct.pack("<IQ", len(header), len(body)) + header + body


@st.composite
def models(draw: st.DrawFn) -> dict[str, NDArray[np.float64]]:
    names = draw(
        st.lists(st.from_regex(r"[a-z][a-z0-9_./-]{0,20}", fullmatch=True), min_size=1, max_size=5, unique=True)
    )
    model = {}
    for name in names:
        shape = tuple(draw(st.lists(st.integers(1, 4), max_size=4)))
        numbers = draw(st.binary(min_size=8 * int(np.prod(shape)), max_size=8 * int(np.prod(shape))))
        model[name] = np.frombuffer(numbers).reshape(shape)
    return model


@given(models())
def test_arrays_come_out_as_they_went_in(model: dict[str, NDArray[np.float64]]) -> None:
    found = unpacked(packed(Finished(3, model))).arrays
    assert list(found) == list(model)
    assert all(found[name].shape == model[name].shape for name in model)
    assert all(found[name].tobytes() == model[name].tobytes() for name in model)


def test_an_array_in_any_layout_is_written_in_rows() -> None:
    turned = np.arange(6.0).reshape(2, 3).T
    assert unpacked(packed(Finished(1, {"a": turned}))).arrays["a"].tolist() == turned.tolist()


def test_every_message_says_what_it_said() -> None:
    start = unpacked(packed(Start(FED_AVG, 9, MODEL)))
    assert (start.strategy, start.rounds) == (FED_AVG, 9)
    request = unpacked(packed(Request(2, {"proximal-mu": 0.1}, MODEL)))
    assert (request.round, request.config) == (2, {"proximal-mu": 0.1})
    reply = unpacked(packed(Reply(1 / 3, {"loss": 1e-300}, MODEL)))
    assert (reply.weight, reply.metrics) == (1 / 3, {"loss": 1e-300})
    assert isinstance(unpacked(packed(Stop())), Stop)
    failure = unpacked(packed(Failure(12, "Training diverged.", "a", "")))
    assert (failure.code, failure.what, failure.where, failure.hint) == (12, "Training diverged.", "a", "")


@pytest.mark.parametrize(
    "message",
    [
        Start({"name": "Krum", "parameters": {}}, 1, MODEL),
        Start(FED_AVG, 0, MODEL),
        Start(FED_AVG, 1, {"": np.zeros(1)}),
        Start(FED_AVG, 1, {"a": np.zeros(1, dtype=np.int64)}),
        Request(1, {"mu": float("inf")}, MODEL),
        Reply(float("nan"), {}, MODEL),
        Reply(1.0, {f"m{n}": 0.0 for n in range(257)}, MODEL),
        Failure(1, "x" * 2001, "", ""),
    ],
)
def test_what_must_not_be_said_is_refused_before_a_byte_is_written(message: Any) -> None:
    pieces: list[memoryview] = []
    with pytest.raises(InvalidInput):
        send(message, pieces.append)
    assert pieces == []


def header(**changes: Any) -> bytes:
    return json.dumps({"kind": "Finished", "facts": {"completed": 1}, "arrays": [["a", 1]], **changes}).encode()


@pytest.mark.parametrize(
    "raw",
    [
        struct.pack("<IQ", 2**32 - 1, 0),
        struct.pack("<IQ", 10, 8 * MAX_PARAMETERS + 1),
        framed(b"\x80\x04K\x01."),
        framed(b"[" * 100_000),
        framed(b"3"),
        framed(b"{}"),
        framed(header(), bytes(16)),
        framed(header(), b""),
        framed(header(arrays=[]), b""),
        framed(header(arrays=[["a", 0]]), b""),
        framed(header(arrays=[["a", -1]]), b""),
        framed(header(arrays=[["a", True]]), bytes(8)),
        framed(header(arrays=[["a", 1.0]]), bytes(8)),
        framed(header(arrays=[["a", 1], ["a", 1]]), bytes(16)),
        framed(header(arrays=[["a", 2**40, 2**40]]), b""),
        framed(header(arrays=[[["a"], 1]]), bytes(8)),
        framed(header(arrays=[["../ etc", 1]]), bytes(8)),
        framed(header(arrays=[[]]), b""),
        framed(header(kind="Pickle"), bytes(8)),
        framed(header(kind=["Finished"]), bytes(8)),
        framed(header(kind="Stop"), bytes(8)),
        framed(header(facts={}), bytes(8)),
        framed(header(facts={"completed": 1, "arrays": []}), bytes(8)),
        framed(header(facts={"completed": -1}), bytes(8)),
        framed(header(facts={"completed": 1, "more": 1}), bytes(8)),
        framed(header(facts=[]), bytes(8)),
        framed(header(kind="Start", facts={"strategy": {"name": "Krum"}, "rounds": 1}), bytes(8)),
    ],
)
def test_a_frame_that_nobody_would_write_is_refused(raw: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        unpacked(raw)


@settings(max_examples=300)
@given(st.data())
def test_a_damaged_frame_is_refused_or_is_a_message(data: st.DataObject) -> None:
    raw = bytearray(packed(Request(1, {"proximal-mu": 0.5}, MODEL)))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ProtocolViolation, EOFError):
        unpacked(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
