"""Invitations: one line of text that pins the cooperative, good for one use (docs/adr/0005)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from vicinia.assembly.invitation import Invitation
from vicinia.coordinator.clock import Clock
from vicinia.coordinator.services.ledger import Ledger
from vicinia.coordinator.store import invitations
from vicinia.coordinator.store.database import Database
from vicinia.coordinator.store.invitations import Invited
from vicinia.errors import InvalidInput
from vicinia.identity import Role
from vicinia.tlog.characters import is_plain

__all__ = ["LIFETIME_MS", "MAX_COUNT", "Addresses", "Inviter"]

LIFETIME_MS = 14 * 86_400_000
MAX_COUNT = 100_000


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the coordinator and its enrolment port are reached, each `host:port`."""

    coordinator: str
    enrolment: str

    def __post_init__(self) -> None:
        for text in (self.coordinator, self.enrolment):
            host, _, port = text.rpartition(":")
            if not host or not port.isdigit() or not 0 < int(port) < 65_536 or len(text) > 260:
                raise InvalidInput(f"{text!r} is no address.", where="address", hint="Write HOST:PORT.")


class Inviter:
    """Writes invitations; keeps the hash of each token, never the token."""

    def __init__(self, database: Database, ledger: Ledger, authority_pem: bytes, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._authority_pem = authority_pem
        self._clock = clock

    def households(self, count: int, addresses: Addresses) -> list[str]:
        """`count` invitations for households."""
        if not 1 <= count <= MAX_COUNT:
            raise InvalidInput(f"{count} invitations cannot be made at once.", where="--count", hint="1 to 100000.")
        return self._make(count, addresses, Role.HOUSEHOLD, "", "")

    def researcher(self, institution: str, kind: str, addresses: Addresses) -> str:
        """An invitation for a researcher of an institution; `kind` of recipient as the by-laws call it."""
        if not institution.strip() or len(institution) > 120 or not is_plain(institution):
            raise InvalidInput("The institution needs a name of 1 to 120 characters.", where="--institution")
        return self._make(1, addresses, Role.RESEARCHER, institution, kind)[0]

    def _make(self, count: int, addresses: Addresses, role: Role, institution: str, kind: str) -> list[str]:
        expires_ms = self._clock() + LIFETIME_MS
        tokens = [secrets.token_bytes(32) for _ in range(count)]
        with self._database.write(f"invite {count} {role}") as connection:
            for token in tokens:
                invitations.add(connection, token, Invited(role.value, institution, kind, expires_ms))
        common = Invitation(
            coop=self._ledger.coop,
            role=role.value,
            token=b"",
            authority=self._authority_pem,
            genesis=self._ledger.assembly.genesis_digest,
            log_key=self._ledger.key.public,
            address=addresses.coordinator,
            enrolment=addresses.enrolment,
            expires_ms=expires_ms,
            institution=institution,
            kind=kind,
        )
        return [replace(common, token=token).text(self._ledger.key) for token in tokens]
