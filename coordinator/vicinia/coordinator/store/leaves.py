"""The log's leaves, in their places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, insert, select
from vicinia.coordinator.store.schema import leaf

__all__ = ["Logged", "append", "between", "count", "every_body", "find"]


_FIND = select(leaf.c.position).where(leaf.c.digest == bindparam("wanted")).order_by(leaf.c.position).limit(1)


@dataclass(frozen=True, slots=True)
class Logged:
    """One leaf as it stands in the log; `digest` is the statement's."""

    position: int
    kind: str
    digest: bytes
    body: bytes


def append(connection: Connection, logged: Logged, now_ms: int) -> None:
    """Put a leaf at its place; the place must be the next one."""
    values = {"position": logged.position, "kind": logged.kind, "digest": logged.digest, "body": logged.body}
    connection.execute(insert(leaf), values | {"logged_ms": now_ms})


def count(connection: Connection) -> int:
    """How many leaves the log has."""
    return int(connection.execute(select(func.count()).select_from(leaf)).scalar_one())


def every_body(connection: Connection) -> Iterator[bytes]:
    """All leaves from the first."""
    for row in connection.execute(select(leaf.c.body).order_by(leaf.c.position)):
        yield row.body


def between(connection: Connection, start: int, end: int, limit_bytes: int) -> list[bytes]:
    """Leaves [start, end), fewer where they would be more than `limit_bytes`, but at least one."""
    query = select(leaf.c.body).where(leaf.c.position >= start, leaf.c.position < end).order_by(leaf.c.position)
    bodies: list[bytes] = []
    size = 0
    for row in connection.execute(query):
        size += len(row.body)
        if bodies and size > limit_bytes:
            break
        bodies.append(row.body)
    return bodies


def find(connection: Connection, digest: bytes) -> int | None:
    """Where the statement with this digest first stands in the log, if it does."""
    found = connection.execute(_FIND, {"wanted": digest}).scalar_one_or_none()
    return None if found is None else int(found)
