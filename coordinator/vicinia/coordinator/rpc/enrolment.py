"""The service `Enrolment`, the one without a client certificate."""

# ruff: noqa: ARG002, N802 - names and arguments are those of the generated class

from __future__ import annotations

import grpc
from vicinia.coordinator.services.enrolment import Enrolment
from vicinia.v1 import enrolment_pb2 as pb
from vicinia.v1 import enrolment_pb2_grpc
from vicinia.wire import enrolment as wire
from vicinia.wire import guard

__all__ = ["EnrolmentServicer"]


@guard
class EnrolmentServicer(enrolment_pb2_grpc.EnrolmentServicer):
    """Redeems invitations, renews certificates."""

    def __init__(self, enrolment: Enrolment) -> None:
        self._enrolment = enrolment

    def Enrol(self, request: pb.EnrolRequest, context: grpc.ServicerContext) -> pb.EnrolReply:
        """Redeem an invitation once."""
        asked = wire.ENROL_REQUEST.read(request)
        certificate, digest = self._enrolment.enrol(asked.token, asked.statement, asked.signing_request)
        return wire.ENROL_REPLY.write(wire.EnrolReply(certificate, digest))

    def Renew(self, request: pb.RenewRequest, context: grpc.ServicerContext) -> pb.RenewReply:
        """A new certificate for a key that is known."""
        asked = wire.RENEW_REQUEST.read(request)
        certificate = self._enrolment.renew(asked.principal, asked.signing_request, asked.signed_at_ms, asked.signature)
        return wire.RENEW_REPLY.write(wire.RenewReply(certificate))
