"""The hash-chained record of what left this home, with its exact content."""

from __future__ import annotations

from dataclasses import dataclass

from vicinia.node.store.database import Database

__all__ = ["Departure", "Departures"]


@dataclass(frozen=True, slots=True)
class Departure:
    """One link of the chain: canonical record, its hash, and the content that the record names by hash.

    `labels` is canonical JSON: the legend that makes a label for each slot. `vector` is little-endian float64, before
    rounding, noise and mask.
    """

    seq: int
    run_id: bytes
    record: bytes
    hash: bytes
    labels: bytes
    vector: bytes


class Departures:
    """Append-only table of departures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, link: Departure) -> None:
        """Append a link."""
        self._database.run(
            "INSERT INTO departure(seq, run_id, record, hash, labels, vector) VALUES(?, ?, ?, ?, ?, ?)",
            (link.seq, link.run_id, link.record, link.hash, link.labels, link.vector),
        )

    def last(self) -> Departure | None:
        """The newest link, or None."""
        links = self._select("ORDER BY seq DESC LIMIT 1")
        return links[0] if links else None

    def all(self) -> list[Departure]:
        """The whole chain, oldest first."""
        return self._select("ORDER BY seq")

    def of_run(self, run_id: bytes) -> Departure | None:
        """What left in one run, or None."""
        links = self._select("WHERE run_id = ?", (run_id,))
        return links[0] if links else None

    def _select(self, clause: str, values: tuple[object, ...] = ()) -> list[Departure]:
        rows = self._database.all(
            f"SELECT seq, run_id, record, hash, labels, vector FROM departure {clause}",  # noqa: S608
            values,
        )
        return [Departure(int(a), bytes(b), bytes(c), bytes(d), bytes(e), bytes(f)) for a, b, c, d, e, f in rows]
