"""Joining a cooperative, and keeping the client certificate alive."""

from __future__ import annotations

import hashlib

from cryptography import x509
from vicinia.assembly.invitation import Invitation
from vicinia.errors import AlreadyExists, StorageFault, Unauthenticated, ViciniaError
from vicinia.identity import SigningKey, check_certificate
from vicinia.node.services.clock import Clock
from vicinia.node.services.keyring import CONTACT, JOINED, identity, is_joined, membership, tls_key
from vicinia.node.services.ports import Enroller, Link
from vicinia.node.store.home import Home
from vicinia.node.store.signed import Signed
from vicinia.tlog.dsse import sign_detached
from vicinia.tlog.statement import Statement

__all__ = ["has_expired", "join", "renew", "renewal_ms", "standing"]


def join(home: Home, invitation: Invitation, enroller: Enroller, clock: Clock) -> bytes:
    """Redeem an invitation; the digest under which registrars find the home's `member` statement.

    The statement is in the store before it is sent, so that a join that was cut short can be repeated.
    """
    if is_joined(home.facts):
        raise AlreadyExists("This home has joined already.", where=home.name)
    key, tls = identity(home.facts), tls_key(home.facts)
    statement = _statement(invitation.coop, key)
    Signed(home.database).add(statement.digest, statement.kind, statement.leaf(), clock())
    certificate, digest = enroller.enrol(invitation.token, statement.leaf(), tls.signing_request())
    if digest != statement.digest:
        raise Unauthenticated("The coordinator answered for another statement.", where="join")
    _check(certificate, invitation.authority, f"vicinia://{invitation.coop}/household/{key.public.id}", clock)
    with home.critical("store the membership"):
        for name, value in (
            ("coop", invitation.coop.encode()),
            ("genesis", invitation.genesis),
            ("log-key", invitation.log_key.raw),
            ("address", invitation.address.encode()),
            ("enrolment", invitation.enrolment.encode()),
            ("ca", invitation.authority),
            ("certificate", certificate),
        ):
            home.facts.put(name, value)
        home.facts.put(JOINED, clock())
        home.facts.put(CONTACT, clock())
    return digest


def standing(home: Home, link: Link) -> str:
    """Whom the home's membership still waits for, in words, or the empty string where it is in the log.

    Asked by handing the same statement in again.
    """
    submitted = link.submit(_statement(membership(home.facts).coop, identity(home.facts)).leaf())
    return "" if submitted.index is not None else submitted.waiting_for or "the registrars"


def _statement(coop: str, key: SigningKey) -> Statement:
    return Statement("member", {"coop": coop, "key": key.public.hex}).sign(key)


def renewal_ms(certificate: bytes) -> int:
    """When two thirds of the certificate's life are over."""
    start, end = _life(certificate)
    return int((start + (end - start) * 2 / 3) * 1000)


def has_expired(certificate: bytes, now_ms: int) -> bool:
    """Whether the certificate's life is over."""
    return now_ms / 1000 >= _life(certificate)[1]


def _life(certificate: bytes) -> tuple[float, float]:
    """From when to when a certificate is valid, in seconds since 1970."""
    try:
        read = x509.load_pem_x509_certificate(certificate)
    except ValueError as error:
        raise StorageFault("The home's certificate cannot be read.", where="certificate") from error
    return read.not_valid_before_utc.timestamp(), read.not_valid_after_utc.timestamp()


def renew(home: Home, enroller: Enroller, clock: Clock) -> bytes:
    """Fetch and store a new certificate for the same key; also after the old one has expired."""
    member, now = membership(home.facts), clock()
    request = tls_key(home.facts).signing_request()
    payload: dict[str, object] = {
        "coop": member.coop,
        "principal": member.principal.uri,
        "request_sha256": hashlib.sha256(request).hexdigest(),
        "signed_at_ms": now,
    }
    signature = sign_detached(identity(home.facts), "renew", payload)
    certificate = enroller.renew(member.principal.uri, request, now, signature)
    _check(certificate, member.ca, member.principal.uri, clock)
    home.facts.put("certificate", certificate)
    return certificate


def _check(certificate: bytes, ca: bytes, uri: str, clock: Clock) -> None:
    from datetime import UTC, datetime

    try:
        principal = check_certificate(certificate, ca, datetime.fromtimestamp(clock() / 1000, UTC))
    except ViciniaError as error:
        raise Unauthenticated(
            f"The coordinator sent a certificate that does not verify ({error.what}).", where="certificate"
        ) from error
    if principal.uri != uri:
        raise Unauthenticated("The coordinator sent another home's certificate.", where="certificate")
