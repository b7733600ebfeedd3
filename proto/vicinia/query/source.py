"""Where the rows of a data set come from: the file columns behind each of its columns.

Nothing here reads a file: the home opens CSV or Parquet and hands over records. Loaded by the home's daemon: neither
numpy nor sqlglot here.
"""

from __future__ import annotations

from collections import abc
from dataclasses import dataclass

from vicinia.query.cleaner import Problem
from vicinia.query.dataset import zone
from vicinia.query.raw import Raw
from vicinia.query.wide import Wide

__all__ = ["EVERY_ROW", "ColumnSource", "Mapping"]

EVERY_ROW = "#row"
"""As `household`: every record of the file is a household, named by its place (from 0)."""


@dataclass(frozen=True, slots=True)
class ColumnSource:
    """Where a column's values come from: the file column `source`, or `wide` readings; both None: times of those."""

    column: str
    source: str | None = None
    wide: Wide | None = None
    parse: str | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """How files become rows: `file` within a folder, `format` csv or parquet (None: by the file's ending).

    `household` is a file column or `#row`. The definition itself is the DataSet that `parse_map` returns beside it.
    """

    dataset: str
    timezone: str
    household: str
    columns: tuple[ColumnSource, ...]
    file: str | None = None
    format: str | None = None

    @property
    def formats(self) -> dict[str, str]:
        """The declared formats of time by column, as `RowCleaner` takes them."""
        return {source.column: source.parse for source in self.columns if source.parse is not None}

    def needs(self) -> tuple[str, ...]:
        """The file columns that must be there, each once, in the order of the map."""
        names = [] if self.household == EVERY_ROW else [self.household]
        for source in self.columns:
            if source.wide is not None:
                names += [*source.wide.start.columns(), *source.wide.columns]
            elif source.source is not None:
                names.append(source.source)
        return tuple(dict.fromkeys(names))

    def rows(self, record: abc.Mapping[str, Raw]) -> list[dict[str, Raw]] | Problem:
        """The raw rows of one record of the file, keyed as `RowCleaner.clean` expects; many if readings are wide."""
        fixed = {s.column: record.get(s.source) for s in self.columns if s.source is not None}
        wides = [(s.column, s.wide) for s in self.columns if s.wide is not None]
        if not wides:
            return [fixed]
        times = [s.column for s in self.columns if s.source is None and s.wide is None]
        try:
            moments = wides[0][1].moments(record, zone(self.timezone, self.dataset))
        except (ValueError, OverflowError):
            return Problem(times[0], "the start of the readings cannot be read")
        rows: list[dict[str, Raw]] = []
        for place, moment in enumerate(moments):
            row = dict(fixed)
            row.update((column, moment) for column in times)
            row.update((column, record.get(wide.columns[place])) for column, wide in wides)
            rows.append(row)
        return rows
