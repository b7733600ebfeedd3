"""A job as it is handed in: one message with job and proposal, then the researcher's model in pieces, if any."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vicinia.errors import InvalidInput, TooLarge
from vicinia.v1 import research_pb2 as pb
from vicinia.wire import limits
from vicinia.wire.field import Bytes
from vicinia.wire.research import SUBMIT_JOB_REQUEST, SubmitJobRequest
from vicinia.wire.shape import refuse_unknown

__all__ = ["receive_model", "submission_head", "submission_messages"]

_WHERE = "SubmitJobRequest"
_PIECE = Bytes(limits.PIECE, 1)


def submission_messages(head: SubmitJobRequest, model: bytes) -> Iterator[pb.SubmitJobRequest]:
    """The messages of one submission; `model` is empty where the job begins with none of the researcher's."""
    yield SUBMIT_JOB_REQUEST.write(head)
    for start in range(0, len(model), limits.PIECE):
        yield pb.SubmitJobRequest(model=model[start : start + limits.PIECE])


def submission_head(first: pb.SubmitJobRequest) -> SubmitJobRequest:
    """What the first message says."""
    if first.model:
        raise InvalidInput("A model comes after the first message, not in it.", where=f"{_WHERE}.model")
    return SUBMIT_JOB_REQUEST.read(first)


def receive_model(messages: Iterable[pb.SubmitJobRequest], expected: int) -> bytes:
    """The model of `expected` bytes out of the later messages; TooLarge as soon as more comes, InvalidInput for less,
    and for a message that says anything else."""
    model = bytearray()
    for message in messages:
        refuse_unknown(message, _WHERE)
        if message.job or message.proposal:
            raise InvalidInput("Only the first message has a job.", where=f"{_WHERE}.job")
        _PIECE.check(message.model, f"{_WHERE}.model")
        model += message.model
        if len(model) > expected:
            raise TooLarge(f"More than the {expected:,} bytes of such a model.", where=f"{_WHERE}.model")
    if len(model) != expected:
        what = f"{len(model):,} bytes of a model of {expected:,} came."
        raise InvalidInput(what, where=f"{_WHERE}.model", hint="Is this program up to date?")
    return bytes(model)
