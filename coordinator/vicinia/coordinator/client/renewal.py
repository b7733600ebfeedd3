"""Renewing the researcher's short-lived certificate, with the identity key that the log knows."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from vicinia.coordinator.client.folder import Folder
from vicinia.coordinator.client.link import Enrolment
from vicinia.errors import Unavailable
from vicinia.identity import Principal, Role, TlsKey
from vicinia.identity.certificates import load_certificate
from vicinia.tlog.dsse import sign_detached

__all__ = ["fresh_certificate"]

EARLY = timedelta(days=2)


def fresh_certificate(folder: Folder, now: datetime | None = None) -> tuple[bytes, bytes]:
    """TLS key and certificate, PEM; renewed first where the certificate ends within two days or has ended."""
    now = now or datetime.now(UTC)
    key, certificate = folder.certificate()
    left = load_certificate(certificate).not_valid_after_utc - now
    if left > EARLY:
        return key, certificate
    try:
        return _renew(folder, now)
    except Unavailable:
        if left <= timedelta(0):
            raise
        return key, certificate  # it still holds; the next command tries again


def _renew(folder: Folder, now: datetime) -> tuple[bytes, bytes]:
    membership, identity, tls_key = folder.membership(), folder.identity(), TlsKey.generate()
    who = Principal(membership.coop, Role.RESEARCHER, identity.public.id)
    request, now_ms = tls_key.signing_request(), int(now.timestamp() * 1000)
    payload = {
        "coop": who.coop,
        "principal": who.uri,
        "request_sha256": hashlib.sha256(request).hexdigest(),
        "signed_at_ms": now_ms,
    }
    enrolment = Enrolment(membership.enrolment, membership.authority.encode())
    try:
        certificate = enrolment.renew(who.uri, request, now_ms, sign_detached(identity, "renew", payload))
    finally:
        enrolment.close()
    folder.keep_login(membership, tls_key.pem, certificate)
    return tls_key.pem, certificate
