"""Messages of a run that an honest party would not have sent, kept as evidence."""

from __future__ import annotations

from dataclasses import dataclass

from vicinia.node.store.database import Database

__all__ = ["Offence", "Offences"]


@dataclass(frozen=True, slots=True)
class Offence:
    """What came after a step: the kind of message, what is wrong with it, and its bytes as `vicinia.wire` has them."""

    run_id: bytes
    step: str
    kind: str
    what: str
    message: bytes
    at_ms: int


class Offences:
    """At most one message a step of a run: the first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, offence: Offence) -> None:
        """Keep a message."""
        self._database.run(
            "INSERT INTO offence(run_id, step, kind, what, message, at_ms) VALUES(?, ?, ?, ?, ?, ?) "
            "ON CONFLICT DO NOTHING",
            (offence.run_id, offence.step, offence.kind, offence.what, offence.message, offence.at_ms),
        )

    def of_run(self, run_id: bytes) -> list[Offence]:
        """What was kept of a run."""
        rows = self._database.all(
            "SELECT run_id, step, kind, what, message, at_ms FROM offence WHERE run_id = ? ORDER BY rowid", (run_id,)
        )
        return [Offence(bytes(a), str(b), str(c), str(d), bytes(e), int(f)) for a, b, c, d, e, f in rows]
