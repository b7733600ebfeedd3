"""The console's calls to the coordinator: generated types stop here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vicinia.coordinator.client.line import CALL_SECONDS, Line
from vicinia.errors import Incompatible
from vicinia.identity import channel
from vicinia.v1 import enrolment_pb2_grpc, log_pb2_grpc, research_pb2, research_pb2_grpc
from vicinia.v1.log_pb2 import CheckpointRequest
from vicinia.v1.research_pb2 import DataSetsRequest, JobsRequest
from vicinia.wire import enrolment, log, research
from vicinia.wire.research import RoundMetric, RoundStatus
from vicinia.wire.submission import submission_messages

__all__ = ["Enrolment", "JobStatus", "Link", "Released", "RoundMetric", "RoundStatus"]

SLOWEST_BYTES_A_SECOND = 16 * 1024  # what a coordinator waits for

_STATES = {
    research.JobState.SUBMITTED: "submitted",
    research.JobState.REJECTED: "rejected",
    research.JobState.VOTING: "voting",
    research.JobState.NOT_ACCEPTED_BY_VOTE: "not accepted",
    research.JobState.RECRUITING: "recruiting",
    research.JobState.RUNNING: "running",
    research.JobState.RELEASED: "released",
    research.JobState.JOB_FAILED: "failed",
    research.JobState.REVOKED: "revoked",
    research.JobState.EXPIRED: "expired",
}


@dataclass(frozen=True, slots=True)
class JobStatus:
    """Where a job stands; `yes`, `no` and `abstain` count only once the vote is closed.

    Of a training: how many rounds that train were planned (0: it trains nothing), whether one that standardises comes
    before them (1 or 0), how many were released in all, and in `rounds` each that was with its metrics, for those who
    may read its result and asked for this job alone.
    """

    job_hash: str
    title: str
    state: str
    reason: str
    submitted_ms: int
    deadline_ms: int
    turnout: int
    electorate: int
    yes: int
    no: int
    abstain: int
    phase: str
    phase_done: int
    phase_of: int
    phase_deadline_ms: int
    run: int
    rounds_released: int = 0
    rounds_planned: int = 0
    rounds_scaling: int = 0
    rounds: tuple[RoundStatus, ...] = ()

    @classmethod
    def of(cls, status: research.JobStatus, rounds: tuple[RoundStatus, ...] = ()) -> JobStatus:
        """As it came over the wire."""
        state, phase = _STATES[status.state], status.phase.name.lower() if status.phase else ""
        return cls(
            job_hash=status.job_hash.hex(),
            title=status.title,
            state=state,
            reason=status.reason,
            submitted_ms=status.submitted_ms,
            deadline_ms=status.deadline_ms,
            turnout=status.turnout,
            electorate=status.electorate,
            yes=status.yes,
            no=status.no,
            abstain=status.abstain,
            phase=phase,
            phase_done=status.phase_done,
            phase_of=status.phase_of,
            phase_deadline_ms=status.phase_deadline_ms,
            run=status.run,
            rounds_released=status.rounds_released,
            rounds_planned=status.rounds_planned,
            rounds_scaling=status.rounds_scaling,
            rounds=rounds,
        )

    @property
    def final(self) -> bool:
        """Whether the job has ended."""
        return self.state in ("rejected", "not accepted", "released", "failed", "revoked", "expired")


@dataclass(frozen=True, slots=True)
class Released:
    """A release as it came: canonical JSON, and the index of its `release` statement; of a training the model card,
    and the index of its `trained` statement."""

    body: bytes
    index: int


class Enrolment:
    """The calls that need no certificate: redeeming an invitation, renewing a certificate."""

    def __init__(self, address: str, authority: bytes) -> None:
        self._line = Line(address, channel.enrolment_credentials(authority))
        self._stub = enrolment_pb2_grpc.EnrolmentStub(self._line.channel)

    def enrol(self, token: bytes, statement: bytes, signing_request: bytes) -> bytes:
        """Redeem an invitation: the certificate, PEM."""
        request = enrolment.ENROL_REQUEST.write(enrolment.EnrolRequest(token, statement, signing_request))
        return enrolment.ENROL_REPLY.read(self._line.call(self._stub.Enrol, request)).certificate

    def renew(self, principal: str, signing_request: bytes, signed_at_ms: int, signature: bytes) -> bytes:
        """A new certificate, PEM."""
        wanted = enrolment.RenewRequest(principal, signing_request, signed_at_ms, signature)
        request = enrolment.RENEW_REQUEST.write(wanted)
        return enrolment.RENEW_REPLY.read(self._line.call(self._stub.Renew, request)).certificate

    def close(self) -> None:
        """Hang up."""
        self._line.close()


class Link:
    """A researcher's calls, under the researcher's certificate."""

    def __init__(self, address: str, authority: bytes, key: bytes, certificate: bytes) -> None:
        self._line = Line(address, channel.client_credentials(authority, key, certificate))
        self._research = research_pb2_grpc.ResearchStub(self._line.channel)
        self._log = log_pb2_grpc.LogStub(self._line.channel)

    def data_sets(self) -> tuple[tuple[bytes, ...], int]:
        """Canonical payloads of the `dataset` statements, and the number of households rounded down."""
        reply = research.DATA_SETS_REPLY.read(self._line.call(self._research.DataSets, DataSetsRequest()))
        return reply.definitions, reply.households

    def check(self, job: bytes) -> bytes:
        """The terms that a proposal of this job would have, canonical JSON."""
        request = research.CHECK_REQUEST.write(research.CheckRequest(job))
        return research.CHECK_REPLY.read(self._line.call(self._research.Check, request)).terms

    def submit(self, job: bytes, proposal: bytes, model: bytes = b"") -> bytes:
        """Hand in a job and its signed proposal, and the model that its training begins with where that is the
        researcher's own: the job's hash."""
        messages = list(submission_messages(research.SubmitJobRequest(job, proposal), model))

        def hand_in(again: list[research_pb2.SubmitJobRequest], **options: Any) -> research_pb2.SubmitJobReply:
            return self._research.SubmitJob(iter(again), **options)

        seconds = CALL_SECONDS + len(model) / SLOWEST_BYTES_A_SECOND
        return research.SUBMIT_JOB_REPLY.read(self._line.call(hand_in, messages, seconds)).job_hash

    def jobs(self) -> tuple[JobStatus, ...]:
        """Every job that the caller may see."""
        reply = research.JOBS_REPLY.read(self._line.call(self._research.Jobs, JobsRequest()))
        return tuple(JobStatus.of(one) for one in reply.jobs)

    def job(self, job_hash: bytes) -> tuple[JobStatus, bytes]:
        """A job's state and its canonical bytes."""
        request = research.JOB_REQUEST.write(research.JobRequest(job_hash))
        reply = research.JOB_REPLY.read(self._line.call(self._research.GetJob, request))
        return JobStatus.of(reply.status, reply.rounds), reply.job

    def result(self, job_hash: bytes) -> Released:
        """What was released."""
        request = research.JOB_REQUEST.write(research.JobRequest(job_hash))
        reply = research.RESULT_REPLY.read(self._line.call(self._research.Result, request))
        return Released(reply.release, reply.release_index)

    def artifact(self, job_hash: bytes, digest: bytes, offset: int) -> research.ArtifactPiece:
        """A piece of what a training left behind under this hash."""
        request = research.ARTIFACT_REQUEST.write(research.ArtifactRequest(job_hash, digest, offset))
        return research.ARTIFACT_PIECE.read(self._line.call(self._research.GetArtifact, request))

    def checkpoint(self) -> bytes:
        """The newest accepted checkpoint, a signed note."""
        return log.CHECKPOINT_REPLY.read(self._line.call(self._log.Checkpoint, CheckpointRequest())).note

    def leaves(self, size: int) -> Iterator[bytes]:
        """The first `size` leaves of the log."""
        start = 0
        while start < size:
            request = log.ENTRIES_REQUEST.write(log.EntriesRequest(start, size))
            reply = log.ENTRIES_REPLY.read(self._line.call(self._log.Entries, request))
            if not reply.leaves:
                raise Incompatible("The coordinator holds back leaves of its log.", where=f"log, leaf {start}")
            yield from reply.leaves
            start += len(reply.leaves)

    def close(self) -> None:
        """Hang up."""
        self._line.close()
