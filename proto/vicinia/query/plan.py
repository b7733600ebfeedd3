"""The frozen plan of a query: everything that follows from its text and the definition, and from nothing else.

Every home and the researcher compile the text by themselves and must come to the same plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from math import prod

from vicinia.errors import TooLarge
from vicinia.query.column import Column
from vicinia.query.dataset import DataSet
from vicinia.query.expression import PARTS, Expression, PartOf, Reference, number_text
from vicinia.query.layout import MAX_ELEMENTS, Group, GroupKind, Layout
from vicinia.query.possibility import Subject, values_left
from vicinia.query.predicate import Predicate

__all__ = ["Aggregate", "AggregateKind", "Key", "KeyKind", "Plan", "compile_query"]


class KeyKind(StrEnum):
    """How a key's value follows from a row."""

    ENUM = "enum"
    PART = "part"
    BUCKET = "bucket"


@dataclass(frozen=True, slots=True)
class Key:
    """A GROUP BY key: an enum column, a local part of a timestamp (`function`), or declared buckets of a number.

    `left`: the values that WHERE leaves possible, None for all of them.
    """

    kind: KeyKind
    column: Column
    function: str = ""
    left: tuple[str | int, ...] | None = None

    @property
    def name(self) -> str:
        """The key as results name it: `kids`, `HOUR(ts)`, `BUCKET(miles)`."""
        return f"{self.function}({self.column.name})" if self.function else self.column.name

    @property
    def domain(self) -> tuple[str | int, ...]:
        """The values that get a cell, in order; a bucket is `[low, high)`, the last one closed."""
        return self.every if self.left is None else self.left

    @property
    def every(self) -> tuple[str | int, ...]:
        """Every value of the definition, whatever WHERE says."""
        if self.kind is KeyKind.ENUM:
            return self.column.values
        if self.kind is KeyKind.PART:
            _suffix, low, high = PARTS[self.function]
            return tuple(range(low, high + 1))
        edges = [number_text(Fraction(edge)) for edge in self.column.edges]
        pairs = list(pairwise(edges))
        ends = [")"] * (len(pairs) - 1) + ["]"]
        return tuple(f"[{low}, {high}{end}" for (low, high), end in zip(pairs, ends, strict=True))

    def within(self, where: Predicate | None) -> Key:
        """The key without the values that no row which satisfies the predicate can have."""
        match self.kind:
            case KeyKind.BUCKET:
                return self
            case KeyKind.PART:
                subject: Subject = PartOf(self.function, self.column)
            case KeyKind.ENUM:
                text = isinstance(self.column.values[0], str)
                subject = self.column if text else Reference(self.column)
        found = values_left(where, subject)
        return self if len(found) == len(self.every) else replace(self, left=found)


class AggregateKind(StrEnum):
    """The aggregates of the subset."""

    COUNT = "COUNT"
    CAPPED = "CAPPED"
    SUM = "SUM"
    AVG = "AVG"
    VAR = "VAR"
    STDDEV = "STDDEV"
    HISTOGRAM = "HISTOGRAM"


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A column of the result. `label` is its text in one spelling; `cap` and `bins` only where they have a meaning."""

    kind: AggregateKind
    label: str
    expression: Expression | None = None
    low: Fraction = Fraction(0)
    high: Fraction = Fraction(1)
    cap: int = 1
    bins: int = 1

    @property
    def denominator(self) -> Group:
        """Homes with a value. Where no row can lack one, that is homes with a row: COUNT(DISTINCT household)."""
        if self.expression is None or all(column.required for column in self.expression.columns):
            return Group(GroupKind.COUNT)
        return Group(GroupKind.PRESENT, self.expression)

    def group(self, kind: GroupKind) -> Group:
        """The aggregate's own group of that kind."""
        return Group(kind, self.expression, self.low, self.high)

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups of slots that it is computed from."""
        match self.kind:
            case AggregateKind.COUNT | AggregateKind.CAPPED:
                return (Group(GroupKind.COUNT, cap=self.cap),)
            case AggregateKind.SUM:
                return (self.group(GroupKind.TOTAL),)
            case AggregateKind.AVG:
                return (self.denominator, self.group(GroupKind.MEAN))
            case AggregateKind.VAR | AggregateKind.STDDEV:
                return (self.denominator, self.group(GroupKind.MEAN), self.group(GroupKind.SQUARE))
            case AggregateKind.HISTOGRAM:
                return (Group(GroupKind.BINS, self.expression, self.low, self.high, width=self.bins),)


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled query over one data set. `cells_limit`: CELLS(m), or None."""

    query: str
    dataset: DataSet
    cells_limit: int | None
    keys: tuple[Key, ...]
    aggregates: tuple[Aggregate, ...]
    where: Predicate | None
    layout: Layout

    @property
    def datasets(self) -> tuple[DataSet, ...]:
        """The data sets that it reads: one."""
        return (self.dataset,)


def layout_of(keys: tuple[Key, ...], aggregates: tuple[Aggregate, ...], cells_limit: int | None) -> Layout:
    """The vector of these keys and aggregates; TooLarge above MAX_ELEMENTS."""
    groups = tuple(dict.fromkeys(group for aggregate in aggregates for group in aggregate.groups))
    domains = tuple(key.domain for key in keys)
    elements = prod(len(domain) for domain in domains) * sum(group.width for group in groups)
    if elements > MAX_ELEMENTS:
        raise TooLarge(
            f"The result would have {elements:,} numbers, more than {MAX_ELEMENTS:,}.",
            where="query 1:1",
            hint="Use fewer keys, fewer bins or coarser buckets.",
        )
    touched = prod(len(key.domain) for key in keys if not key.column.per_household)
    l0 = touched if cells_limit is None else min(touched, cells_limit)
    return Layout(tuple(key.name for key in keys), domains, groups, l0)


def compile_query(text: str, datasets: Mapping[str, DataSet]) -> Plan:
    """The plan of a query over one of these data sets (name -> definition).

    Raises InvalidInput, with the line and column as `query 1:23`, for everything outside of the subset, and TooLarge
    for a text or a vector above the limits (`scanner`, `layout`).
    """
    # sqlglot costs memory and time: only who compiles a query loads it.
    from vicinia.query.parser import parse

    return parse(text, datasets)
