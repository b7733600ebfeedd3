"""The service `Log`: leaves, checkpoints, proofs, and statements that wait for signatures."""

# ruff: noqa: ARG002, N802 - names and arguments are those of the generated class

from __future__ import annotations

import grpc
from vicinia.coordinator.rpc.caller import CallerOf
from vicinia.coordinator.services.checkpoints import Checkpoints
from vicinia.coordinator.services.ledger import Ledger
from vicinia.coordinator.services.statements import Statements
from vicinia.errors import Unavailable
from vicinia.identity import VerifyingKey
from vicinia.v1 import log_pb2 as pb
from vicinia.v1 import log_pb2_grpc
from vicinia.wire import guard
from vicinia.wire import log as wire

__all__ = ["LogServicer"]


@guard
class LogServicer(log_pb2_grpc.LogServicer):
    """Every enrolled party may read the log; whose signature counts is the assembly's to say."""

    def __init__(self, ledger: Ledger, checkpoints: Checkpoints, statements: Statements, caller_of: CallerOf) -> None:
        self._ledger = ledger
        self._checkpoints = checkpoints
        self._statements = statements
        self._caller_of = caller_of

    def Entries(self, request: pb.EntriesRequest, context: grpc.ServicerContext) -> pb.EntriesReply:
        """Leaves from start to end."""
        self._caller_of(context)
        asked = wire.ENTRIES_REQUEST.read(request)
        return wire.ENTRIES_REPLY.write(wire.EntriesReply(tuple(self._ledger.entries(asked.start, asked.end))))

    def Checkpoint(self, request: pb.CheckpointRequest, context: grpc.ServicerContext) -> pb.CheckpointReply:
        """The newest accepted checkpoint."""
        self._caller_of(context)
        accepted = self._checkpoints.accepted
        if accepted is None:
            raise Unavailable(
                "The witnesses have not confirmed the log yet.", where="checkpoint", hint="Try again later."
            )
        return wire.CHECKPOINT_REPLY.write(wire.CheckpointReply(accepted.note))

    def Inclusion(self, request: pb.InclusionRequest, context: grpc.ServicerContext) -> pb.ProofReply:
        """The proof for a leaf."""
        self._caller_of(context)
        asked = wire.INCLUSION_REQUEST.read(request)
        return wire.PROOF_REPLY.write(wire.ProofReply(tuple(self._ledger.inclusion(asked.index, asked.size))))

    def Consistency(self, request: pb.ConsistencyRequest, context: grpc.ServicerContext) -> pb.ProofReply:
        """The proof that one size extends another."""
        self._caller_of(context)
        asked = wire.CONSISTENCY_REQUEST.read(request)
        proof = self._ledger.consistency(asked.old_size, asked.new_size)
        return wire.PROOF_REPLY.write(wire.ProofReply(tuple(proof)))

    def Cosign(self, request: pb.CosignRequest, context: grpc.ServicerContext) -> pb.CosignReply:
        """A witness's cosignature."""
        caller = self._caller_of(context)
        asked = wire.COSIGN_REQUEST.read(request)
        self._checkpoints.cosign(caller.id, asked.size, asked.signature_line)
        return pb.CosignReply()

    def Submit(self, request: pb.SubmitRequest, context: grpc.ServicerContext) -> pb.SubmitReply:
        """A signed statement."""
        self._caller_of(context)
        done = self._statements.submit(wire.SUBMIT_REQUEST.read(request).statement)
        return wire.SUBMIT_REPLY.write(done)

    def Pending(self, request: pb.PendingRequest, context: grpc.ServicerContext) -> pb.PendingReply:
        """Statements that wait for the caller."""
        caller = self._caller_of(context)
        asked = wire.PENDING_REQUEST.read(request)
        found = self._statements.pending(caller, asked.kinds, asked.after)
        return wire.PENDING_REPLY.write(wire.PendingReply(tuple(found)))

    def Endorse(self, request: pb.EndorseRequest, context: grpc.ServicerContext) -> pb.SubmitReply:
        """One more signature."""
        self._caller_of(context)
        asked = wire.ENDORSE_REQUEST.read(request)
        done = self._statements.endorse(asked.digest, VerifyingKey.from_bytes(asked.key), asked.signature)
        return wire.SUBMIT_REPLY.write(done)
