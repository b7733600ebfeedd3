"""Logging in: keys, the signed request for accreditation, and the certificate that comes back."""

from __future__ import annotations

import time
from datetime import timedelta

from vicinia.assembly.invitation import Invitation
from vicinia.assembly.statements import Accredit
from vicinia.coordinator.client.folder import Folder, Membership
from vicinia.coordinator.client.link import Enrolment
from vicinia.errors import AlreadyExists, InvalidInput, NotFound, PermissionDenied, Unauthenticated
from vicinia.identity import SigningKey, TlsKey
from vicinia.tlog.statement import Statement

__all__ = ["accreditation", "log_in"]

REFUSED = (AlreadyExists, InvalidInput, NotFound, PermissionDenied, Unauthenticated)
ACCREDITED_FOR = timedelta(days=365)


def log_in(folder: Folder, text: str) -> tuple[Membership, str]:
    """Redeem an invitation: the membership, and the researcher's id. AlreadyExists where a login is in place."""
    now_ms = time.time_ns() // 1_000_000
    invitation = Invitation.parse(text, role="researcher", now_ms=now_ms)
    if folder.joined:
        raise AlreadyExists(
            f"You are logged in to the cooperative {folder.membership().coop} here already.",
            where=str(folder.path),
            hint="Use another folder for another cooperative: vicinia --dir DIR login --invitation-file FILE.",
        )
    before = folder.files()
    try:
        return _enrol(folder, invitation, now_ms)
    except REFUSED:  # for good: what was made for this invitation is of no use
        folder.forget(before)
        raise


def _enrol(folder: Folder, invitation: Invitation, now_ms: int) -> tuple[Membership, str]:
    identity = folder.identity()
    # The same key again when a reply was lost: a redeemed invitation is answered again for that key alone.
    tls_key = TlsKey.load(folder.once("tls-key", invitation.token, TlsKey.generate().pem))
    enrolment = Enrolment(invitation.enrolment, invitation.authority)
    try:
        leaf = folder.once("accreditation", invitation.token, accreditation(invitation, identity, now_ms).leaf())
        certificate = enrolment.enrol(invitation.token, leaf, tls_key.signing_request())
    finally:
        enrolment.close()
    membership = Membership(
        coop=invitation.coop,
        institution=invitation.institution,
        kind=invitation.kind,
        address=invitation.address,
        enrolment=invitation.enrolment,
        authority=invitation.authority.decode(),
        genesis=invitation.genesis.hex(),
        log_key=invitation.log_key.hex,
    )
    folder.keep_login(membership, tls_key.pem, certificate)
    return membership, identity.public.id


def accreditation(invitation: Invitation, identity: SigningKey, now_ms: int) -> Statement:
    """The `accredit` statement with the researcher's own signature; the registrars' are still missing."""
    payload = Accredit(
        coop=invitation.coop,
        key=identity.public,
        institution=invitation.institution,
        recipient=invitation.kind,
        issued=now_ms,
        expires=now_ms + int(ACCREDITED_FOR.total_seconds() * 1000),
    ).payload()
    return Statement(Accredit.KIND, payload).sign(identity)
