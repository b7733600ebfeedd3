"""Enrolment: an invitation becomes a certificate and a statement that waits for the registrars."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Connection
from vicinia.assembly.statements import Accredit, Member
from vicinia.coordinator.clock import Clock, as_datetime
from vicinia.coordinator.services.ledger import Ledger
from vicinia.coordinator.store import invitations, people, tray
from vicinia.coordinator.store.database import Database
from vicinia.coordinator.store.invitations import Invited
from vicinia.coordinator.store.people import Person
from vicinia.errors import AlreadyExists, InvalidInput, NotFound, PermissionDenied, Unauthenticated
from vicinia.identity import CertificateAuthority, Principal, Role, VerifyingKey
from vicinia.tlog.dsse import verify_detached
from vicinia.tlog.statement import Statement

__all__ = ["CERTIFICATE_LIFETIME", "Enrolment"]

CERTIFICATE_LIFETIME = timedelta(days=7)
_SKEW_MS = 15 * 60_000
_KINDS = {Role.HOUSEHOLD: Member.KIND, Role.RESEARCHER: Accredit.KIND}
_ASK_AGAIN = "Ask the cooperative for a new invitation."


class Enrolment:
    """Redeems invitations and renews certificates."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        authority: CertificateAuthority,
        settle: Callable[[bytes], None],
        clock: Clock,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._authority = authority
        self._settle = settle
        self._clock = clock

    def enrol(self, token: bytes, leaf: bytes, signing_request: bytes) -> tuple[bytes, bytes]:
        """(certificate PEM, digest of the pending statement).

        The same token, statement and channel key are answered again while the invitation lasts: the first answer may
        have been lost. Any other key is a matter of `renew`, which asks for the identity key's signature.
        """
        statement = Statement.parse(leaf)
        applicant = self._applicant(statement)
        with self._ledger.lock:
            with self._database.read() as connection:
                invited = self._invitation(connection, token, statement)
                person = people.find(connection, invited.redeemed_by) if invited.redeemed_by else None
            role = Role(invited.role)
            self._check_terms(statement, invited, role)
            who = Principal(self._ledger.coop, role, applicant.id)
            if person is not None:
                self._current_key(person)
            certificate = self._issue(signing_request, who)
            channel_key = _channel_key(certificate)
            if invited.redeemed_by and invited.redeemed_key != channel_key:
                raise Unauthenticated("The invitation has been used already.", where="enrol", hint=_ASK_AGAIN)
            if not invited.redeemed_by:
                self._keep(token, statement, who, applicant, channel_key)
            self._settle(statement.digest)
        return certificate, statement.digest

    def renew(self, uri: str, signing_request: bytes, signed_at_ms: int, signature: bytes) -> bytes:
        """A new certificate for somebody who has one, expired or not, and still belongs."""
        who = Principal.parse(uri)
        if who.coop != self._ledger.coop:
            raise Unauthenticated("This is another cooperative.", where="renew", hint="Check the address.")
        if abs(self._clock() - signed_at_ms) > _SKEW_MS:
            raise Unauthenticated(
                "The request was not signed just now.", where="renew", hint="Set this machine's clock and try again."
            )
        with self._database.read() as connection:
            person = people.find(connection, who.id)
        if person is None or person.role != who.role.value:
            raise NotFound("Nobody of this name has enrolled.", where="renew", hint=_ASK_AGAIN)
        payload = {
            "coop": who.coop,
            "principal": uri,
            "request_sha256": hashlib.sha256(signing_request).hexdigest(),
            "signed_at_ms": signed_at_ms,
        }
        verify_detached(self._current_key(person), signature, "renew", payload)
        return self._issue(signing_request, who)

    def _applicant(self, statement: Statement) -> VerifyingKey:
        """The key that applies; it must have signed, and nobody else may have yet."""
        if statement.kind == Member.KIND:
            key = Member.from_payload(statement.payload).key
        elif statement.kind == Accredit.KIND:
            key = Accredit.from_payload(statement.payload).key
        else:
            raise InvalidInput(f"One does not enrol with a statement {statement.kind!r}.", where="enrol.statement")
        if statement.payload["coop"] != self._ledger.coop:
            raise InvalidInput("The statement is for another cooperative.", where="enrol.statement.coop")
        statement.verify()
        if [signer for signer, _ in statement.signatures] != [key]:
            raise InvalidInput("The statement must carry the applicant's signature alone.", where="enrol.statement")
        return key

    def _invitation(self, connection: Connection, token: bytes, statement: Statement) -> Invited:
        invited = invitations.find(connection, token)
        if invited is None:
            raise Unauthenticated("This cooperative did not give out this invitation.", where="enrol", hint=_ASK_AGAIN)
        if invited.redeemed_by and invited.redeemed_digest != statement.digest:
            raise Unauthenticated("The invitation has been used already.", where="enrol", hint=_ASK_AGAIN)
        if self._clock() >= invited.expires_ms:
            raise Unauthenticated("The invitation has expired.", where="enrol", hint=_ASK_AGAIN)
        return invited

    def _check_terms(self, statement: Statement, invited: Invited, role: Role) -> None:
        if statement.kind != _KINDS[role]:
            raise Unauthenticated(f"The invitation is for a {role}.", where="enrol", hint=_ASK_AGAIN)
        if role is Role.RESEARCHER:
            accredit = Accredit.from_payload(statement.payload)
            if (accredit.institution, accredit.recipient) != (invited.institution, invited.kind):
                raise Unauthenticated(
                    f"The invitation is for {invited.institution} ({invited.kind}).", where="enrol", hint=_ASK_AGAIN
                )

    def _keep(self, token: bytes, statement: Statement, who: Principal, key: VerifyingKey, channel: bytes) -> None:
        now_ms = self._clock()
        with self._database.write(f"enrol a {who.role}") as connection:
            if people.find(connection, who.id) is not None:
                raise AlreadyExists("This key has enrolled before.", where="enrol", hint="Make a new key.")
            invitations.redeem(connection, token, who.id, statement.digest, channel)
            people.add(connection, Person(who.id, who.role.value, key.raw), now_ms)
            tray.put(connection, statement.digest, statement.kind, statement.leaf(), now_ms)

    def _issue(self, signing_request: bytes, who: Principal) -> bytes:
        return self._authority.issue(signing_request, who, as_datetime(self._clock()), CERTIFICATE_LIFETIME)

    def _current_key(self, person: Person) -> VerifyingKey:
        """The key that speaks for the person now; whoever left or was expelled has none."""
        member = self._ledger.assembly.member(person.id) if person.role == Role.HOUSEHOLD.value else None
        if member is None:
            return VerifyingKey.from_bytes(person.key)
        if not member.active:
            raise PermissionDenied("This household has left the cooperative.", where="renew")
        return member.key


def _channel_key(certificate: bytes) -> bytes:
    """SHA-256 of the certificate's public key (SubjectPublicKeyInfo, DER)."""
    key = x509.load_pem_x509_certificate(certificate).public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
