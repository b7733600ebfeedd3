"""SQL for a home's own engine, written from our own tree: one grouped statement per plan.

Nothing of the researcher's text reaches the engine: names come from the definition, numbers are printed by us, text
values are bound. The statement is total: whatever a row holds (text in a number's place, infinities, blobs, whole
numbers beyond any bound), a value is either clamped into its registered bounds or NULL, and so nothing overflows.
Every column is named with its table: a quoted name alone that the table lacks would be read as a text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from vicinia.query.column import Column, ColumnType
from vicinia.query.expression import PARTS, Binary, Expression, Negated, Number, PartOf, Reference
from vicinia.query.layout import Group, GroupKind
from vicinia.query.plan import Key, KeyKind, Plan
from vicinia.query.predicate import Among, Between, Both, Comparison, Either, IsNull, NotTrue, OneOf, Predicate
from vicinia.query.schema import quoted, table_name

__all__ = ["MAX_COST", "MAX_NESTING", "Statement", "cost", "nesting", "row_statement", "statement"]

MAX_NESTING = 20
"""SQLite's parser has a stack of 100 symbols; a level of parentheses takes up to four."""
MAX_COST = 300
"""The largest `cost` of a statement: a household-year of quarter hours then takes some 0.6 s, whatever the query."""
_TABLE = "d"
"""What the data set's table is called within a statement."""


@dataclass(frozen=True, slots=True)
class Statement:
    """The text, its bound values, and what it may read. A row of its answer: keys, COUNT(*), one value a measure.

    `measures`: expression -> place of its mean among the values; `totals`: the same of its sum.
    """

    text: str
    values: dict[str, str]
    table: str
    columns: frozenset[str]
    measures: dict[Expression, int]
    totals: dict[Expression, int]


def statement(plan: Plan, period: tuple[str, str] | None) -> Statement:
    """The statement of a plan; `period`: first and last quarter, both included, of the data set's time column."""
    writer = _Writer()
    items = [writer.key(key) for key in plan.keys]
    items.append("COUNT(*)")
    measures: dict[Expression, int] = {}
    totals: dict[Expression, int] = {}
    for group in plan.layout.groups:
        _measure(writer, group, items, measures, totals)
    text = f"SELECT {', '.join(items)} FROM {_from(plan)}"  # noqa: S608  # all of it our own
    text += writer.conditions(plan, period)
    if plan.keys:
        text += f" GROUP BY {', '.join(str(place + 1) for place in range(len(plan.keys)))}"
    return Statement(text, dict(writer.values), table_name(plan.dataset), frozenset(writer.columns), measures, totals)


def row_statement(
    plan: Plan, wanted: Sequence[Expression | Column], period: tuple[str, str] | None, limit: int
) -> Statement:
    """The rows that a plan's conditions let through, at most `limit`, each with the wanted values in their order; an
    enum column gives one of its listed values or NULL."""
    writer = _Writer()
    items = [writer.category(one) if isinstance(one, Column) else writer.expression(one) for one in wanted]
    text = f"SELECT {', '.join(items)} FROM {_from(plan)}"  # noqa: S608  # all of it our own
    text += f"{writer.conditions(plan, period)} LIMIT {int(limit)}"
    return Statement(text, dict(writer.values), table_name(plan.dataset), frozenset(writer.columns), {}, {})


def _from(plan: Plan) -> str:
    return f"{quoted(table_name(plan.dataset))} AS {_TABLE}"


def _measure(
    writer: _Writer, group: Group, items: list[str], measures: dict[Expression, int], totals: dict[Expression, int]
) -> None:
    expression = group.expression
    if expression is None:
        return
    if expression not in measures:
        measures[expression] = len(items)
        items.append(f"AVG({writer.expression(expression)})")
    if group.kind is GroupKind.TOTAL and expression not in totals:
        # TOTAL, not SUM: SUM of whole numbers can overflow, which is an error that depends on data.
        totals[expression] = len(items)
        items.append(f"TOTAL({writer.expression(expression)})")


def nesting(text: str) -> int:
    """How deeply the statement's parentheses are nested; nothing quoted in it holds one."""
    depth = deepest = 0
    for bracket in re.findall(r"[()]", text):
        depth += 1 if bracket == "(" else -1
        deepest = max(deepest, depth)
    return deepest


def cost(text: str) -> int:
    """What the statement does for one row at most: its clamped terms and its operators, 20 to 55 ns each."""
    bare = re.sub(r'"[^"]*"', "", text)
    words = re.findall(r"\bCASE\b|\bOR\b|\bNOT\b|\bAND\b| [-+*] |\(-\(", bare)
    return len(words) - bare.count(" BETWEEN ")  # whose AND is no operator


@dataclass(slots=True)
class _Writer:
    """Writes parts of the statement and gathers the columns that they read and the texts that they bind."""

    values: dict[str, str] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    _texts: dict[str, str] = field(default_factory=dict)
    columns: set[str] = field(default_factory=set)

    def name(self, column: str) -> str:
        self.columns.add(column)
        return f"{_TABLE}.{quoted(column)}"

    def bind(self, value: str) -> str:
        """A parameter for the text; equal texts share one, because engines limit how many there are."""
        name = self._names.setdefault(value, f"t{len(self._names)}")
        self.values[name] = value
        return f":{name}"

    def key(self, key: Key) -> str:
        if key.kind is KeyKind.BUCKET:
            return self._bucket(key)
        if key.kind is KeyKind.PART:
            return self._part(key.function, key.column)
        return self.category(key.column)

    def category(self, column: Column) -> str:
        """A listed value of an enum column, or NULL."""
        return self._text(column) if isinstance(column.values[0], str) else self._listed_number(column)

    def conditions(self, plan: Plan, period: tuple[str, str] | None) -> str:
        """WHERE with the period, which is enforced outside of the query, and the plan's own predicate."""
        conditions = []
        time = plan.dataset.time_column
        if period is not None and time is not None:
            conditions.append(f"({self.name(f'{time.name}__quarter')} BETWEEN {self.bind(period[0])}")
            conditions[-1] += f" AND {self.bind(period[1])})"
        if plan.where is not None:
            conditions.append(self.predicate(plan.where))
        return f" WHERE {' AND '.join(conditions)}" if conditions else ""

    def expression(self, expression: Expression) -> str:
        match expression:
            case Number(value):
                return _number(value)
            case Reference(column):
                return self._column(column, *expression.bounds)
            case PartOf(function, column):
                return self._part(function, column)
            case Negated(of):
                return f"(-{self.expression(of)})"
        return f"({self._chain(expression)})"

    def _chain(self, binary: Binary) -> str:
        """The operation without parentheses around it, nor around a left operand of the same rank."""
        left, additive = binary.left, binary.operator in "+-"
        same = isinstance(left, Binary) and (left.operator in "+-") == additive
        first = self._chain(left) if same and isinstance(left, Binary) else self.expression(left)
        return f"{first} {binary.operator} {self.expression(binary.right)}"

    def predicate(self, predicate: Predicate) -> str:
        match predicate:
            case NotTrue(of):
                return f"(NOT {self.predicate(of)})"
            case Both() | Either():
                word = " AND " if isinstance(predicate, Both) else " OR "
                return f"({word.join(self.predicate(part) for part in _parts(predicate, type(predicate)))})"
        return f"({self._test(predicate)})"

    def _test(self, test: Comparison | Between | OneOf | Among | IsNull) -> str:
        match test:
            case Comparison(operator, left, right):
                return f"{self.expression(left)} {operator} {self.expression(right)}"
            case Between(of, low, high):
                return f"{self.expression(of)} BETWEEN {self.expression(low)} AND {self.expression(high)}"
            case OneOf(of, values):
                return f"{self.expression(of)} IN ({', '.join(map(_number, values))})"
            case Among(column, texts):
                return f"{self.name(column.name)} IN ({', '.join(map(self.bind, texts))})"
        tested = self._text(test.of) if isinstance(test.of, Column) else self.expression(test.of)
        return f"{tested} IS NULL"

    def _column(self, column: Column, low: Fraction, high: Fraction) -> str:
        """The clamped value; NULL for what is no number. The first branch is the common one: keep it first."""
        if column.type is ColumnType.ENUM:
            return self._listed_number(column)
        name, low_text, high_text = self.name(column.name), _number(low), _number(high)
        return (
            f"CASE WHEN {name} BETWEEN {low_text} AND {high_text} THEN {name} "
            f"WHEN typeof({name}) IN ('integer', 'real') THEN MIN(MAX({name}, {low_text}), {high_text}) END"
        )

    def _listed_number(self, column: Column) -> str:
        name = self.name(column.name)
        listed = ", ".join(str(int(value)) for value in column.values)
        return f"CASE WHEN {name} IN ({listed}) THEN {name} END"

    def _text(self, column: Column) -> str:
        """A listed text or NULL: no other text ever comes back from the engine."""
        if column.name not in self._texts:
            name, listed = self.name(column.name), ", ".join(self.bind(str(value)) for value in column.values)
            self._texts[column.name] = f"CASE WHEN {name} IN ({listed}) THEN {name} END"
        return self._texts[column.name]

    def _part(self, function: str, column: Column) -> str:
        suffix, low, high = PARTS[function]
        name = self.name(f"{column.name}__{suffix}")
        return f"CASE WHEN {name} BETWEEN {low} AND {high} THEN {name} END"

    def _bucket(self, key: Key) -> str:
        """The number of the bucket, from 0."""
        edges = [_number(Fraction(edge)) for edge in key.column.edges]
        value = self._column(key.column, *Reference(key.column).bounds)
        whens = [f"WHEN {value} < {edge} THEN {place}" for place, edge in enumerate(edges[1:-1])]
        whens.append(f"WHEN {value} <= {edges[-1]} THEN {len(edges) - 2}")
        return f"CASE {' '.join(whens)} END"


def _parts(predicate: Predicate, kind: type[Both | Either]) -> list[Predicate]:
    """The members of a chain of ANDs, or of ORs, however they were bracketed."""
    if isinstance(predicate, Both | Either) and isinstance(predicate, kind):
        return _parts(predicate.left, kind) + _parts(predicate.right, kind)
    return [predicate]


def _number(value: Fraction) -> str:
    """A number as SQLite reads it back to the same double, or the same whole number."""
    text = str(value.numerator) if value.denominator == 1 else repr(float(value))
    return f"({text})" if value < 0 else text
