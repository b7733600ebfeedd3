"""Invitations: kept by the hash of their token, good for one use."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update
from vicinia.coordinator.store.schema import invitation

__all__ = ["Invited", "add", "find", "open_count", "redeem", "void"]


@dataclass(frozen=True, slots=True)
class Invited:
    """What an invitation allows; `redeemed_by` is empty while it is good."""

    role: str
    institution: str
    kind: str
    expires_ms: int
    redeemed_by: str = ""
    redeemed_digest: bytes = b""
    redeemed_key: bytes = b""


def add(connection: Connection, token: bytes, invited: Invited) -> None:
    """Keep an invitation; the token itself is not kept."""
    connection.execute(
        insert(invitation).values(
            token_hash=_hashed(token),
            role=invited.role,
            institution=invited.institution,
            kind=invited.kind,
            expires_ms=invited.expires_ms,
            redeemed_by=invited.redeemed_by,
            redeemed_digest=invited.redeemed_digest,
            redeemed_key=invited.redeemed_key,
        )
    )


def find(connection: Connection, token: bytes) -> Invited | None:
    """The invitation with this token."""
    row = connection.execute(select(invitation).where(invitation.c.token_hash == _hashed(token))).one_or_none()
    if row is None:
        return None
    return Invited(
        row.role,
        row.institution,
        row.kind,
        row.expires_ms,
        row.redeemed_by,
        row.redeemed_digest,
        row.redeemed_key,
    )


def redeem(connection: Connection, token: bytes, person: str, digest: bytes, key: bytes) -> None:
    """Write down who used the invitation, for which statement, and with which channel key (its SHA-256)."""
    connection.execute(
        update(invitation)
        .where(invitation.c.token_hash == _hashed(token), invitation.c.redeemed_by == "")
        .values(redeemed_by=person, redeemed_digest=digest, redeemed_key=key)
    )


def void(connection: Connection, now_ms: int) -> int:
    """Let every invitation that can still be used expire now; how many these were."""
    still_good = (invitation.c.redeemed_by == "") & (invitation.c.expires_ms > now_ms)
    return connection.execute(update(invitation).where(still_good).values(expires_ms=now_ms)).rowcount


def open_count(connection: Connection, now_ms: int) -> int:
    """How many invitations can still be used."""
    query = select(func.count()).select_from(invitation)
    query = query.where(invitation.c.redeemed_by == "", invitation.c.expires_ms > now_ms)
    return int(connection.execute(query).scalar_one())


def _hashed(token: bytes) -> bytes:
    return hashlib.sha256(b"vicinia invitation" + token).digest()
