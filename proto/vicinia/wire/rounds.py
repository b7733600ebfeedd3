"""The calls of the service `Rounds`: what a home asks for and what it is told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from vicinia.errors import InvalidInput
from vicinia.secagg.messages import Advert, Commitment, Dealers, RosterView, ShareUpload, Survivors, UnmaskShares
from vicinia.v1 import rounds_pb2 as pb
from vicinia.wire import limits
from vicinia.wire.field import Bytes, Choice, Number, Text, exactly
from vicinia.wire.secagg import (
    ADVERT,
    COMMITMENT,
    DEALERS,
    ROSTER_VIEW,
    SHARE_UPLOAD,
    SURVIVORS,
    UNMASK_SHARES,
)
from vicinia.wire.shape import List, Nested, Shape, refuse_unknown

__all__ = [
    "ACCEPTED",
    "ADVERTISE_REQUEST",
    "ATTEST_REQUEST",
    "MANIFEST_REPLY",
    "MODEL_PIECE",
    "MODEL_REQUEST",
    "NEXT_REQUEST",
    "OUTCOME",
    "POLL_REPLY",
    "POLL_REQUEST",
    "ROUNDS_REPLY",
    "RUN_REQUEST",
    "RUN_SUMMARY",
    "Accepted",
    "AdvertiseRequest",
    "AttestRequest",
    "ManifestReply",
    "ModelPiece",
    "ModelRequest",
    "NextRequest",
    "Outcome",
    "Phase",
    "PollReply",
    "PollRequest",
    "Published",
    "RoundsReply",
    "RunRequest",
    "RunSummary",
    "published_from_pb",
    "published_to_pb",
    "share_request_from_pb",
    "share_request_to_pb",
    "unmask_request_from_pb",
    "unmask_request_to_pb",
]


class Phase(IntEnum):
    """The phases of a run, equal by name and number to `vicinia.v1.Phase`."""

    PHASE_UNSPECIFIED = 0
    ADVERTISE = 1
    SHARE = 2
    INPUT = 3
    COMMIT = 4
    UNMASK = 5
    DONE = 6
    FAILED = 7


_ANY_PHASE = Choice(tuple(Phase)[1:])
_WORKING_PHASE = Choice((Phase.ADVERTISE, Phase.SHARE, Phase.INPUT, Phase.COMMIT, Phase.UNMASK))
_FINAL_PHASE = Choice((Phase.DONE, Phase.FAILED))
_RUN_ID = exactly(limits.HASH)
_RETRY = Number(limits.RETRY_MS)


@dataclass(frozen=True, slots=True)
class PollRequest:
    """The protocol versions that the home speaks and the size of its verified replica of the log."""

    protocols: tuple[int, ...]
    log_size: int


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run that the caller may take part in: J, the job's hash and the phase it is in."""

    run_id: bytes
    job_hash: bytes
    phase: Phase


@dataclass(frozen=True, slots=True)
class PollReply:
    """`note`: a newer checkpoint, or empty; `uncosigned_note`: one that waits for a witness, or empty."""

    note: bytes
    runs: tuple[RunSummary, ...]
    retry_after_ms: int
    uncosigned_note: bytes = b""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """Which run."""

    run_id: bytes


@dataclass(frozen=True, slots=True)
class ManifestReply:
    """Canonical bytes of the manifest and of the job."""

    manifest: bytes
    job: bytes


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """Which run's model, from which byte on."""

    run_id: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class ModelPiece:
    """Some bytes of a model of `total` bytes."""

    total: int
    data: bytes


@dataclass(frozen=True, slots=True)
class RoundsReply:
    """The releases of a training's rounds so far, canonical JSON, by ascending run."""

    releases: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """When to ask for what follows."""

    retry_after_ms: int


@dataclass(frozen=True, slots=True)
class AdvertiseRequest:
    """The home's keys for this run."""

    run_id: bytes
    advert: Advert


@dataclass(frozen=True, slots=True)
class NextRequest:
    """Asks for what was published after the phase that the caller has finished."""

    run_id: bytes
    after: Phase


@dataclass(frozen=True, slots=True)
class AttestRequest:
    """A notary's signature over the survivor digest."""

    run_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: DONE or FAILED, the reason, the survivors, and what was released (canonical JSON)."""

    phase: Phase
    reason: str
    survivors: int
    release: bytes = b""


@dataclass(frozen=True, slots=True)
class Published:
    """The run's phase now and what came after the caller's; `item` is None while there is nothing new.

    `retry_after_ms`: when to ask again, or, once the run is over, when there may be another.
    """

    phase: Phase
    retry_after_ms: int
    item: RosterView | Dealers | Survivors | Commitment | Outcome | None = None


POLL_REQUEST = Shape(
    pb.PollRequest,
    PollRequest,
    {"protocols": List(Number(limits.UINT32), limits.MAX_PROTOCOLS), "log_size": Number(limits.INDEX)},
)
RUN_SUMMARY = Shape(
    pb.RunSummary, RunSummary, {"run_id": _RUN_ID, "job_hash": exactly(limits.HASH), "phase": _ANY_PHASE}
)
POLL_REPLY = Shape(
    pb.PollReply,
    PollReply,
    {
        "note": Bytes(limits.NOTE),
        "runs": List(Nested(RUN_SUMMARY), limits.MAX_RUNS),
        "retry_after_ms": _RETRY,
        "uncosigned_note": Bytes(limits.NOTE),
    },
)
RUN_REQUEST = Shape(pb.RunRequest, RunRequest, {"run_id": _RUN_ID})
MANIFEST_REPLY = Shape(
    pb.ManifestReply, ManifestReply, {"manifest": Bytes(limits.MANIFEST, 1), "job": Bytes(limits.JOB, 1)}
)
MODEL_REQUEST = Shape(pb.ModelRequest, ModelRequest, {"run_id": _RUN_ID, "offset": Number(limits.MODEL)})
MODEL_PIECE = Shape(pb.ModelPiece, ModelPiece, {"total": Number(limits.MODEL, 1), "data": Bytes(limits.PIECE)})
ROUNDS_REPLY = Shape(pb.RoundsReply, RoundsReply, {"releases": List(Bytes(limits.ROUND, 1), limits.ROUNDS)})
ACCEPTED = Shape(pb.Accepted, Accepted, {"retry_after_ms": _RETRY})
ADVERTISE_REQUEST = Shape(pb.AdvertiseRequest, AdvertiseRequest, {"run_id": _RUN_ID, "advert": Nested(ADVERT)})
NEXT_REQUEST = Shape(pb.NextRequest, NextRequest, {"run_id": _RUN_ID, "after": _WORKING_PHASE})
ATTEST_REQUEST = Shape(pb.AttestRequest, AttestRequest, {"run_id": _RUN_ID, "signature": exactly(limits.SIGNATURE)})
OUTCOME = Shape(
    pb.Outcome,
    Outcome,
    {
        "phase": _FINAL_PHASE,
        "reason": Text(limits.TEXT),
        "survivors": Number(limits.MAX_ROSTER),
        "release": Bytes(limits.RELEASE),
    },
)


def share_request_to_pb(run_id: bytes, upload: ShareUpload) -> pb.ShareRequest:
    """The call that uploads a dealer's shares."""
    message = SHARE_UPLOAD.write(upload)
    _RUN_ID.check(run_id, "ShareRequest.run_id")
    message.run_id = run_id
    return message


def share_request_from_pb(message: pb.ShareRequest) -> tuple[bytes, ShareUpload]:
    """(run id, shares)."""
    return _RUN_ID.read(message.run_id, "ShareRequest.run_id"), SHARE_UPLOAD.read(message)


def unmask_request_to_pb(run_id: bytes, shares: UnmaskShares) -> pb.UnmaskRequest:
    """The call that reveals a home's shares."""
    message = UNMASK_SHARES.write(shares)
    _RUN_ID.check(run_id, "UnmaskRequest.run_id")
    message.run_id = run_id
    return message


def unmask_request_from_pb(message: pb.UnmaskRequest) -> tuple[bytes, UnmaskShares]:
    """(run id, shares)."""
    return _RUN_ID.read(message.run_id, "UnmaskRequest.run_id"), UNMASK_SHARES.read(message)


def published_to_pb(published: Published) -> pb.NextReply:
    """The answer to Next."""
    message = pb.NextReply()
    _ANY_PHASE.write(message, "phase", published.phase, "NextReply.phase")
    _RETRY.write(message, "retry_after_ms", published.retry_after_ms, "NextReply.retry_after_ms")
    match published.item:
        case None:
            pass
        case RosterView() as item:
            ROSTER_VIEW.fill(message.roster, item)
        case Dealers() as item:
            DEALERS.fill(message.dealers, item)
        case Survivors() as item:
            SURVIVORS.fill(message.survivors, item)
        case Commitment() as item:
            COMMITMENT.fill(message.commitment, item)
        case Outcome() as item:
            OUTCOME.fill(message.outcome, item)
        case _:
            raise InvalidInput("This is nothing that a run publishes.", where="NextReply.published")
    return message


def published_from_pb(message: pb.NextReply) -> Published:
    """What Next answered; InvalidInput or TooLarge names the field."""
    refuse_unknown(message, "NextReply")
    item: RosterView | Dealers | Survivors | Commitment | Outcome | None
    match message.WhichOneof("published"):
        case "roster":
            item = ROSTER_VIEW.read(message.roster)
        case "dealers":
            item = DEALERS.read(message.dealers)
        case "survivors":
            item = SURVIVORS.read(message.survivors)
        case "commitment":
            item = COMMITMENT.read(message.commitment)
        case "outcome":
            item = OUTCOME.read(message.outcome)
        case None:
            item = None
    return Published(
        phase=Phase(_ANY_PHASE.read(message.phase, "NextReply.phase")),
        retry_after_ms=_RETRY.read(message.retry_after_ms, "NextReply.retry_after_ms"),
        item=item,
    )
