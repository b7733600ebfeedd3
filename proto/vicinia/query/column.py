"""One column of a registered data set: its type, its bounds or values, and their one spelling in the log.

Bounds travel as decimal strings: a payload holds no float. Loaded by the home's daemon: neither numpy nor sqlglot.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from vicinia.errors import InvalidInput
from vicinia.query.payload import MAX_ENUM_VALUES, decimal_of, fields_of, flag_of, list_of, text_of, values_of
from vicinia.tlog.characters import is_plain

__all__ = ["MAX_DECIMALS", "MAX_MAGNITUDE", "Column", "ColumnType", "decimal_text"]

MAX_BUCKETS = 100
MAX_VALUE_TEXT = 200
MAX_MAGNITUDE = Decimal(10) ** 15
MAX_DECIMALS = 12

_COLUMN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}", re.ASCII)
# `household` is what COUNT(DISTINCT household) counts; the other two are columns of every local table.
_RESERVED = frozenset({"household", "row_key", "source", "rowid", "oid"})
_FIELDS = {"name", "type", "low", "high", "unit", "values", "required", "per_household", "buckets"}


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
                "This cannot be a column's name.",
                where=where,
                hint="Use a letter, then letters, digits and single underscores, 40 at most, and none of "
                + ", ".join(sorted(_RESERVED))
                + ".",
            )
        if len(self.unit) > 40 or not is_plain(self.unit):
            raise InvalidInput("The unit is longer than 40 characters or not printable.", where=where)
        if self.numeric:
            self._check_number(where)
        elif self.low is not None or self.high is not None or self.buckets:
            raise InvalidInput(f"Columns of type {self.type} have neither low, high nor buckets.", where=where)
        if self.type is ColumnType.ENUM:
            self._check_values(where)
        elif self.values:
            raise InvalidInput(
                f"Columns of type {self.type} have no list of values.", where=where, hint="Use type = 'enum'."
            )

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
            raise InvalidInput("A numeric column needs low and high.", where=where, hint="Values outside are clamped.")
        for bound in (self.low, self.high, *self.buckets):
            _check_decimal(bound, where)
            if self.type is ColumnType.INTEGER and bound != bound.to_integral_value():
                raise InvalidInput(f"{bound} is not a whole number.", where=where)
        if self.low >= self.high:
            raise InvalidInput(f"`low` = {self.low} is not below `high` = {self.high}.", where=where)
        if len(self.buckets) > MAX_BUCKETS or list(self.buckets) != sorted(set(self.buckets)):
            raise InvalidInput(f"Buckets must be at most {MAX_BUCKETS} rising edges.", where=where)
        # Homes compute with doubles: what is different here must be different there.
        if float(self.low) >= float(self.high) or len({float(edge) for edge in self.edges}) != len(self.edges):
            raise InvalidInput(
                "Two bounds or edges are the same number in the precision that homes compute with.",
                where=where,
                hint="Use fewer digits: some 15 count.",
            )
        if self.buckets and not (self.low <= self.buckets[0] and self.buckets[-1] <= self.high):
            raise InvalidInput("An edge of the buckets lies outside low and high.", where=where)

    def _check_values(self, where: str) -> None:
        if not 1 <= len(self.values) <= MAX_ENUM_VALUES or len(set(self.values)) != len(self.values):
            raise InvalidInput(f"An enum needs 1 to {MAX_ENUM_VALUES} different values.", where=where)
        whole = all(type(value) is int and abs(value) <= MAX_MAGNITUDE for value in self.values)
        text = all(isinstance(value, str) and _clean_text(value) for value in self.values)
        if not whole and not text:
            raise InvalidInput(
                "The values must be all whole numbers or all strings without spaces at their ends.", where=where
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
        fields = fields_of(payload, "column", {"name", "type"}, _FIELDS)
        where = f"column {str(fields['name'])[:60]!r}"
        column = cls(
            name=text_of(fields["name"], where),
            type=_column_type(fields["type"], where),
            low=decimal_of(fields.get("low"), where),
            high=decimal_of(fields.get("high"), where),
            unit=text_of(fields.get("unit", ""), where),
            values=values_of(fields.get("values", []), where),
            required=flag_of(fields.get("required", 0), where),
            per_household=flag_of(fields.get("per_household", 0), where),
            buckets=tuple(
                _present(decimal_of(edge, where), where) for edge in list_of(fields.get("buckets", []), where)
            ),
        )
        if column.payload() != payload:
            raise InvalidInput("The definition is not in its one canonical spelling.", where=where)
        return column


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


def _column_type(value: object, where: str) -> ColumnType:
    if not isinstance(value, str) or value not in set(ColumnType):
        raise InvalidInput(
            f"{str(value)[:60]!r} is no type.", where=where, hint="Use real, integer, enum or timestamp."
        )
    return ColumnType(value)


def _present(value: Decimal | None, where: str) -> Decimal:
    if value is None:
        raise InvalidInput("An edge of the buckets is missing.", where=where)
    return value
