"""A call that a busy coordinator cut off is made again; what was refused, or may have been read, is not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from vicinia.errors import InvalidInput, Unavailable
from vicinia.node import link
from vicinia.wire.errors import error_to_trailer

import grpc  # isort: skip


class Refused(grpc.RpcError):
    def __init__(self, code: grpc.StatusCode, trailer: tuple[tuple[str, bytes], ...] = ()) -> None:
        self._code, self._trailer = code, trailer

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return ""

    def trailing_metadata(self) -> Any:
        return self._trailer


class Busy:
    """Refuses some calls, then answers."""

    def __init__(self, *refusals: Refused) -> None:
        self.refusals, self.calls = list(refusals), 0

    def __call__(self, request: Any, timeout: float) -> str:
        self.calls += 1
        if self.refusals:
            raise self.refusals.pop(0)
        return "answer"


CUT = Refused(grpc.StatusCode.CANCELLED)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def test_what_was_cut_off_is_said_again_and_given_up_in_the_end() -> None:
    busy = Busy(CUT, CUT, CUT)
    assert link._call(busy, "request") == "answer"
    assert busy.calls == 4
    with pytest.raises(Unavailable, match="ended before it was answered"):
        link._call(Busy(*[CUT] * 9), "request")


@pytest.mark.parametrize(
    "refusal",
    [
        Refused(grpc.StatusCode.CANCELLED, error_to_trailer(InvalidInput("No."))),
        Refused(grpc.StatusCode.UNAVAILABLE),
        Refused(grpc.StatusCode.DEADLINE_EXCEEDED),
    ],
)
def test_other_refusals_are_not_repeated(refusal: Refused) -> None:
    busy = Busy(refusal)
    with pytest.raises((InvalidInput, Unavailable)):
        link._call(busy, "request")
    assert busy.calls == 1


def test_a_stream_that_was_begun_is_not_sent_again() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"piece"

    busy = Busy(CUT)
    with pytest.raises(Unavailable):
        link._call(busy, pieces())
    assert busy.calls == 1
