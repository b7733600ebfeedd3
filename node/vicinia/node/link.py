"""The node's calls to its coordinator over gRPC and mTLS: stubs and generated types stop here."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from vicinia.identity import channel  # before grpc: it restricts the cipher suites

import grpc  # isort: skip
from vicinia.node.services.keyring import membership, tls_key
from vicinia.node.store.home import Home
from vicinia.secagg.messages import Advert, ShareUpload, UnmaskShares
from vicinia.v1 import enrolment_pb2_grpc, log_pb2, log_pb2_grpc, research_pb2_grpc, rounds_pb2_grpc
from vicinia.wire import enrolment, error_from_rpc, log, research, rounds
from vicinia.wire.errors import was_cut_off
from vicinia.wire.log import SubmitReply
from vicinia.wire.published import Phase, Published, published_from_pb
from vicinia.wire.rounds import ModelPiece, PollReply
from vicinia.wire.shape import MAX_MESSAGE_BYTES
from vicinia.wire.upload import upload_pieces

__all__ = ["GrpcEnroller", "GrpcLink", "connect"]

_SECONDS = 20.0
_UPLOAD_SECONDS = 600.0
_AGAIN_SECONDS = (0.3, 1.0, 3.0)
_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 120_000),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.use_local_subchannel_pool", 1),  # every home has its own certificate, hence its own connection
]
R = TypeVar("R")


def _call(method: Callable[..., R], request: Any, seconds: float = _SECONDS) -> R:
    """Call, and turn a refusal into the error that the other side raised; what a busy server cut off is said again."""
    waits = iter(_AGAIN_SECONDS if not isinstance(request, Iterator) else ())
    while True:
        try:
            return method(request, timeout=seconds)
        except grpc.RpcError as error:
            wait = next(waits, None) if was_cut_off(error) else None
            if wait is None:
                refusal = error_from_rpc(error)
                # What the other side says of itself must not pass for something that this home has found out.
                refusal.where = f"coordinator: {refusal.where}" if refusal.where else "coordinator"
                raise refusal from error
            time.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not secrecy


class GrpcEnroller:
    """The enrolment port: no client certificate; the invitation's authority is the only one trusted."""

    def __init__(self, address: str, authority: bytes) -> None:
        self._channel = grpc.secure_channel(address, channel.enrolment_credentials(authority), _OPTIONS)
        self._stub = enrolment_pb2_grpc.EnrolmentStub(self._channel)

    def enrol(self, token: bytes, statement: bytes, signing_request: bytes) -> tuple[bytes, bytes]:
        """Redeem an invitation: (certificate PEM, digest of the pending statement)."""
        request = enrolment.ENROL_REQUEST.write(enrolment.EnrolRequest(token, statement, signing_request))
        reply = enrolment.ENROL_REPLY.read(_call(self._stub.Enrol, request))
        return reply.certificate, reply.statement_digest

    def renew(self, principal: str, signing_request: bytes, signed_at_ms: int, signature: bytes) -> bytes:
        """A new certificate, PEM."""
        request = enrolment.RenewRequest(principal, signing_request, signed_at_ms, signature)
        reply = _call(self._stub.Renew, enrolment.RENEW_REQUEST.write(request))
        return enrolment.RENEW_REPLY.read(reply).certificate


class GrpcLink:
    """One home's connection, under its own certificate; implements `services.ports.Link`."""

    def __init__(self, address: str, authority: bytes, key: bytes, certificate: bytes) -> None:
        credentials = channel.client_credentials(authority, key, certificate)
        self._channel = grpc.secure_channel(address, credentials, _OPTIONS)
        self._rounds = rounds_pb2_grpc.RoundsStub(self._channel)
        self._log = log_pb2_grpc.LogStub(self._channel)
        self._research = research_pb2_grpc.ResearchStub(self._channel)

    def poll(self, protocols: Sequence[int], log_size: int) -> PollReply:
        """The only call of a home at rest."""
        request = rounds.POLL_REQUEST.write(rounds.PollRequest(tuple(protocols), log_size))
        return rounds.POLL_REPLY.read(_call(self._rounds.Poll, request))

    def checkpoint(self) -> bytes:
        """The newest checkpoint with its cosignatures."""
        return log.CHECKPOINT_REPLY.read(_call(self._log.Checkpoint, log_pb2.CheckpointRequest())).note

    def entries(self, start: int, end: int) -> list[bytes]:
        """Leaves [start, end), perhaps fewer."""
        request = log.ENTRIES_REQUEST.write(log.EntriesRequest(start, end))
        return list(log.ENTRIES_REPLY.read(_call(self._log.Entries, request)).leaves)

    def consistency(self, old_size: int, new_size: int) -> list[bytes]:
        """The proof that one size extends another."""
        request = log.CONSISTENCY_REQUEST.write(log.ConsistencyRequest(old_size, new_size))
        return list(log.PROOF_REPLY.read(_call(self._log.Consistency, request)).hashes)

    def cosign(self, size: int, line: bytes) -> None:
        """Hand in a cosignature."""
        _call(self._log.Cosign, log.COSIGN_REQUEST.write(log.CosignRequest(size, line)))

    def submit(self, statement: bytes) -> SubmitReply:
        """Hand in a statement."""
        return log.SUBMIT_REPLY.read(_call(self._log.Submit, log.SUBMIT_REQUEST.write(log.SubmitRequest(statement))))

    def pending(self, kinds: Sequence[str], after: bytes = b"") -> list[bytes]:
        """Statements that wait for this home's signature, a portion of them."""
        request = log.PENDING_REQUEST.write(log.PendingRequest(tuple(kinds), after))
        return list(log.PENDING_REPLY.read(_call(self._log.Pending, request)).statements)

    def endorse(self, digest: bytes, key: bytes, signature: bytes) -> SubmitReply:
        """Add a signature to a pending statement."""
        request = log.ENDORSE_REQUEST.write(log.EndorseRequest(digest, key, signature))
        return log.SUBMIT_REPLY.read(_call(self._log.Endorse, request))

    def job(self, job_hash: bytes) -> bytes:
        """Canonical bytes of a job."""
        request = research.JOB_REQUEST.write(research.JobRequest(job_hash))
        return research.JOB_REPLY.read(_call(self._research.GetJob, request)).job

    def manifest(self, run_id: bytes) -> tuple[bytes, bytes]:
        """(manifest, job) of a run, canonical bytes."""
        request = rounds.RUN_REQUEST.write(rounds.RunRequest(run_id))
        reply = rounds.MANIFEST_REPLY.read(_call(self._rounds.GetManifest, request))
        return reply.manifest, reply.job

    def model(self, run_id: bytes, offset: int) -> ModelPiece:
        """A piece of the model that a round begins with."""
        request = rounds.MODEL_REQUEST.write(rounds.ModelRequest(run_id, offset))
        return rounds.MODEL_PIECE.read(_call(self._rounds.GetModel, request))

    def rounds(self, run_id: bytes) -> tuple[bytes, ...]:
        """What the earlier rounds of the same training released."""
        request = rounds.RUN_REQUEST.write(rounds.RunRequest(run_id))
        return rounds.ROUNDS_REPLY.read(_call(self._rounds.GetRounds, request)).releases

    def advertise(self, run_id: bytes, advert: Advert) -> int:
        """Hand in the keys of this home; ms until what follows may be there."""
        request = rounds.ADVERTISE_REQUEST.write(rounds.AdvertiseRequest(run_id, advert))
        return self._accepted(self._rounds.Advertise, request)

    def next(self, run_id: bytes, after: Phase) -> Published:
        """What was published after a phase."""
        request = rounds.NEXT_REQUEST.write(rounds.NextRequest(run_id, after))
        return published_from_pb(_call(self._rounds.Next, request))

    def share(self, run_id: bytes, upload: ShareUpload) -> int:
        """Hand in the sealed shares."""
        return self._accepted(self._rounds.Share, rounds.share_request_to_pb(run_id, upload))

    def upload(self, run_id: bytes, elements: int, width: int, packed: bytes) -> int:
        """Hand in the masked vector, in pieces."""
        pieces = upload_pieces(run_id, elements, width, packed)
        return self._accepted(self._rounds.Upload, pieces, _UPLOAD_SECONDS)

    def attest(self, run_id: bytes, signature: bytes) -> int:
        """Hand in a notary's signature."""
        request = rounds.ATTEST_REQUEST.write(rounds.AttestRequest(run_id, signature))
        return self._accepted(self._rounds.Attest, request)

    def unmask(self, run_id: bytes, shares: UnmaskShares) -> int:
        """Reveal one share for each neighbour."""
        return self._accepted(self._rounds.Unmask, rounds.unmask_request_to_pb(run_id, shares))

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    @staticmethod
    def _accepted(method: Callable[..., Any], request: Any, seconds: float = _SECONDS) -> int:
        return rounds.ACCEPTED.read(_call(method, request, seconds)).retry_after_ms


def connect(home: Home) -> GrpcLink:
    """A home's link, with the certificate that it has now."""
    member = membership(home.facts)
    return GrpcLink(member.address, member.ca, tls_key(home.facts).pem, member.certificate)
