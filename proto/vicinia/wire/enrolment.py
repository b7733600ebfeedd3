"""The calls of the service `Enrolment`: an invitation redeemed, a certificate renewed."""

from __future__ import annotations

from dataclasses import dataclass, field

from vicinia.v1 import enrolment_pb2 as pb
from vicinia.wire import limits
from vicinia.wire.field import Bytes, Number, Text, exactly
from vicinia.wire.shape import Shape

__all__ = [
    "ENROL_REPLY",
    "ENROL_REQUEST",
    "RENEW_REPLY",
    "RENEW_REQUEST",
    "EnrolReply",
    "EnrolRequest",
    "RenewReply",
    "RenewRequest",
]


@dataclass(frozen=True, slots=True)
class EnrolRequest:
    """The invitation's secret token, the applicant's statement, and a PKCS#10 request (DER)."""

    token: bytes = field(repr=False)
    statement: bytes
    signing_request: bytes


@dataclass(frozen=True, slots=True)
class EnrolReply:
    """A certificate (PEM chain), and under which digest registrars find the statement."""

    certificate: bytes
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class RenewRequest:
    """Who asks (URI), a PKCS#10 request (DER), when it was signed (ms), and the Ed25519 signature."""

    principal: str
    signing_request: bytes
    signed_at_ms: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class RenewReply:
    """The new certificate (PEM chain)."""

    certificate: bytes


_REQUEST = Bytes(limits.SIGNING_REQUEST, 1)
_CERTIFICATE = Bytes(limits.CERTIFICATE, 1)

ENROL_REQUEST = Shape(
    pb.EnrolRequest,
    EnrolRequest,
    {"token": exactly(limits.TOKEN), "statement": Bytes(limits.LEAF, 1), "signing_request": _REQUEST},
)
ENROL_REPLY = Shape(pb.EnrolReply, EnrolReply, {"certificate": _CERTIFICATE, "statement_digest": exactly(limits.HASH)})
RENEW_REQUEST = Shape(
    pb.RenewRequest,
    RenewRequest,
    {
        "principal": Text(limits.PRINCIPAL),
        "signing_request": _REQUEST,
        "signed_at_ms": Number(limits.MILLISECONDS),
        "signature": exactly(limits.SIGNATURE),
    },
)
RENEW_REPLY = Shape(pb.RenewReply, RenewReply, {"certificate": _CERTIFICATE})
