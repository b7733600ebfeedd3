"""gRPC credentials: TLS 1.3 with certificates of the cooperative on both sides.

Import this module before gRPC: gRPC reads its cipher suites once, when it loads, and offers no other way to
forbid TLS 1.2. Credentials are refused where it was too late.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from vicinia.errors import InternalFault, Unauthenticated

if TYPE_CHECKING:
    import grpc

__all__ = [
    "ServerIdentity",
    "caller_certificate",
    "client_credentials",
    "enrolment_credentials",
    "enrolment_server_credentials",
    "require_tls13",
    "server_credentials",
]

_VARIABLE: Final = "GRPC_SSL_CIPHER_SUITES"
# A TLS 1.2 suite for RSA certificates: ours are ECDSA, so that TLS 1.2 finds no common suite.
# The suites of TLS 1.3 are not configurable and stay.
_NO_SUITE_OF_OURS: Final = "ECDHE-RSA-AES128-GCM-SHA256"


def require_tls13() -> None:
    """Forbid TLS 1.2 in this process and its children; InternalFault where gRPC has loaded without it."""
    if os.environ.get(_VARIABLE) == _NO_SUITE_OF_OURS:
        return
    if "grpc" in sys.modules:
        raise InternalFault(
            "gRPC has loaded before TLS 1.2 was forbidden.",
            where="channel",
            hint="Import vicinia.identity.channel before grpc.",
        )
    os.environ[_VARIABLE] = _NO_SUITE_OF_OURS


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """What a server shows and whom it trusts: secret key, certificate and authority, all PEM."""

    key_pem: bytes = field(repr=False)
    cert_pem: bytes
    ca_pem: bytes


def client_credentials(ca_pem: bytes, key_pem: bytes, cert_pem: bytes) -> grpc.ChannelCredentials:
    """For a member's or researcher's channel: shows a certificate, trusts this authority alone."""
    require_tls13()
    import grpc

    return grpc.ssl_channel_credentials(ca_pem, key_pem, cert_pem)


def enrolment_credentials(ca_pem: bytes) -> grpc.ChannelCredentials:
    """For the channel on which a certificate is asked for: shows none, trusts the invitation's authority alone."""
    require_tls13()
    import grpc

    return grpc.ssl_channel_credentials(ca_pem)


def server_credentials(reload: Callable[[], ServerIdentity]) -> grpc.ServerCredentials:
    """For the main port: asks every caller for a certificate of the authority.

    `reload` is called at every handshake, so it should be cheap; what it returns holds from then on for new
    connections. Where it raises, what was shown before stays.
    """
    return _dynamic(reload, client_certificate=True)


def enrolment_server_credentials(reload: Callable[[], ServerIdentity]) -> grpc.ServerCredentials:
    """For the enrolment port: callers have no certificate yet."""
    return _dynamic(reload, client_certificate=False)


def caller_certificate(context: grpc.ServicerContext) -> bytes:
    """The caller's certificate in PEM, which the handshake has verified; Unauthenticated where there is none."""
    found = list(context.auth_context().get("x509_pem_cert", ()))
    if len(found) != 1 or not isinstance(found[0], bytes):
        raise Unauthenticated("The caller has shown no certificate.", where="channel")
    return found[0]


def _dynamic(reload: Callable[[], ServerIdentity], *, client_certificate: bool) -> grpc.ServerCredentials:
    require_tls13()
    import grpc

    shown = reload()

    def configuration() -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration([(shown.key_pem, shown.cert_pem)], shown.ca_pem)

    def changed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal shown
        fresh = reload()
        if fresh == shown:
            return None
        shown = fresh
        return configuration()

    first = configuration()
    return grpc.dynamic_ssl_server_credentials(first, changed, client_certificate)  # type: ignore[arg-type]  # None: unchanged


if "grpc" not in sys.modules:  # where it is too late already, making credentials says so
    require_tls13()
