"""The runs this home was asked to take part in, and every line of its decision."""

from __future__ import annotations

from dataclasses import dataclass

from vicinia.node.store.database import Database, Row

__all__ = ["OPEN_STEPS", "Line", "Run", "Runs"]

# A run in one of these steps is taken up again after a restart.
OPEN_STEPS = ("considering", "advertise", "share", "input", "commit", "unmask")
_COLUMNS = "run_id, job_hash, number, manifest, job, step, reason, updated_ms"


@dataclass(frozen=True, slots=True)
class Run:
    """One run: `step` is considering, the last step whose message is durable, or refused | finished | failed."""

    run_id: bytes
    job_hash: bytes
    number: int
    manifest: bytes
    job: bytes
    step: str
    reason: str
    updated_ms: int

    @property
    def open(self) -> bool:
        """Whether there is something left to do."""
        return self.step in OPEN_STEPS


@dataclass(frozen=True, slots=True)
class Line:
    """One check before a run: its name, whether it passed, and a sentence for people."""

    name: str
    ok: bool
    sentence: str


class Runs:
    """Table of runs and decisions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, run: Run) -> None:
        """Write a run down once; a second time changes nothing."""
        self._database.run(
            f"INSERT INTO run({_COLUMNS}) VALUES(?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (run.run_id, run.job_hash, run.number, run.manifest, run.job, run.step, run.reason, run.updated_ms),
        )

    def get(self, run_id: bytes) -> Run | None:
        """A run, or None."""
        row = self._database.one(f"SELECT {_COLUMNS} FROM run WHERE run_id = ?", (run_id,))  # noqa: S608
        return None if row is None else _run(row)

    def all(self) -> list[Run]:
        """Every run, oldest first."""
        return [_run(row) for row in self._database.all(f"SELECT {_COLUMNS} FROM run ORDER BY rowid")]  # noqa: S608

    def bytes_up(self, run_id: bytes) -> int:
        """What a run has sent in all its messages, the masked vector among them; 0 for a run that is not there."""
        row = self._database.one("SELECT bytes_up FROM run WHERE run_id = ?", (run_id,))
        return 0 if row is None else int(row[0])

    def step(self, run_id: bytes, step: str, now_ms: int, reason: str = "") -> None:
        """Move a run to another step."""
        self._database.run(
            "UPDATE run SET step = ?, reason = ?, updated_ms = ? WHERE run_id = ?", (step, reason, now_ms, run_id)
        )

    def decide(self, run_id: bytes, lines: list[Line]) -> None:
        """Replace the lines of a run's decision."""
        with self._database.transaction("store a decision"):
            self._database.run("DELETE FROM decision WHERE run_id = ?", (run_id,))
            self._database.run_many(
                "INSERT INTO decision(run_id, line, name, ok, sentence) VALUES(?, ?, ?, ?, ?)",
                [(run_id, number, line.name, int(line.ok), line.sentence) for number, line in enumerate(lines)],
            )

    def extend(self, run_id: bytes, lines: list[Line]) -> None:
        """Add lines to a run's decision; those that are there already stay as they are."""
        known = self.lines(run_id)
        names = {line.name for line in known}
        self.decide(run_id, known + [line for line in lines if line.name not in names])

    def lines(self, run_id: bytes) -> list[Line]:
        """The lines of a run's decision, in the order of the checks."""
        rows = self._database.all("SELECT name, ok, sentence FROM decision WHERE run_id = ? ORDER BY line", (run_id,))
        return [Line(str(name), bool(ok), str(sentence)) for name, ok, sentence in rows]


def _run(row: Row) -> Run:
    run_id, job_hash, number, manifest, job, step, reason, updated = row
    return Run(
        bytes(run_id), bytes(job_hash), int(number), bytes(manifest), bytes(job), str(step), str(reason), int(updated)
    )
