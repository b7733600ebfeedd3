"""The calls of the service `Log`: leaves, checkpoints, proofs, and statements on their way into the log."""

from __future__ import annotations

from dataclasses import dataclass

from vicinia.v1 import log_pb2 as pb
from vicinia.wire import limits
from vicinia.wire.field import Bytes, Maybe, Number, Text, exactly
from vicinia.wire.shape import List, Shape

__all__ = [
    "CHECKPOINT_REPLY",
    "CONSISTENCY_REQUEST",
    "COSIGN_REQUEST",
    "ENDORSE_REQUEST",
    "ENTRIES_REPLY",
    "ENTRIES_REQUEST",
    "INCLUSION_REQUEST",
    "PENDING_REPLY",
    "PENDING_REQUEST",
    "PROOF_REPLY",
    "SUBMIT_REPLY",
    "SUBMIT_REQUEST",
    "CheckpointReply",
    "ConsistencyRequest",
    "CosignRequest",
    "EndorseRequest",
    "EntriesReply",
    "EntriesRequest",
    "InclusionRequest",
    "PendingReply",
    "PendingRequest",
    "ProofReply",
    "SubmitReply",
    "SubmitRequest",
]


@dataclass(frozen=True, slots=True)
class EntriesRequest:
    """Leaves from `start` up to, without, `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class EntriesReply:
    """Leaves in order; perhaps fewer than asked for."""

    leaves: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class CheckpointReply:
    """A signed note with cosignatures."""

    note: bytes


@dataclass(frozen=True, slots=True)
class InclusionRequest:
    """The proof for a leaf under a size."""

    index: int
    size: int


@dataclass(frozen=True, slots=True)
class ConsistencyRequest:
    """The proof that one size extends another."""

    old_size: int
    new_size: int


@dataclass(frozen=True, slots=True)
class ProofReply:
    """Hashes of an RFC 6962 proof."""

    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class CosignRequest:
    """A witness's cosignature line under the checkpoint of a size."""

    size: int
    signature_line: bytes


@dataclass(frozen=True, slots=True)
class SubmitRequest:
    """Leaf bytes, perhaps with signatures missing."""

    statement: bytes


@dataclass(frozen=True, slots=True)
class SubmitReply:
    """What became of a statement: its index once it is in the log, else whom it waits for, in words."""

    digest: bytes
    index: int | None = None
    waiting_for: str = ""


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """Which kinds of statements (none: every kind that the caller may sign), and after which that was shown."""

    kinds: tuple[str, ...] = ()
    after: bytes = b""


@dataclass(frozen=True, slots=True)
class PendingReply:
    """Statements that wait for the caller's signature."""

    statements: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class EndorseRequest:
    """One more signature under a pending statement."""

    digest: bytes
    key: bytes
    signature: bytes


_INDEX = Number(limits.INDEX)
_LEAF = Bytes(limits.LEAF, 1)
_NOTE = Bytes(limits.NOTE, 1)

ENTRIES_REQUEST = Shape(pb.EntriesRequest, EntriesRequest, {"start": _INDEX, "end": _INDEX})
ENTRIES_REPLY = Shape(pb.EntriesReply, EntriesReply, {"leaves": List(_LEAF, limits.MAX_ENTRIES)})
CHECKPOINT_REPLY = Shape(pb.CheckpointReply, CheckpointReply, {"note": _NOTE})
INCLUSION_REQUEST = Shape(pb.InclusionRequest, InclusionRequest, {"index": _INDEX, "size": _INDEX})
CONSISTENCY_REQUEST = Shape(pb.ConsistencyRequest, ConsistencyRequest, {"old_size": _INDEX, "new_size": _INDEX})
PROOF_REPLY = Shape(pb.ProofReply, ProofReply, {"hashes": List(exactly(limits.HASH), limits.MAX_PROOF)})
COSIGN_REQUEST = Shape(pb.CosignRequest, CosignRequest, {"size": _INDEX, "signature_line": Bytes(limits.LINE, 1)})
SUBMIT_REQUEST = Shape(pb.SubmitRequest, SubmitRequest, {"statement": _LEAF})
SUBMIT_REPLY = Shape(
    pb.SubmitReply,
    SubmitReply,
    {"digest": exactly(limits.HASH), "index": Maybe(_INDEX), "waiting_for": Text(limits.TEXT)},
)
PENDING_REQUEST = Shape(
    pb.PendingRequest,
    PendingRequest,
    {"kinds": List(Text(limits.KIND), limits.MAX_KINDS), "after": Bytes(limits.HASH)},
)
PENDING_REPLY = Shape(pb.PendingReply, PendingReply, {"statements": List(_LEAF, limits.MAX_PENDING)})
ENDORSE_REQUEST = Shape(
    pb.EndorseRequest,
    EndorseRequest,
    {"digest": exactly(limits.HASH), "key": exactly(limits.KEY), "signature": exactly(limits.SIGNATURE)},
)
