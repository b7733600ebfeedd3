"""The service `Research`: jobs."""

# ruff: noqa: ARG002, N802 - names and arguments are those of the generated class

from __future__ import annotations

from collections.abc import Iterator

import grpc
from vicinia.coordinator.rpc.admission import BYTES_A_SECOND
from vicinia.coordinator.rpc.caller import CallerOf
from vicinia.coordinator.rpc.slots import Slots
from vicinia.coordinator.rpc.watch import Watch
from vicinia.coordinator.services.research import Research
from vicinia.v1 import research_pb2 as pb
from vicinia.v1 import research_pb2_grpc
from vicinia.wire import guard
from vicinia.wire import research as wire
from vicinia.wire.submission import receive_model, submission_head

__all__ = ["ResearchServicer"]

_START_S = 10.0


@guard
class ResearchServicer(research_pb2_grpc.ResearchServicer):
    """Researchers submit jobs, members read them."""

    def __init__(self, research: Research, caller_of: CallerOf, slots: Slots, watch: Watch) -> None:
        """`slots`: for models under way, each of which holds a thread until it is there."""
        self._research = research
        self._caller_of = caller_of
        self._slots = slots
        self._watch = watch

    def DataSets(self, request: pb.DataSetsRequest, context: grpc.ServicerContext) -> pb.DataSetsReply:
        """What can be asked for."""
        self._caller_of(context)
        return wire.DATA_SETS_REPLY.write(self._research.datasets())

    def Check(self, request: pb.CheckRequest, context: grpc.ServicerContext) -> pb.CheckReply:
        """What is wrong with a job, or the terms of its proposal."""
        caller = self._caller_of(context)
        terms = self._research.check(caller, wire.CHECK_REQUEST.read(request).job)
        return wire.CHECK_REPLY.write(wire.CheckReply(terms))

    def SubmitJob(self, request: Iterator[pb.SubmitJobRequest], context: grpc.ServicerContext) -> pb.SubmitJobReply:
        """A job and its proposal, and the model that the plan has a place for: so long, and no longer."""
        caller, messages = self._caller_of(context), iter(request)
        asked = submission_head(next(messages, pb.SubmitJobRequest()))
        model, expected = b"", self._research.model_expected(caller, asked.job)
        if expected:
            seconds = _START_S + expected / BYTES_A_SECOND
            with self._slots.one(caller.id), self._watch.limit(context, seconds):
                model = receive_model(messages, expected)
        job_hash = self._research.submit(caller, asked.job, asked.proposal, model)
        return wire.SUBMIT_JOB_REPLY.write(wire.SubmitJobReply(job_hash))

    def Jobs(self, request: pb.JobsRequest, context: grpc.ServicerContext) -> pb.JobsReply:
        """Every job."""
        return wire.JOBS_REPLY.write(wire.JobsReply(self._research.jobs(self._caller_of(context))))

    def GetJob(self, request: pb.JobRequest, context: grpc.ServicerContext) -> pb.JobReply:
        """One job."""
        caller = self._caller_of(context)
        return wire.JOB_REPLY.write(self._research.job(caller, wire.JOB_REQUEST.read(request).job_hash))

    def Result(self, request: pb.JobRequest, context: grpc.ServicerContext) -> pb.ResultReply:
        """What was released."""
        caller = self._caller_of(context)
        return wire.RESULT_REPLY.write(self._research.result(caller, wire.JOB_REQUEST.read(request).job_hash))

    def GetArtifact(self, request: pb.ArtifactRequest, context: grpc.ServicerContext) -> pb.ArtifactPiece:
        """A piece of what a training left behind."""
        caller = self._caller_of(context)
        return wire.ARTIFACT_PIECE.write(self._research.artifact(caller, wire.ARTIFACT_REQUEST.read(request)))
