"""WHERE: which rows of a household count. SQL's three-valued logic: a row counts where the predicate is true."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from vicinia.query.column import Column
from vicinia.query.expression import Expression

__all__ = ["Among", "Between", "Both", "Comparison", "Either", "IsNull", "NotTrue", "OneOf", "Predicate"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """left = < <= > >= <> right."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Between:
    """low <= of <= high."""

    of: Expression
    low: Expression
    high: Expression


@dataclass(frozen=True, slots=True)
class OneOf:
    """A number among literals."""

    of: Expression
    values: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class Among:
    """A text enum among values that its definition lists."""

    column: Column
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IsNull:
    """The expression or text enum has no value."""

    of: Expression | Column


@dataclass(frozen=True, slots=True)
class NotTrue:
    """NOT of: unknown stays unknown."""

    of: Predicate


@dataclass(frozen=True, slots=True)
class Both:
    """left AND right."""

    left: Predicate
    right: Predicate


@dataclass(frozen=True, slots=True)
class Either:
    """left OR right."""

    left: Predicate
    right: Predicate


Predicate = Comparison | Between | OneOf | Among | IsNull | NotTrue | Both | Either
