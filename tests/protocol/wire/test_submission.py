"""A job with the model that it brings along: whole or not at all, and no longer than its plan has room for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vicinia.errors import InvalidInput, TooLarge
from vicinia.v1 import research_pb2 as pb
from vicinia.wire import limits
from vicinia.wire.research import SubmitJobRequest
from vicinia.wire.submission import receive_model, submission_head, submission_messages

HEAD = SubmitJobRequest(b"{}", b"{}")


@given(st.binary(max_size=300))
def test_what_is_handed_in_arrives(model: bytes) -> None:
    first, *rest = submission_messages(HEAD, model)
    assert submission_head(first) == HEAD
    assert receive_model(rest, len(model)) == model


def test_a_long_model_comes_in_pieces_and_a_job_alone_in_one_message() -> None:
    model = bytes(2 * limits.PIECE + 1)
    messages = list(submission_messages(HEAD, model))
    assert [len(message.model) for message in messages] == [0, limits.PIECE, limits.PIECE, 1]
    assert receive_model(messages[1:], len(model)) == model
    assert len(list(submission_messages(HEAD, b""))) == 1


def unknown() -> pb.SubmitJobRequest:
    message = pb.SubmitJobRequest(model=b"xx")
    message.MergeFromString(b"\xf8\x07\x01")  # field 127
    return message


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [pb.SubmitJobRequest(model=b"x")],
        [pb.SubmitJobRequest()],
        [pb.SubmitJobRequest(model=b"xx", job=b"{}")],
        [pb.SubmitJobRequest(model=b"xx", proposal=b"{}")],
        [unknown()],
    ],
)
def test_less_and_anything_else_is_refused(messages: list[pb.SubmitJobRequest]) -> None:
    with pytest.raises(InvalidInput):
        receive_model(messages, 2)


def test_more_is_refused_as_soon_as_it_comes() -> None:
    seen = []

    def endless() -> pb.SubmitJobRequest:
        seen.append(1)
        return pb.SubmitJobRequest(model=b"x")

    with pytest.raises(TooLarge, match="More than the 2 bytes"):
        receive_model(iter(endless, None), 2)
    assert len(seen) == 3
    with pytest.raises(TooLarge):
        receive_model([pb.SubmitJobRequest(model=bytes(limits.PIECE + 1))], 2**40)


def test_the_first_message_has_a_job_and_no_piece() -> None:
    for first in (pb.SubmitJobRequest(), pb.SubmitJobRequest(job=b"{}", proposal=b"{}", model=b"x")):
        with pytest.raises(InvalidInput):
            submission_head(first)
