"""The tray: statements that wait for signatures. It holds no authority; the rules are checked on the leaf."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, insert, literal, select, tuple_, update
from vicinia.coordinator.store.schema import tray

__all__ = ["Waiting", "begun_by", "count", "count_begun", "drop", "drop_begun", "every", "find", "put"]


_FIND = select(tray).where(tray.c.digest == bindparam("wanted"))
_REPLACE = update(tray).where(tray.c.digest == bindparam("wanted")).values(body=bindparam("new"))
_DROP = delete(tray).where(tray.c.digest == bindparam("wanted"))


@dataclass(frozen=True, slots=True)
class Waiting:
    """A statement with the signatures that came so far."""

    digest: bytes
    kind: str
    body: bytes
    submitted_ms: int


def put(connection: Connection, digest: bytes, kind: str, body: bytes, now_ms: int, begun: str = "") -> None:
    """Keep a statement that somebody (a key, hex) has begun, or the same one with more signatures."""
    if find(connection, digest) is None:
        values = {"digest": digest, "kind": kind, "body": body, "submitted_ms": now_ms, "begun_by": begun}
        connection.execute(insert(tray), values)
    else:
        connection.execute(_REPLACE, {"wanted": digest, "new": body})


def find(connection: Connection, digest: bytes) -> Waiting | None:
    """The statement with this digest."""
    row = connection.execute(_FIND, {"wanted": digest}).one_or_none()
    return None if row is None else Waiting(row.digest, row.kind, row.body, row.submitted_ms)


def every(connection: Connection, kinds: Collection[str], after: bytes = b"") -> list[Waiting]:
    """Everything of these kinds that waits, oldest first; what comes after the statement `after`, if that waits."""
    query = select(tray).where(tray.c.kind.in_(sorted(kinds)))
    last = find(connection, after) if after else None
    if last is not None:
        place = tuple_(literal(last.submitted_ms), literal(last.digest))
        query = query.where(tuple_(tray.c.submitted_ms, tray.c.digest) > place)
    rows = connection.execute(query.order_by(tray.c.submitted_ms, tray.c.digest))
    return [Waiting(row.digest, row.kind, row.body, row.submitted_ms) for row in rows]


def begun_by(connection: Connection, key: str) -> list[Waiting]:
    """What this key began and others have not finished, oldest first."""
    rows = connection.execute(select(tray).where(tray.c.begun_by == key).order_by(tray.c.submitted_ms))
    return [Waiting(row.digest, row.kind, row.body, row.submitted_ms) for row in rows]


def drop(connection: Connection, digest: bytes) -> None:
    """Take a statement out: it is in the log now, or never will be."""
    connection.execute(_DROP, {"wanted": digest})


def drop_begun(connection: Connection, until_ms: int) -> None:
    """Take out what somebody began and has waited since this time, or longer."""
    connection.execute(delete(tray).where(tray.c.begun_by != "", tray.c.submitted_ms <= until_ms))


def count(connection: Connection) -> int:
    """How many statements wait."""
    return int(connection.execute(select(func.count()).select_from(tray)).scalar_one())


def count_begun(connection: Connection) -> int:
    """How many of them somebody began, other than with an invitation or a job."""
    return int(connection.execute(select(func.count()).select_from(tray).where(tray.c.begun_by != "")).scalar_one())
