"""What the coordinator says was released of this home's runs, and whether the log says the same."""

from __future__ import annotations

from dataclasses import dataclass

from vicinia.node.store.database import Database

__all__ = ["Released", "Releases"]


@dataclass(frozen=True, slots=True)
class Released:
    """The body of a release; `state` is 'shown' until the log has its leaf, then 'logged' or 'differs'."""

    run_id: bytes
    job_hash: bytes
    run: int
    body: bytes
    state: str


class Releases:
    """One release a run; the first that was shown stays."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, released: Released) -> None:
        """Write down what was shown."""
        self._database.run(
            "INSERT INTO released(run_id, job_hash, run, body, state) VALUES(?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (released.run_id, released.job_hash, released.run, released.body, released.state),
        )

    def settle(self, run_id: bytes, state: str) -> None:
        """Say what the comparison with the log gave."""
        self._database.run("UPDATE released SET state = ? WHERE run_id = ?", (state, run_id))

    def of_run(self, run_id: bytes) -> Released | None:
        """The release of a run, or None."""
        found = self._select("WHERE run_id = ?", (run_id,))
        return found[0] if found else None

    def unsettled(self) -> list[Released]:
        """Releases that the log was not compared with yet."""
        return self._select("WHERE state = 'shown' ORDER BY rowid")

    def _select(self, clause: str, values: tuple[object, ...] = ()) -> list[Released]:
        rows = self._database.all(f"SELECT run_id, job_hash, run, body, state FROM released {clause}", values)  # noqa: S608
        return [Released(bytes(a), bytes(b), int(c), bytes(d), str(e)) for a, b, c, d, e in rows]
