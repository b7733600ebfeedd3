"""The service `Rounds`: polls, and the messages of runs."""

# ruff: noqa: N802 - names and arguments are those of the generated class

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import grpc
from vicinia.coordinator.rpc.caller import CallerOf
from vicinia.coordinator.rpc.uploads import Uploads
from vicinia.coordinator.rpc.watch import Watch
from vicinia.coordinator.services.bulletin import Bulletin
from vicinia.coordinator.services.intake import Intake
from vicinia.coordinator.services.publication import Publication
from vicinia.errors import PermissionDenied
from vicinia.identity import Principal, Role
from vicinia.v1 import rounds_pb2 as pb
from vicinia.v1 import rounds_pb2_grpc
from vicinia.wire import guard
from vicinia.wire import rounds as wire
from vicinia.wire.published import published_to_pb
from vicinia.wire.upload import UploadHeader, receive_upload, upload_header

__all__ = ["RoundsServicer"]


@guard
class RoundsServicer(rounds_pb2_grpc.RoundsServicer):
    """What homes call."""

    def __init__(
        self,
        bulletin: Bulletin,
        publication: Publication,
        intake: Intake,
        caller_of: CallerOf,
        uploads: Uploads,
        watch: Watch,
    ) -> None:
        self._bulletin = bulletin
        self._publication = publication
        self._intake = intake
        self._caller_of = caller_of
        self._uploads = uploads
        self._watch = watch

    def Poll(self, request: pb.PollRequest, context: grpc.ServicerContext) -> pb.PollReply:
        """The only call of a home at rest."""
        caller = self._home(context)
        return wire.POLL_REPLY.write(self._bulletin.poll(caller, wire.POLL_REQUEST.read(request)))

    def GetManifest(self, request: pb.RunRequest, context: grpc.ServicerContext) -> pb.ManifestReply:
        """The manifest of a run, and its job."""
        caller = self._home(context)
        manifest, job = self._publication.manifest(caller, wire.RUN_REQUEST.read(request).run_id)
        return wire.MANIFEST_REPLY.write(wire.ManifestReply(manifest, job))

    def GetModel(self, request: pb.ModelRequest, context: grpc.ServicerContext) -> pb.ModelPiece:
        """A piece of the model that a round begins with."""
        caller = self._home(context)
        asked = wire.MODEL_REQUEST.read(request)
        return wire.MODEL_PIECE.write(self._publication.model(caller, asked.run_id, asked.offset))

    def GetRounds(self, request: pb.RunRequest, context: grpc.ServicerContext) -> pb.RoundsReply:
        """What earlier rounds released."""
        caller = self._home(context)
        releases = self._publication.rounds(caller, wire.RUN_REQUEST.read(request).run_id)
        return wire.ROUNDS_REPLY.write(wire.RoundsReply(releases))

    def Advertise(self, request: pb.AdvertiseRequest, context: grpc.ServicerContext) -> pb.Accepted:
        """Fresh keys."""
        caller = self._home(context)
        asked = wire.ADVERTISE_REQUEST.read(request)
        self._intake.advertise(caller, asked.run_id, asked.advert)
        return self._accepted(caller, asked.run_id)

    def Next(self, request: pb.NextRequest, context: grpc.ServicerContext) -> pb.NextReply:
        """What was published since."""
        caller = self._home(context)
        asked = wire.NEXT_REQUEST.read(request)
        retry_after_ms = self._bulletin.next_step_ms(caller, asked.run_id)
        return published_to_pb(self._publication.next(caller, asked.run_id, asked.after, retry_after_ms))

    def Share(self, request: pb.ShareRequest, context: grpc.ServicerContext) -> pb.Accepted:
        """Sealed shares."""
        caller = self._home(context)
        run_id, upload = wire.share_request_from_pb(request)
        self._intake.share(caller, run_id, upload)
        return self._accepted(caller, run_id)

    def Upload(self, request: Iterator[pb.UploadPiece], context: grpc.ServicerContext) -> pb.Accepted:
        """The masked vector; the caller is told at its header where it is not waited for."""
        caller, pieces = self._home(context), iter(request)
        first = next(pieces, pb.UploadPiece())
        header = upload_header(first)
        if not self._intake.expect(caller, header):
            return self._accepted(caller, header.run_id)  # it is here already: the answer may have been lost
        with self._uploads.one(caller.id, header) as seconds, self._watch.limit(context, seconds):
            heard = self._heard(caller, header, chain((first,), pieces))
            header, packed = receive_upload(heard, lambda _: None)
            self._watch.forget(context)
            self._intake.upload(caller, header, packed)
        return self._accepted(caller, header.run_id)

    def _heard(
        self, caller: Principal, header: UploadHeader, pieces: Iterator[pb.UploadPiece]
    ) -> Iterator[pb.UploadPiece]:
        for piece in pieces:
            self._intake.hear(caller, header.run_id)
            yield piece

    def Attest(self, request: pb.AttestRequest, context: grpc.ServicerContext) -> pb.Accepted:
        """A notary's signature."""
        caller = self._home(context)
        asked = wire.ATTEST_REQUEST.read(request)
        self._intake.attest(caller, asked.run_id, asked.signature)
        return self._accepted(caller, asked.run_id)

    def Unmask(self, request: pb.UnmaskRequest, context: grpc.ServicerContext) -> pb.Accepted:
        """Revealed shares."""
        caller = self._home(context)
        run_id, shares = wire.unmask_request_from_pb(request)
        self._intake.unmask(caller, run_id, shares)
        return self._accepted(caller, run_id)

    def _home(self, context: grpc.ServicerContext) -> Principal:
        caller = self._caller_of(context)
        if caller.role is not Role.HOUSEHOLD:
            raise PermissionDenied("Only households take part in runs.", where="caller")
        return caller

    def _accepted(self, caller: Principal, run_id: bytes) -> pb.Accepted:
        return wire.ACCEPTED.write(wire.Accepted(self._bulletin.next_step_ms(caller, run_id)))
