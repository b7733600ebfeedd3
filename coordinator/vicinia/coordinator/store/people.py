"""Who has enrolled: identity key, and when it last polled. No names, no addresses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, insert, select, update
from vicinia.coordinator.store.schema import person

__all__ = ["Person", "Seen", "add", "count_ahead", "count_seen", "find", "seen"]


@dataclass(frozen=True, slots=True)
class Person:
    """A household or a researcher; `key` is the Ed25519 identity key with which it enrolled."""

    id: str
    role: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Seen:
    """One poll: who, when, and how far its replica of the log was."""

    id: str
    at_ms: int
    log_size: int


def add(connection: Connection, who: Person, now_ms: int) -> None:
    """Enrol; a person who is there already stays as it is."""
    if find(connection, who.id) is None:
        values = {"id": who.id, "role": who.role, "key": who.key, "enrolled_ms": now_ms, "last_seen_ms": 0}
        connection.execute(insert(person).values(**values, log_size=0))


def find(connection: Connection, id_: str) -> Person | None:
    """The person with this id."""
    row = connection.execute(select(person).where(person.c.id == id_)).one_or_none()
    return None if row is None else Person(row.id, row.role, row.key)


def seen(connection: Connection, polls: Iterable[Seen]) -> None:
    """Flush a batch of polls."""
    batch = [{"who": poll.id, "at": poll.at_ms, "size": min(poll.log_size, 2**62)} for poll in polls]
    if batch:
        statement = update(person).where(person.c.id == bindparam("who"))
        connection.execute(statement.values(last_seen_ms=bindparam("at"), log_size=bindparam("size")), batch)


def count_seen(connection: Connection, since_ms: int) -> int:
    """How many people polled since then."""
    query = select(func.count()).select_from(person).where(person.c.last_seen_ms >= since_ms)
    return int(connection.execute(query).scalar_one())


def count_ahead(connection: Connection, log_size: int) -> int:
    """How many people said, when they last polled, that their copy of the log has more leaves than this."""
    query = select(func.count()).select_from(person).where(person.c.log_size > log_size)
    return int(connection.execute(query).scalar_one())
