"""Charges and reservations of a home's privacy account, in integers of 1e-9 rho."""

from __future__ import annotations

from dataclasses import dataclass

from vicinia.node.store.database import Database

__all__ = ["Accounts", "Charge"]

_COLUMNS = "job_hash, run, roster, first, last, rho_nano, at_ms, forgotten"


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge for the periods `first`..`last` (both empty: every period); `roster` is the run's G.

    `forgotten`: entered when a restored home was unlocked, for a run of which it holds no record.
    """

    job_hash: bytes
    run: int
    roster: bytes
    first: str
    last: str
    rho_nano: int
    at_ms: int
    forgotten: bool = False


class Accounts:
    """Charges are keyed (job hash, run, G): a second one of the same key changes nothing. None is ever removed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def charge(self, charge: Charge) -> bool:
        """Enter a charge; False where it is there already."""
        return bool(
            self._database.run(
                f"INSERT INTO charge({_COLUMNS}) VALUES(?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    charge.job_hash,
                    charge.run,
                    charge.roster,
                    charge.first,
                    charge.last,
                    charge.rho_nano,
                    charge.at_ms,
                    int(charge.forgotten),
                ),
            )
        )

    def charges(self) -> list[Charge]:
        """Every charge, in the order of entry."""
        rows = self._database.all(f"SELECT {_COLUMNS} FROM charge ORDER BY rowid")  # noqa: S608
        return [
            Charge(bytes(a), int(b), bytes(c), str(d), str(e), int(f), int(g), bool(h))
            for a, b, c, d, e, f, g, h in rows
        ]

    def reserve(self, job_hash: bytes, first: str, last: str, rho_nano: int) -> None:
        """Set a job's reservation."""
        self._database.run(
            "INSERT INTO reservation(job_hash, first, last, rho_nano) VALUES(?, ?, ?, ?) "
            "ON CONFLICT(job_hash) DO UPDATE SET rho_nano = excluded.rho_nano",
            (job_hash, first, last, rho_nano),
        )

    def release(self, job_hash: bytes) -> None:
        """Drop a job's reservation."""
        self._database.run("DELETE FROM reservation WHERE job_hash = ?", (job_hash,))

    def reservations(self) -> list[tuple[bytes, str, str, int]]:
        """(job hash, first, last, rho) of every reservation."""
        rows = self._database.all("SELECT job_hash, first, last, rho_nano FROM reservation")
        return [(bytes(a), str(b), str(c), int(d)) for a, b, c, d in rows]
