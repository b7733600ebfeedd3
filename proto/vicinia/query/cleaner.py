"""The one rule by which raw records become rows of a home's table, and the key that makes imports idempotent.

Loaded by the home's daemon: neither numpy nor sqlglot here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vicinia.query.column import Column, ColumnType
from vicinia.query.dataset import DataSet, zone
from vicinia.query.moment import PARTS, local_parts, read_time
from vicinia.query.raw import Raw, Stored, enum_spellings, missing, real, shown, whole

__all__ = ["CleanRow", "Problem", "RowCleaner", "row_key", "row_values"]

_FIRST_YEAR, _LAST_YEAR = 1900, 2199


@dataclass(frozen=True, slots=True)
class CleanRow:
    """A row as it is stored, in the order of `stored_columns`; what was clamped or taken as missing is told."""

    values: tuple[Stored, ...]
    clamped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a record is not counted: the column and a sentence."""

    column: str
    sentence: str


def row_key(dataset: DataSet, row: CleanRow, occurrence: int) -> str:
    """The key of a row: its content and how many equal rows stood before it in the same file (0 for the first)."""
    # repr of text, numbers and None is the same in every Python; "backslashreplace" lets lone surrogates pass.
    text = repr((dataset.name, row.values, occurrence))
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:32]


def row_values(
    dataset: DataSet, raw: Mapping[str, Raw], formats: Mapping[str, str] | None = None
) -> CleanRow | Problem:
    """Clean one raw record, keyed by the data set's column names; see `RowCleaner` for many."""
    return RowCleaner(dataset, formats or {}).clean(raw)


class RowCleaner:
    """The cleaning rule: clamp numbers to their bounds, drop rows with unlisted enum values, skip missing values.

    What is no number, no whole number in an integer column, or no time, counts as missing, with a note. A missing
    value in a `required` column makes the record a Problem. `formats` gives strptime formats of timestamp columns
    (or `epoch`, `epoch_ms`); ISO 8601 otherwise. A time without an offset is local to the data set's zone.
    """

    def __init__(self, dataset: DataSet, formats: Mapping[str, str]) -> None:
        self._dataset = dataset
        self._zone = zone(dataset.timezone, dataset.name)
        self._formats = dict(formats)
        self._bounds = {c.name: (_number(c, c.low), _number(c, c.high)) for c in dataset.columns if c.numeric}
        self._enums = {c.name: frozenset(c.values) for c in dataset.columns if c.type is ColumnType.ENUM}
        self._readers: dict[ColumnType, Callable[[Column, Raw], Stored]] = {
            ColumnType.REAL: lambda _column, value: real(value),
            ColumnType.INTEGER: lambda _column, value: whole(value),
            ColumnType.ENUM: self._enum,
        }

    def clean(self, raw: Mapping[str, Raw]) -> CleanRow | Problem:
        """The stored row, or why the record is not counted. Columns that `raw` lacks are missing values."""
        values: list[Stored] = []
        clamped: list[str] = []
        notes: list[str] = []
        for column in self._dataset.columns:
            try:
                cells = self._cells(column, raw.get(column.name))
            except _UnlistedError as unlisted:
                return Problem(column.name, str(unlisted))
            except ValueError as problem:
                notes.append(f"{column.name}: {problem}, taken as missing")
                cells = _nothing(column)
            if cells[0] is None and column.required:
                return Problem(column.name, notes[-1] if notes else f"{column.name} is missing and required")
            low, high = self._bounds.get(column.name, (None, None))
            number = cells[0]
            if low is not None and high is not None and isinstance(number, int | float):
                if not low <= number <= high:
                    clamped.append(column.name)
                cells = (min(max(number, low), high),)
            values += cells
        return CleanRow(tuple(values), tuple(clamped), tuple(notes))

    def _cells(self, column: Column, value: Raw) -> tuple[Stored, ...]:
        if missing(value) and not (isinstance(value, str) and value.strip() in self._enums.get(column.name, ())):
            return _nothing(column)
        if column.type is ColumnType.TIMESTAMP:
            return self._moment(column, value)
        return (self._readers[column.type](column, value),)

    def _enum(self, column: Column, value: Raw) -> Stored:
        listed = self._enums[column.name]
        for candidate in enum_spellings(value):
            if candidate in listed:
                return candidate
        raise _UnlistedError(f"{shown(value)} is not among the values of {column.name}")

    def _moment(self, column: Column, value: Raw) -> tuple[Stored, ...]:
        moment = read_time(value, self._formats.get(column.name))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self._zone)
        if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
            raise ValueError(f"{shown(value)} lies outside the years {_FIRST_YEAR} to {_LAST_YEAR}")
        return local_parts(moment, self._zone)


class _UnlistedError(Exception):
    """An enum value that the definition does not list."""


def _nothing(column: Column) -> tuple[Stored, ...]:
    return (None,) * (1 + len(PARTS)) if column.type is ColumnType.TIMESTAMP else (None,)


def _number(column: Column, bound: object) -> float | int:
    text = str(bound)
    return int(float(text)) if column.type is ColumnType.INTEGER else float(text)
