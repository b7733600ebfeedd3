"""The hash-chained record of what left this home, with its exact content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vicinia.node.store.database import Database

__all__ = ["Departure", "Departures", "Link"]


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain: a canonical record and its hash."""

    seq: int
    run_id: bytes
    record: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Departure(Link):
    """A link with the content that its record names by hash.

    `labels` is canonical JSON: the legend that makes a label for each slot. `vector` is little-endian float64, before
    rounding, noise and mask.
    """

    labels: bytes
    vector: bytes


class Departures:
    """Append-only table of departures. A vector can be megabytes: no more than one is read at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, link: Departure) -> None:
        """Append a link."""
        self._database.run(
            "INSERT INTO departure(seq, run_id, record, hash, labels, vector) VALUES(?, ?, ?, ?, ?, ?)",
            (link.seq, link.run_id, link.record, link.hash, link.labels, link.vector),
        )

    def last(self) -> Link | None:
        """The newest link, or None."""
        links = self._links("ORDER BY seq DESC LIMIT 1")
        return links[0] if links else None

    def links(self) -> list[Link]:
        """The whole chain, oldest first, without the content."""
        return self._links("ORDER BY seq")

    def all(self) -> Iterator[Departure]:
        """The whole chain as it is now, oldest first, with the content."""
        numbers = self._database.all("SELECT seq FROM departure ORDER BY seq")
        return (found for (seq,) in numbers if (found := self._one("seq", seq)) is not None)

    def of_run(self, run_id: bytes) -> Departure | None:
        """What left in one run, or None."""
        return self._one("run_id", run_id)

    def _one(self, column: str, value: object) -> Departure | None:
        row = self._database.one(
            f"SELECT seq, run_id, record, hash, labels, vector FROM departure WHERE {column} = ?",  # noqa: S608
            (value,),
        )
        return None if row is None else Departure(int(row[0]), *(bytes(one) for one in row[1:]))

    def _links(self, clause: str) -> list[Link]:
        rows = self._database.all(f"SELECT seq, run_id, record, hash FROM departure {clause}")  # noqa: S608
        return [Link(int(a), bytes(b), bytes(c), bytes(d)) for a, b, c, d in rows]
