"""The calls of the service `Research`: data sets, jobs and their results."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from vicinia.v1 import research_pb2 as pb
from vicinia.wire import limits
from vicinia.wire.field import Bytes, Choice, Maybe, Number, Real, Text, exactly
from vicinia.wire.published import Phase
from vicinia.wire.shape import List, Nested, Shape

__all__ = [
    "ARTIFACT_PIECE",
    "ARTIFACT_REQUEST",
    "CHECK_REPLY",
    "CHECK_REQUEST",
    "DATA_SETS_REPLY",
    "JOBS_REPLY",
    "JOB_REPLY",
    "JOB_REQUEST",
    "JOB_STATUS",
    "RESULT_REPLY",
    "SUBMIT_JOB_REPLY",
    "SUBMIT_JOB_REQUEST",
    "ArtifactPiece",
    "ArtifactRequest",
    "CheckReply",
    "CheckRequest",
    "DataSetsReply",
    "JobReply",
    "JobRequest",
    "JobState",
    "JobStatus",
    "JobsReply",
    "ResultReply",
    "RoundMetric",
    "RoundStatus",
    "SubmitJobReply",
    "SubmitJobRequest",
]


class JobState(IntEnum):
    """The states of a job, equal by name and number to `vicinia.v1.JobState`."""

    JOB_STATE_UNSPECIFIED = 0
    SUBMITTED = 1
    REJECTED = 2
    VOTING = 3
    NOT_ACCEPTED_BY_VOTE = 4
    RECRUITING = 5
    RUNNING = 6
    RELEASED = 7
    JOB_FAILED = 8
    REVOKED = 9
    EXPIRED = 10


@dataclass(frozen=True, slots=True)
class DataSetsReply:
    """Canonical definitions, and the registered households rounded down to a multiple of 10."""

    definitions: tuple[bytes, ...]
    households: int


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """A job, canonical JSON."""

    job: bytes


@dataclass(frozen=True, slots=True)
class CheckReply:
    """The terms that a proposal of the job would have, canonical JSON."""

    terms: bytes


@dataclass(frozen=True, slots=True)
class SubmitJobRequest:
    """The job and its `proposal` leaf with the researcher's signature; a model follows it (`wire.submission`)."""

    job: bytes
    proposal: bytes


@dataclass(frozen=True, slots=True)
class SubmitJobReply:
    """The job's hash."""

    job_hash: bytes


@dataclass(frozen=True, slots=True)
class JobRequest:
    """Which job."""

    job_hash: bytes


@dataclass(frozen=True, slots=True)
class JobStatus:
    """Where a job stands; `yes`, `no`, `abstain` after the close only; `phase` unspecified unless it runs."""

    job_hash: bytes
    title: str
    state: JobState
    submitted_ms: int
    reason: str = ""
    deadline_ms: int = 0
    turnout: int = 0
    electorate: int = 0
    yes: int = 0
    no: int = 0
    abstain: int = 0
    phase: Phase = Phase.PHASE_UNSPECIFIED
    phase_done: int = 0
    phase_of: int = 0
    phase_deadline_ms: int = 0
    run: int = 0
    rounds_released: int = 0
    rounds_planned: int = 0
    rounds_scaling: int = 0


@dataclass(frozen=True, slots=True)
class RoundMetric:
    """A metric of a released round; None where it is below the noise."""

    name: str
    value: float | None = None
    stderr: float | None = None


@dataclass(frozen=True, slots=True)
class RoundStatus:
    """A released round of a training; `cohort` is rounded down."""

    run: int
    cohort: int
    metrics: tuple[RoundMetric, ...] = ()


@dataclass(frozen=True, slots=True)
class JobsReply:
    """Every job that the caller may see."""

    jobs: tuple[JobStatus, ...]


@dataclass(frozen=True, slots=True)
class JobReply:
    """One job: its status, its canonical bytes, where its proposal and certificate are in the log, and the released
    rounds of a training for those who may read its result."""

    status: JobStatus
    job: bytes
    proposal_index: int | None = None
    certificate_index: int | None = None
    rounds: tuple[RoundStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultReply:
    """The canonical release, and where its statement is in the log; of a training its card and `trained` statement."""

    release: bytes
    release_index: int


@dataclass(frozen=True, slots=True)
class ArtifactRequest:
    """What a training left behind under this hash, from which byte on."""

    job_hash: bytes
    sha256: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class ArtifactPiece:
    """Some bytes of `total`."""

    total: int
    data: bytes


_HASH = exactly(limits.HASH)
_JOB = Bytes(limits.JOB, 1)
_INDEX = Number(limits.INDEX)
_COUNT = Number(limits.MAX_INDEX)
_TIME = Number(limits.MILLISECONDS)

DATA_SETS_REPLY = Shape(
    pb.DataSetsReply,
    DataSetsReply,
    {"definitions": List(Bytes(limits.LEAF, 1), limits.MAX_DEFINITIONS), "households": _COUNT},
)
CHECK_REQUEST = Shape(pb.CheckRequest, CheckRequest, {"job": _JOB})
CHECK_REPLY = Shape(pb.CheckReply, CheckReply, {"terms": Bytes(limits.LEAF, 1)})
SUBMIT_JOB_REQUEST = Shape(
    pb.SubmitJobRequest, SubmitJobRequest, {"job": _JOB, "proposal": Bytes(limits.LEAF, 1)}, frozenset({"model"})
)
SUBMIT_JOB_REPLY = Shape(pb.SubmitJobReply, SubmitJobReply, {"job_hash": _HASH})
JOB_REQUEST = Shape(pb.JobRequest, JobRequest, {"job_hash": _HASH})
JOB_STATUS = Shape(
    pb.JobStatus,
    JobStatus,
    {
        "job_hash": _HASH,
        "title": Text(limits.TITLE),
        "state": Choice(tuple(JobState)[1:]),
        "reason": Text(limits.TEXT),
        "submitted_ms": _TIME,
        "deadline_ms": _TIME,
        "turnout": _COUNT,
        "electorate": _COUNT,
        "yes": _COUNT,
        "no": _COUNT,
        "abstain": _COUNT,
        "phase": Choice(tuple(Phase)),
        "phase_done": _COUNT,
        "phase_of": _COUNT,
        "phase_deadline_ms": _TIME,
        "run": Number(limits.UINT32),
        "rounds_released": _COUNT,
        "rounds_planned": _COUNT,
        "rounds_scaling": Number(1),
    },
)
_METRIC = Shape(
    pb.RoundMetric, RoundMetric, {"name": Text(limits.KIND), "value": Maybe(Real()), "stderr": Maybe(Real())}
)
_ROUND = Shape(
    pb.RoundStatus,
    RoundStatus,
    {"run": Number(limits.UINT32), "cohort": _COUNT, "metrics": List(Nested(_METRIC), limits.METRICS)},
)
JOBS_REPLY = Shape(pb.JobsReply, JobsReply, {"jobs": List(Nested(JOB_STATUS), limits.MAX_JOBS)})
JOB_REPLY = Shape(
    pb.JobReply,
    JobReply,
    {
        "status": Nested(JOB_STATUS),
        "job": _JOB,
        "proposal_index": Maybe(_INDEX),
        "certificate_index": Maybe(_INDEX),
        "rounds": List(Nested(_ROUND), limits.ROUNDS),
    },
)
RESULT_REPLY = Shape(pb.ResultReply, ResultReply, {"release": Bytes(limits.RELEASE, 1), "release_index": _INDEX})
ARTIFACT_REQUEST = Shape(
    pb.ArtifactRequest,
    ArtifactRequest,
    {"job_hash": _HASH, "sha256": _HASH, "offset": Number(limits.ARTIFACT)},
)
ARTIFACT_PIECE = Shape(
    pb.ArtifactPiece, ArtifactPiece, {"total": Number(limits.ARTIFACT, 1), "data": Bytes(limits.PIECE)}
)
