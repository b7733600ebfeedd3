"""The calls of the service `Rounds`: what homes ask for, hand in and are told; `published` has the answer to Next."""

from __future__ import annotations

from dataclasses import dataclass

from vicinia.secagg.messages import Advert, ShareUpload, UnmaskShares
from vicinia.v1 import rounds_pb2 as pb
from vicinia.wire import limits
from vicinia.wire.field import Bytes, Choice, Number, exactly
from vicinia.wire.published import ANY_PHASE, RETRY, Phase
from vicinia.wire.secagg import ADVERT, SHARE_UPLOAD, UNMASK_SHARES
from vicinia.wire.shape import List, Nested, Shape

__all__ = [
    "ACCEPTED",
    "ADVERTISE_REQUEST",
    "ATTEST_REQUEST",
    "MANIFEST_REPLY",
    "MODEL_PIECE",
    "MODEL_REQUEST",
    "NEXT_REQUEST",
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
    "PollReply",
    "PollRequest",
    "RoundsReply",
    "RunRequest",
    "RunSummary",
    "share_request_from_pb",
    "share_request_to_pb",
    "unmask_request_from_pb",
    "unmask_request_to_pb",
]

_WORKING_PHASE = Choice((Phase.ADVERTISE, Phase.SHARE, Phase.INPUT, Phase.COMMIT, Phase.UNMASK))
_RUN_ID = exactly(limits.HASH)


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


POLL_REQUEST = Shape(
    pb.PollRequest,
    PollRequest,
    {"protocols": List(Number(limits.UINT32), limits.MAX_PROTOCOLS), "log_size": Number(limits.INDEX)},
)
RUN_SUMMARY = Shape(
    pb.RunSummary, RunSummary, {"run_id": _RUN_ID, "job_hash": exactly(limits.HASH), "phase": ANY_PHASE}
)
POLL_REPLY = Shape(
    pb.PollReply,
    PollReply,
    {
        "note": Bytes(limits.NOTE),
        "runs": List(Nested(RUN_SUMMARY), limits.MAX_RUNS),
        "retry_after_ms": RETRY,
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
ACCEPTED = Shape(pb.Accepted, Accepted, {"retry_after_ms": RETRY})
ADVERTISE_REQUEST = Shape(pb.AdvertiseRequest, AdvertiseRequest, {"run_id": _RUN_ID, "advert": Nested(ADVERT)})
NEXT_REQUEST = Shape(pb.NextRequest, NextRequest, {"run_id": _RUN_ID, "after": _WORKING_PHASE})
ATTEST_REQUEST = Shape(pb.AttestRequest, AttestRequest, {"run_id": _RUN_ID, "signature": exactly(limits.SIGNATURE)})


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
