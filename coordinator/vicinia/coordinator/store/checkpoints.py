"""Signed checkpoints and the witnesses' cosignatures under them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update
from vicinia.coordinator.store.schema import checkpoint, cosignature

__all__ = ["Cosigned", "add", "cosign", "newest", "of_size"]


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A checkpoint of `size` leaves: the log's own note, and (witness, time in seconds, line) for each cosignature."""

    size: int
    body: bytes
    lines: tuple[tuple[str, int, bytes], ...]

    @property
    def note(self) -> bytes:
        """The signed note with every cosignature that came."""
        return self.body + b"".join(line for _, _, line in self.lines)

    def dated(self, witnesses_needed: int) -> int | None:
        """The k-th newest cosignature's time in seconds; None while there are fewer than k."""
        times = sorted((timestamp for _, timestamp, _ in self.lines), reverse=True)
        return times[witnesses_needed - 1] if len(times) >= witnesses_needed else None


def add(connection: Connection, size: int, note: bytes, now_ms: int) -> None:
    """Keep a checkpoint that the log has just signed."""
    connection.execute(insert(checkpoint).values(size=size, note=note, signed_ms=now_ms))


def cosign(connection: Connection, size: int, witness: str, timestamp: int, line: bytes) -> None:
    """Keep a witness's newest line; an older one than is kept changes nothing."""
    same = (cosignature.c.size == size) & (cosignature.c.witness == witness)
    kept = connection.execute(select(cosignature.c.timestamp).where(same)).scalar_one_or_none()
    if kept is None:
        values = {"size": size, "witness": witness, "timestamp": timestamp, "line": line}
        connection.execute(insert(cosignature).values(values))
    elif timestamp > kept:
        connection.execute(update(cosignature).where(same).values(timestamp=timestamp, line=line))


def newest(connection: Connection, limit: int = 1) -> list[Cosigned]:
    """The newest checkpoints, newest first."""
    rows = connection.execute(select(checkpoint).order_by(checkpoint.c.size.desc()).limit(limit)).all()
    return [_cosigned(connection, row.size, row.note) for row in rows]


def of_size(connection: Connection, size: int) -> Cosigned | None:
    """The checkpoint of exactly this many leaves."""
    row = connection.execute(select(checkpoint).where(checkpoint.c.size == size)).one_or_none()
    return None if row is None else _cosigned(connection, row.size, row.note)


def _cosigned(connection: Connection, size: int, body: bytes) -> Cosigned:
    rows = connection.execute(
        select(cosignature).where(cosignature.c.size == size).order_by(cosignature.c.witness)
    ).all()
    return Cosigned(size, body, tuple((row.witness, row.timestamp, row.line) for row in rows))
