"""Who is calling: read from the certificate that the handshake verified."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

from cryptography import x509
from vicinia.coordinator.clock import Clock, as_datetime
from vicinia.errors import Unauthenticated
from vicinia.identity import Principal, channel, check_certificate

import grpc  # isort: skip - after the channel module, which restricts TLS

__all__ = ["CallerOf", "certificate_callers"]

CallerOf: TypeAlias = Callable[[grpc.ServicerContext], Principal]
_REMEMBERED = 100_000


def certificate_callers(authority_pem: bytes, clock: Clock) -> CallerOf:
    """Read callers from their certificates.

    A channel outlives its handshake, so the certificate's end is checked at every call; the rest once.
    """

    @lru_cache(maxsize=_REMEMBERED)
    def known(pem: bytes) -> tuple[Principal, int]:
        principal = check_certificate(pem, authority_pem, as_datetime(clock()))
        end = x509.load_pem_x509_certificate(pem).not_valid_after_utc
        return principal, int(end.timestamp() * 1000)

    def caller(context: grpc.ServicerContext) -> Principal:
        principal, end_ms = known(channel.caller_certificate(context))
        if clock() > end_ms:
            raise Unauthenticated(
                "The caller's certificate has expired.", where="certificate", hint="Renew it on the enrolment port."
            )
        return principal

    return caller
