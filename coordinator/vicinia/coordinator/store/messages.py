"""What the homes sent in a run: kept from before the acknowledgement until the run ends."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from vicinia.coordinator.store.schema import message, partial_sum
from vicinia.wire.published import Phase

__all__ = ["add", "erase", "find", "members", "merge_into_sum", "of_phase", "total"]

# Built once: every message of every home needs these.
_FIND = select(message.c.body).where(
    message.c.run_id == bindparam("run"),
    message.c.phase == bindparam("in_phase"),
    message.c.member == bindparam("home"),
)
_ADD = insert(message)
_TOTAL = select(partial_sum.c.total).where(partial_sum.c.run_id == bindparam("run"))
_REPLACE = update(partial_sum).where(partial_sum.c.run_id == bindparam("run")).values(total=bindparam("merged"))


def add(connection: Connection, run_id: bytes, phase: Phase, member: int, body: bytes) -> None:
    """Keep one message; `member` is the registry index of the home."""
    connection.execute(_ADD, {"run_id": run_id, "phase": int(phase), "member": member, "body": body})


def find(connection: Connection, run_id: bytes, phase: Phase, member: int) -> bytes | None:
    """What this home sent in this phase."""
    return connection.execute(_FIND, {"run": run_id, "in_phase": int(phase), "home": member}).scalar_one_or_none()


def members(connection: Connection, run_id: bytes, phase: Phase) -> set[int]:
    """Who sent a message in one phase."""
    query = select(message.c.member).where(message.c.run_id == run_id, message.c.phase == int(phase))
    return set(connection.execute(query).scalars())


def of_phase(connection: Connection, run_id: bytes, phase: Phase) -> list[tuple[int, bytes]]:
    """(member, message) of one phase, by ascending member."""
    query = select(message.c.member, message.c.body).where(message.c.run_id == run_id, message.c.phase == int(phase))
    return [(row.member, row.body) for row in connection.execute(query.order_by(message.c.member))]


def merge_into_sum(connection: Connection, run_id: bytes, merge: Callable[[bytes | None], bytes]) -> None:
    """Replace the partial sum by what `merge` makes of it; None stands for no sum yet."""
    kept = total(connection, run_id)
    merged = merge(kept)
    if kept is None:
        connection.execute(insert(partial_sum).values(run_id=run_id, total=merged))
    else:
        connection.execute(_REPLACE, {"run": run_id, "merged": merged})


def total(connection: Connection, run_id: bytes) -> bytes | None:
    """The partial sum of the inputs that came."""
    return connection.execute(_TOTAL, {"run": run_id}).scalar_one_or_none()


def erase(connection: Connection, run_id: bytes) -> None:
    """Forget every message of a run that has ended."""
    connection.execute(delete(message).where(message.c.run_id == run_id))
    connection.execute(delete(partial_sum).where(partial_sum.c.run_id == run_id))
