"""Votes that wait to be cast and that were cast, and the household's standing rules."""

from __future__ import annotations

from dataclasses import dataclass

from vicinia.node.store.database import Database

__all__ = ["Vote", "Votes"]


@dataclass(frozen=True, slots=True)
class Vote:
    """A vote on a job: by 'hand' or 'standing'; state queued | signed | cast | refused; `leaf` once signed."""

    job_hash: bytes
    choice: str
    by: str
    state: str
    reason: str
    leaf: bytes | None
    at_ms: int


class Votes:
    """At most one wanted vote a job; a new wish replaces the old one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, vote: Vote) -> None:
        """Set the vote on a job."""
        self._database.run(
            "INSERT INTO vote(job_hash, choice, by, state, reason, leaf, at_ms) VALUES(?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT(job_hash) DO UPDATE SET choice = excluded.choice, by = excluded.by, state = excluded.state, "
            "reason = excluded.reason, leaf = excluded.leaf, at_ms = excluded.at_ms",
            (vote.job_hash, vote.choice, vote.by, vote.state, vote.reason, vote.leaf, vote.at_ms),
        )

    def add(self, vote: Vote) -> bool:
        """Set the vote on a job where there is none yet; whether there was none."""
        return (
            self._database.run(
                "INSERT INTO vote(job_hash, choice, by, state, reason, leaf, at_ms) VALUES(?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT(job_hash) DO NOTHING",
                (vote.job_hash, vote.choice, vote.by, vote.state, vote.reason, vote.leaf, vote.at_ms),
            )
            == 1
        )

    def change(self, old: Vote, new: Vote) -> bool:
        """Replace a vote as it was read; False, and nothing changed, where another wish came meanwhile."""
        with self._database.transaction("change a vote"):
            if self.get(old.job_hash) != old:
                return False
            self.put(new)
            return True

    def get(self, job_hash: bytes) -> Vote | None:
        """The vote on a job, or None."""
        return next((vote for vote in self.all() if vote.job_hash == job_hash), None)

    def all(self) -> list[Vote]:
        """Every vote, oldest first."""
        rows = self._database.all("SELECT job_hash, choice, by, state, reason, leaf, at_ms FROM vote ORDER BY rowid")
        return [
            Vote(bytes(a), str(b), str(c), str(d), str(e), None if f is None else bytes(f), int(g))
            for a, b, c, d, e, f, g in rows
        ]

    def put_rules(self, rules: str, now_ms: int) -> None:
        """Replace the standing rules."""
        with self._database.transaction("store standing rules"):
            self._database.run("DELETE FROM standing")
            self._database.run("INSERT INTO standing(rules, at_ms) VALUES(?, ?)", (rules, now_ms))

    def rules(self) -> tuple[str, int] | None:
        """(rules as TOML, when they were set), or None."""
        row = self._database.one("SELECT rules, at_ms FROM standing")
        return None if row is None else (str(row[0]), int(row[1]))
