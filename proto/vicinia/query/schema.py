"""The local table of a data set and the one rule by which raw records become its rows.

A timestamp column `ts` is stored as UTC epoch seconds with its local parts beside it, because SQLite knows no time
zones: `ts__hour` 0-23, `ts__dow` 1-7 (1 = Monday), `ts__month` 1-12 and `ts__quarter` such as '2014Q1'.
Loaded by the home's daemon: neither numpy nor sqlglot here.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from vicinia.errors import InvalidInput
from vicinia.query.dataset import Column, ColumnType, DataSet, zone

__all__ = [
    "CleanRow",
    "Problem",
    "Raw",
    "RowCleaner",
    "check_format",
    "create_table_sql",
    "insert_sql",
    "local_parts",
    "quoted",
    "read_time",
    "row_key",
    "row_values",
    "stored_columns",
    "table_name",
    "whole",
]

Raw = str | float | int | date | None
Stored = str | float | int | None

PARTS = ("hour", "dow", "month", "quarter")
EPOCH, EPOCH_MS = "epoch", "epoch_ms"
_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
_FIRST_YEAR, _LAST_YEAR = 1900, 2199
_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)


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


def table_name(dataset: DataSet) -> str:
    """The name of the data set's table in a home's store."""
    return f"data_{dataset.name}"


def quoted(name: str) -> str:
    """An SQL identifier; names of definitions hold no quote (checked where they are read)."""
    return f'"{name}"'


def stored_columns(dataset: DataSet) -> tuple[str, ...]:
    """The columns of a stored row: each declared one, a timestamp followed by its local parts."""
    names: list[str] = []
    for column in dataset.columns:
        names.append(column.name)
        if column.type is ColumnType.TIMESTAMP:
            names += [f"{column.name}__{part}" for part in PARTS]
    return tuple(names)


def create_table_sql(dataset: DataSet) -> str:
    """The CREATE TABLE statement: `row_key` makes imports idempotent, `source` names the file a row came from."""
    lines = ["row_key TEXT NOT NULL UNIQUE", "source TEXT NOT NULL"]
    for column in dataset.columns:
        null = " NOT NULL" if column.required else ""
        lines.append(f"{quoted(column.name)} {_sql_type(column)}{null}")
        if column.type is ColumnType.TIMESTAMP:
            lines += [f"{quoted(f'{column.name}__{part}')} INTEGER" for part in PARTS[:3]]
            lines.append(f"{quoted(f'{column.name}__quarter')} TEXT")
    body = ",\n  ".join(lines)
    return f"CREATE TABLE IF NOT EXISTS {quoted(table_name(dataset))} (\n  {body}\n) STRICT"


def insert_sql(dataset: DataSet) -> str:
    """The INSERT of (row_key, source, *CleanRow.values); a row that is there already changes nothing."""
    names = ("row_key", "source", *stored_columns(dataset))
    listed, marks = ", ".join(map(quoted, names)), ", ".join("?" * len(names))
    return f"INSERT OR IGNORE INTO {quoted(table_name(dataset))} ({listed}) VALUES ({marks})"  # noqa: S608


def row_key(dataset: DataSet, row: CleanRow, occurrence: int) -> str:
    """The key of a row: its content and how many equal rows stood before it in the same file (0 for the first)."""
    # repr of text, numbers and None is the same in every Python; "backslashreplace" lets lone surrogates pass.
    text = repr((dataset.name, row.values, occurrence))
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:32]


def local_parts(moment: datetime, local: tzinfo) -> tuple[int, int, int, int, str]:
    """Epoch seconds and the local hour, day of the week (1 = Monday), month and quarter of an aware moment."""
    here = moment.astimezone(local)
    seconds = (moment - _EPOCH_START) // timedelta(seconds=1)
    return seconds, here.hour, here.isoweekday(), here.month, f"{here.year:04d}Q{(here.month + 2) // 3}"


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
            ColumnType.REAL: lambda _column, value: _real(value),
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
        if _missing(value) and not (isinstance(value, str) and value.strip() in self._enums.get(column.name, ())):
            return _nothing(column)
        if column.type is ColumnType.TIMESTAMP:
            return self._moment(column, value)
        return (self._readers[column.type](column, value),)

    def _enum(self, column: Column, value: Raw) -> Stored:
        listed = self._enums[column.name]
        for candidate in _enum_spellings(value):
            if candidate in listed:
                return candidate
        raise _UnlistedError(f"{_shown(value)} is not among the values of {column.name}")

    def _moment(self, column: Column, value: Raw) -> tuple[Stored, ...]:
        moment = read_time(value, self._formats.get(column.name))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self._zone)
        if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
            raise ValueError(f"{_shown(value)} lies outside the years {_FIRST_YEAR} to {_LAST_YEAR}")
        return local_parts(moment, self._zone)


class _UnlistedError(Exception):
    """An enum value that the definition does not list."""


def _sql_type(column: Column) -> str:
    if column.type is ColumnType.REAL:
        return "REAL"
    if column.type is ColumnType.ENUM and isinstance(column.values[0], str):
        return "TEXT"
    return "INTEGER"


def _nothing(column: Column) -> tuple[Stored, ...]:
    return (None,) * (1 + len(PARTS)) if column.type is ColumnType.TIMESTAMP else (None,)


def _missing(value: Raw) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in _MISSING
    return value is None or (isinstance(value, float) and math.isnan(value))


def _number(column: Column, bound: object) -> float | int:
    text = str(bound)
    return int(float(text)) if column.type is ColumnType.INTEGER else float(text)


def _real(value: Raw) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]  # dates are refused by float() itself
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{_shown(value)} is not a number") from None
    if not math.isfinite(number):
        raise ValueError(f"{_shown(value)} is not a finite number")
    return number


def whole(value: Raw) -> int:
    """A raw value as a whole number (2.0 and "2" are 2); ValueError otherwise."""
    if isinstance(value, int):
        return int(value)
    number = _real(value)
    if number != int(number):
        raise ValueError(f"{_shown(value)} is not a whole number")
    return int(number)


def _enum_spellings(value: Raw) -> tuple[Stored, ...]:
    """How a raw value may stand in a list: 2.0 and "2" are 2, and 2 is "2"."""
    if isinstance(value, bool):
        return (str(value), str(value).lower(), int(value))
    if isinstance(value, str):
        text = value.strip()
        try:
            return (text, whole(text))
        except ValueError:
            return (text,)
    if isinstance(value, int | float):
        try:
            number = whole(value)
        except ValueError:
            return (str(value),)
        return (number, str(number))
    return (str(value),)


def read_time(value: Raw, form: str | None) -> datetime:
    """A raw value as a time, without a zone if it names none; ValueError if it is not one written as `form`."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001  # local: the caller adds the zone
    try:
        if form in (EPOCH, EPOCH_MS):
            seconds = _real(value) / (1000 if form == EPOCH_MS else 1)
            return _EPOCH_START + timedelta(seconds=seconds)
        if isinstance(value, str):
            text = value.strip()
            return datetime.strptime(text, form) if form else datetime.fromisoformat(text)  # noqa: DTZ007
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{_shown(value)} is not a time" + (f" written as {form}" if form else " in ISO 8601"))


def _shown(value: Raw) -> str:
    return repr(str(value)[:40])


def check_format(form: str, where: str) -> str:
    """A strptime format, `epoch` or `epoch_ms`; InvalidInput if Python cannot use it."""
    if form in (EPOCH, EPOCH_MS):
        return form
    sample = datetime(2014, 11, 3, 13, 45, 6, tzinfo=UTC)
    try:
        usable = "%" in form and len(form) <= 100 and bool(datetime.strptime(sample.strftime(form), form))  # noqa: DTZ007
    except (ValueError, TypeError, re.error):
        usable = False
    if not usable:
        raise InvalidInput(
            f"{form[:60]!r} is no format of time.", where=where, hint="Write e.g. '%d.%m.%Y %H:%M', or 'epoch'."
        )
    return form
