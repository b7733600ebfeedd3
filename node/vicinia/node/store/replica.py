"""The verified copy of the public log, shared by the homes of one process: public data, plain SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vicinia.node.store.database import Database
from vicinia.node.store.kept import Kept
from vicinia.node.store.schema import REPLICA

__all__ = ["ReplicaStore"]


class ReplicaStore:
    """Leaves under the last accepted checkpoint; both change in one transaction or not at all."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = path
        self.database = Database(path, REPLICA)
        self._checkpoint = Kept(self.database, self._read_checkpoint)
        self._evidence = Kept(self.database, self._read_evidence)
        self._witnessed = Kept(self.database, self._read_witnessed)

    def checkpoint(self) -> tuple[int, bytes] | None:
        """(size, note) of the last accepted checkpoint, or None."""
        return self._checkpoint()

    def leaves(self, start: int, end: int) -> list[bytes]:
        """Leaves [start, end)."""
        rows = self.database.all("SELECT leaf FROM leaf WHERE idx >= ? AND idx < ? ORDER BY idx", (start, end))
        return [bytes(row[0]) for row in rows]

    def advance(self, start: int, leaves: Sequence[bytes], note: bytes) -> bool:
        """Append leaves at `start` with their checkpoint; False where another process was there first."""
        with self.database.transaction("advance the replica"):
            known = self.checkpoint()
            if (known[0] if known else 0) != start:
                return False
            self.database.run_many(
                "INSERT INTO leaf(idx, leaf) VALUES(?, ?)", [(start + i, leaf) for i, leaf in enumerate(leaves)]
            )
            self.database.run(
                "INSERT INTO checkpoint(only, size, note) VALUES(1, ?, ?) "
                "ON CONFLICT(only) DO UPDATE SET size = excluded.size, note = excluded.note",
                (start + len(leaves), note),
            )
        return True

    def add_evidence(self, what: str, ours: bytes, theirs: bytes, now_ms: int, proof: bytes = b"") -> None:
        """Keep two signed checkpoints that contradict each other, or a leaf and the checkpoint over it, with the proof.

        The proof is that of `services.histories`, or the leaf's place: JSON {"index", "inclusion"}.
        """
        if not self.database.one("SELECT 1 FROM evidence WHERE ours = ? AND theirs = ?", (ours, theirs)):
            self.database.run(
                "INSERT INTO evidence(at_ms, what, ours, theirs, proof) VALUES(?, ?, ?, ?, ?)",
                (now_ms, what, ours, theirs, proof),
            )

    def evidence(self) -> list[tuple[int, str, bytes, bytes, bytes]]:
        """(when, what, ours, theirs, proof), oldest first. Any row halts every job."""
        return list(self._evidence())

    def witnessed(self, job_hash: bytes) -> int | None:
        """When (ms) witnesses had confirmed a proposal, as far as this copy knows; None where it does not."""
        return self._witnessed().get(job_hash)

    def note_witnessed(self, confirmed: Mapping[bytes, int]) -> None:
        """Keep when (ms) proposals that are new were confirmed, by job hash; the first time counts."""
        if confirmed:
            self.database.run_many(
                "INSERT INTO witnessed(job_hash, at_ms) VALUES(?, ?) ON CONFLICT DO NOTHING", list(confirmed.items())
            )

    def job(self, job_hash: bytes) -> bytes | None:
        """Canonical bytes of a job of the log, or None where it was not fetched yet."""
        row = self.database.one("SELECT job FROM job WHERE job_hash = ?", (job_hash,))
        return None if row is None else bytes(row[0])

    def put_job(self, job_hash: bytes, job: bytes) -> None:
        """Keep a job, whose hash the caller has checked."""
        self.database.run("INSERT INTO job(job_hash, job) VALUES(?, ?) ON CONFLICT DO NOTHING", (job_hash, job))

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def _read_checkpoint(self) -> tuple[int, bytes] | None:
        row = self.database.one("SELECT size, note FROM checkpoint")
        return None if row is None else (int(row[0]), bytes(row[1]))

    def _read_evidence(self) -> list[tuple[int, str, bytes, bytes, bytes]]:
        rows = self.database.all("SELECT at_ms, what, ours, theirs, proof FROM evidence ORDER BY id")
        return [(int(a), str(b), bytes(c), bytes(d), bytes(e)) for a, b, c, d, e in rows]

    def _read_witnessed(self) -> dict[bytes, int]:
        rows = self.database.all("SELECT job_hash, at_ms FROM witnessed")
        return {bytes(job_hash): int(at_ms) for job_hash, at_ms in rows}
