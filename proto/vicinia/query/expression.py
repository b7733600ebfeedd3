"""Arithmetic over one row: numbers, columns, local parts of times, + - *, each with its static bounds.

Bounds follow from the definition by interval arithmetic in exact fractions, so they are the same in every home.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from vicinia.query.column import Column, ColumnType

__all__ = ["PARTS", "Binary", "Expression", "Negated", "Number", "PartOf", "Reference", "number_text"]

PARTS = {"HOUR": ("hour", 0, 23), "DAYOFWEEK": ("dow", 1, 7), "MONTH": ("month", 1, 12)}
"""Function -> (suffix of the stored column, smallest, largest value)."""

# 1900 to 2199: no stored time lies outside (schema).
_TIME_BOUNDS = (Fraction(-2_208_988_800 - 86_400), Fraction(7_258_118_400 + 86_400))


@dataclass(frozen=True, slots=True)
class Number:
    """A literal."""

    value: Fraction

    @property
    def bounds(self) -> tuple[Fraction, Fraction]:
        """The literal itself, twice."""
        return self.value, self.value

    @property
    def columns(self) -> frozenset[Column]:
        """None."""
        return frozenset()

    @property
    def text(self) -> str:
        """The literal as a decimal."""
        return number_text(self.value)


@dataclass(frozen=True, slots=True)
class Reference:
    """The value of a column: real, integer, an enum of whole numbers, or the epoch seconds of a timestamp."""

    column: Column

    @property
    def bounds(self) -> tuple[Fraction, Fraction]:
        """The registered bounds, or those of the listed values."""
        column = self.column
        if column.low is not None and column.high is not None:
            return Fraction(column.low), Fraction(column.high)
        if column.type is ColumnType.ENUM:
            whole = [value for value in column.values if isinstance(value, int)]
            return Fraction(min(whole)), Fraction(max(whole))
        return _TIME_BOUNDS

    @property
    def columns(self) -> frozenset[Column]:
        """The column."""
        return frozenset((self.column,))

    @property
    def text(self) -> str:
        """The column's name."""
        return self.column.name


@dataclass(frozen=True, slots=True)
class PartOf:
    """HOUR, DAYOFWEEK or MONTH of a timestamp column, local to the data set's time zone."""

    function: str
    column: Column

    @property
    def bounds(self) -> tuple[Fraction, Fraction]:
        """0-23, 1-7 or 1-12."""
        return Fraction(PARTS[self.function][1]), Fraction(PARTS[self.function][2])

    @property
    def columns(self) -> frozenset[Column]:
        """The timestamp column."""
        return frozenset((self.column,))

    @property
    def text(self) -> str:
        """As it is written in a query."""
        return f"{self.function}({self.column.name})"


@dataclass(frozen=True, slots=True)
class Negated:
    """The value with its sign changed."""

    of: Expression

    @property
    def bounds(self) -> tuple[Fraction, Fraction]:
        """Mirrored."""
        low, high = self.of.bounds
        return -high, -low

    @property
    def columns(self) -> frozenset[Column]:
        """Those of the operand."""
        return self.of.columns

    @property
    def text(self) -> str:
        """With its sign."""
        return f"-{_inside(self.of)}"


@dataclass(frozen=True, slots=True)
class Binary:
    """left + right, left - right or left * right."""

    operator: str
    left: Expression
    right: Expression

    @property
    def bounds(self) -> tuple[Fraction, Fraction]:
        """Interval arithmetic; the operands count as independent."""
        (a, b), (c, d) = self.left.bounds, self.right.bounds
        if self.operator == "+":
            return a + c, b + d
        if self.operator == "-":
            return a - d, b - c
        corners = (a * c, a * d, b * c, b * d)
        return min(corners), max(corners)

    @property
    def columns(self) -> frozenset[Column]:
        """Those of both operands."""
        return self.left.columns | self.right.columns

    @property
    def text(self) -> str:
        """With parentheses wherever an operand is no single term."""
        return f"{_inside(self.left)} {self.operator} {_inside(self.right)}"


Expression = Number | Reference | PartOf | Negated | Binary


def number_text(value: Fraction) -> str:
    """A fraction with a finite decimal expansion as that decimal, else to 15 digits."""
    if value.denominator == 1:
        return str(value.numerator)
    scaled = value * 10**15
    if scaled.denominator == 1:
        digits = f"{abs(scaled.numerator):016d}"
        return f"{'-' if value < 0 else ''}{digits[:-15]}.{digits[-15:]}".rstrip("0")
    return f"{float(value):.15g}"


def _inside(expression: Expression) -> str:
    return f"({expression.text})" if isinstance(expression, Binary | Negated) else expression.text
