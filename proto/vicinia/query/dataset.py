"""The definition of a registered data set: what every party agrees a household's table looks like.

A definition is a statement of the public log, so its payload holds no float: bounds travel as decimal strings.
This module is loaded by the home's daemon and imports neither numpy nor sqlglot.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from vicinia.errors import InvalidInput, NotFound
from vicinia.tlog.characters import is_plain

__all__ = ["Column", "ColumnType", "DataSet", "decimal_text"]

MAX_COLUMNS = 128
MAX_ENUM_VALUES = 1000
MAX_BUCKETS = 100
MAX_TEXT = 1000
MAX_VALUE_TEXT = 200
MAX_MAGNITUDE = Decimal(10) ** 15
MAX_DECIMALS = 12

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_COLUMN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}", re.ASCII)
_CATEGORY = re.compile(r"pd:[A-Za-z][A-Za-z0-9]{0,79}", re.ASCII)
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*", re.ASCII)
# `household` is what COUNT(DISTINCT household) counts; the other two are columns of every local table.
_RESERVED = frozenset({"household", "row_key", "source", "rowid", "oid"})


class ColumnType(StrEnum):
    """What a column holds."""

    REAL = "real"
    INTEGER = "integer"
    ENUM = "enum"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: numbers have bounds, enums their values, in the order that results show.

    `values` are all integers or all strings. `required`: no stored row lacks it. `per_household`: constant in a
    home, which confines the home to one cell of that key. `buckets`: inner or outer edges that cut `low..high`
    into the cells of `BUCKET(column)`. Raises InvalidInput naming the column.
    """

    name: str
    type: ColumnType
    low: Decimal | None = None
    high: Decimal | None = None
    unit: str = ""
    values: tuple[int, ...] | tuple[str, ...] = ()
    required: bool = False
    per_household: bool = False
    buckets: tuple[Decimal, ...] = ()

    def __post_init__(self) -> None:
        where = f"column {self.name!r}"
        if not _COLUMN_NAME.fullmatch(self.name) or "__" in self.name or self.name.lower() in _RESERVED:
            raise InvalidInput(
                "this cannot be a column's name.",
                where=where,
                hint="Use a letter, then letters, digits and single underscores, 40 at most, and none of "
                + ", ".join(sorted(_RESERVED))
                + ".",
            )
        if len(self.unit) > 40 or not is_plain(self.unit):
            raise InvalidInput("the unit is longer than 40 characters or not printable.", where=where)
        if self.numeric:
            self._check_number(where)
        elif self.low is not None or self.high is not None or self.buckets:
            raise InvalidInput(f"{self.type} columns have neither low, high nor buckets.", where=where)
        if self.type is ColumnType.ENUM:
            self._check_values(where)
        elif self.values:
            raise InvalidInput(f"{self.type} columns have no list of values.", where=where, hint="Use type = 'enum'.")

    @property
    def numeric(self) -> bool:
        """Whether the column is real or integer."""
        return self.type in (ColumnType.REAL, ColumnType.INTEGER)

    @property
    def edges(self) -> tuple[Decimal, ...]:
        """The edges of BUCKET(column), low and high included; empty where none are declared."""
        if not self.buckets or self.low is None or self.high is None:
            return ()
        return tuple(sorted({self.low, *self.buckets, self.high}))

    def _check_number(self, where: str) -> None:
        if self.low is None or self.high is None:
            raise InvalidInput("a numeric column needs low and high.", where=where, hint="Values outside are clamped.")
        for bound in (self.low, self.high, *self.buckets):
            _check_decimal(bound, where)
            if self.type is ColumnType.INTEGER and bound != bound.to_integral_value():
                raise InvalidInput(f"{bound} is not a whole number.", where=where)
        if self.low >= self.high:
            raise InvalidInput(f"low {self.low} is not below high {self.high}.", where=where)
        if len(self.buckets) > MAX_BUCKETS or list(self.buckets) != sorted(set(self.buckets)):
            raise InvalidInput(f"buckets must be at most {MAX_BUCKETS} rising edges.", where=where)
        # Homes compute with doubles: what is different here must be different there.
        if float(self.low) >= float(self.high) or len({float(edge) for edge in self.edges}) != len(self.edges):
            raise InvalidInput(
                "two bounds or edges are the same number in the precision that homes compute with.",
                where=where,
                hint="Use fewer digits: some 15 count.",
            )
        if self.buckets and not (self.low <= self.buckets[0] and self.buckets[-1] <= self.high):
            raise InvalidInput("an edge of the buckets lies outside low and high.", where=where)

    def _check_values(self, where: str) -> None:
        if not 1 <= len(self.values) <= MAX_ENUM_VALUES or len(set(self.values)) != len(self.values):
            raise InvalidInput(f"an enum needs 1 to {MAX_ENUM_VALUES} different values.", where=where)
        whole = all(type(value) is int and abs(value) <= MAX_MAGNITUDE for value in self.values)
        text = all(isinstance(value, str) and _clean_text(value) for value in self.values)
        if not whole and not text:
            raise InvalidInput(
                "the values must be all whole numbers or all strings without spaces at their ends.", where=where
            )

    def payload(self) -> dict[str, object]:
        """The column as it stands in a `dataset` statement; absent options are left out."""
        out: dict[str, object] = {"name": self.name, "type": str(self.type)}
        if self.low is not None and self.high is not None:
            out |= {"low": decimal_text(self.low), "high": decimal_text(self.high)}
        if self.unit:
            out["unit"] = self.unit
        if self.values:
            out["values"] = list(self.values)
        if self.buckets:
            out["buckets"] = [decimal_text(edge) for edge in self.buckets]
        if self.required:
            out["required"] = 1
        if self.per_household:
            out["per_household"] = 1
        return out

    @classmethod
    def from_payload(cls, payload: object) -> Column:
        """Read what `payload()` wrote; unknown fields and other spellings of the same are refused."""
        fields = _fields(payload, "column", {"name", "type"}, _COLUMN_FIELDS)
        where = f"column {str(fields['name'])[:60]!r}"
        column = cls(
            name=_text(fields["name"], where),
            type=_column_type(fields["type"], where),
            low=_decimal(fields.get("low"), where),
            high=_decimal(fields.get("high"), where),
            unit=_text(fields.get("unit", ""), where),
            values=_values(fields.get("values", []), where),
            required=_flag(fields.get("required", 0), where),
            per_household=_flag(fields.get("per_household", 0), where),
            buckets=tuple(_present(_decimal(edge, where), where) for edge in _list(fields.get("buckets", []), where)),
        )
        if column.payload() != payload:
            raise InvalidInput("the definition is not in its one canonical spelling.", where=where)
        return column


@dataclass(frozen=True, slots=True)
class DataSet:
    """A registered table: one row per observation in a home, times local to `timezone` (IANA).

    Raises InvalidInput for a name, category, zone or set of columns that cannot be.
    """

    name: str
    description: str
    category: str
    timezone: str
    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        where = f"data set {self.name!r}"
        if not _NAME.fullmatch(self.name) or "__" in self.name:
            raise InvalidInput(
                "this cannot be a data set's name.",
                where=where,
                hint="Use a small letter, then small letters, digits and single underscores, 40 at most.",
            )
        if not self.description.strip() or len(self.description) > MAX_TEXT:
            raise InvalidInput(f"the description must have 1 to {MAX_TEXT} characters.", where=where)
        if not _CATEGORY.fullmatch(self.category):
            raise InvalidInput(
                f"{self.category!r} is no DPV category of personal data.",
                where=where,
                hint="Write e.g. 'pd:Financial'.",
            )
        zone(self.timezone, where)
        if not 1 <= len(self.columns) <= MAX_COLUMNS:
            raise InvalidInput(f"a data set has 1 to {MAX_COLUMNS} columns.", where=where)
        if len({column.name.lower() for column in self.columns}) != len(self.columns):
            raise InvalidInput("two columns have the same name (capital letters do not count).", where=where)

    def column(self, name: str) -> Column:
        """The column of that name, whatever its capitals; NotFound otherwise."""
        for column in self.columns:
            if column.name.lower() == name.lower():
                return column
        raise NotFound(
            f"the data set {self.name} has no column {name!r}.",
            hint="It has " + ", ".join(column.name for column in self.columns) + ".",
        )

    @property
    def time_column(self) -> Column | None:
        """The first timestamp column: a job's `period` and the budget periods are quarters of this one."""
        return next((column for column in self.columns if column.type is ColumnType.TIMESTAMP), None)

    def payload(self) -> dict[str, object]:
        """The definition as it stands in a `dataset` statement (which adds the cooperative)."""
        return {
            "name": self.name,
            "description": self.description,
            "category": self.category,
            "timezone": self.timezone,
            "columns": [column.payload() for column in self.columns],
        }

    @classmethod
    def from_payload(cls, payload: object) -> DataSet:
        """Read what `payload()` wrote; unknown fields are refused (InvalidInput)."""
        names = {"name", "description", "category", "timezone", "columns"}
        fields = _fields(payload, "data set", names, names)
        where = f"data set {str(fields['name'])[:60]!r}"
        return cls(
            name=_text(fields["name"], where),
            description=_text(fields["description"], where),
            category=_text(fields["category"], where),
            timezone=_text(fields["timezone"], where),
            columns=tuple(Column.from_payload(column) for column in _list(fields["columns"], where)),
        )


_COLUMN_FIELDS = {"name", "type", "low", "high", "unit", "values", "required", "per_household", "buckets"}


def zone(name: str, where: str) -> zoneinfo.ZoneInfo:
    """The IANA time zone of that name; InvalidInput if there is none."""
    try:
        if len(name) > 64 or not _ZONE.fullmatch(name):
            raise ValueError(name)
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise InvalidInput(
            f"{name[:80]!r} is no time zone.", where=where, hint="Write an IANA name such as 'Europe/Rome'."
        ) from None


def decimal_text(value: Decimal) -> str:
    """The one spelling of a bound: no exponent, no trailing zeros, no negative zero."""
    return format(value.normalize() + 0, "f")


def _check_decimal(value: Decimal, where: str) -> None:
    if not value.is_finite() or abs(value) > MAX_MAGNITUDE or value != round(value, MAX_DECIMALS):
        raise InvalidInput(
            f"{value} is not a number between -10^15 and 10^15 with at most {MAX_DECIMALS} decimals.", where=where
        )


def _clean_text(value: str) -> bool:
    return 0 < len(value) <= MAX_VALUE_TEXT and value == value.strip() and is_plain(value)


def _fields(payload: object, what: str, needed: Iterable[str], known: Iterable[str]) -> Mapping[str, object]:
    if not isinstance(payload, dict):
        raise InvalidInput(f"the definition of a {what} must be an object.", where=what)
    missing, unknown = set(needed) - payload.keys(), payload.keys() - set(known)
    if missing or unknown:
        names = ", ".join(sorted(str(name)[:60] for name in (missing or unknown)))
        raise InvalidInput(f"{'missing' if missing else 'unknown'} field: {names}.", where=what)
    return payload


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise InvalidInput(f"a string of at most {MAX_TEXT} characters is expected.", where=where)
    return value


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list) or len(value) > MAX_ENUM_VALUES:
        raise InvalidInput(f"a list of at most {MAX_ENUM_VALUES} elements is expected.", where=where)
    return value


def _values(value: object, where: str) -> tuple[int, ...] | tuple[str, ...]:
    items = _list(value, where)
    if all(isinstance(item, str) for item in items):
        return tuple(str(item) for item in items)
    whole = tuple(item for item in items if isinstance(item, int) and not isinstance(item, bool))
    if len(whole) != len(items):
        raise InvalidInput("the values must be all whole numbers or all strings.", where=where)
    return whole


def _flag(value: object, where: str) -> bool:
    if type(value) is not int or value not in (0, 1):
        raise InvalidInput("a flag must be 1 or be left out.", where=where)
    return bool(value)


def _column_type(value: object, where: str) -> ColumnType:
    if not isinstance(value, str) or value not in set(ColumnType):
        raise InvalidInput(
            f"{str(value)[:60]!r} is no type.", where=where, hint="Use real, integer, enum or timestamp."
        )
    return ColumnType(value)


def _decimal(value: object, where: str) -> Decimal | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > 32:
        raise InvalidInput("a number must be written as a decimal string.", where=where)
    try:
        return Decimal(value)
    except InvalidOperation:
        raise InvalidInput(f"{value!r} is no decimal number.", where=where) from None


def _present(value: Decimal | None, where: str) -> Decimal:
    if value is None:
        raise InvalidInput("an edge of the buckets is missing.", where=where)
    return value
