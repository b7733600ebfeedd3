"""A data set with every kind of column, homes that hold rows of it, and random queries with a second opinion.

`RandomQueries` writes the text of a query together with Python functions that say what it means; they share nothing
with the code under test. Literals and values are multiples of 1/8, so that sums are exact whatever their order.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from vicinia.errors import InvalidInput
from vicinia.query.cleaner import CleanRow, RowCleaner, row_key
from vicinia.query.column import Column, ColumnType
from vicinia.query.dataset import DataSet
from vicinia.query.plan import compile_query
from vicinia.query.schema import create_table_sql, insert_sql

REAL, INTEGER, ENUM, TIMESTAMP = ColumnType.REAL, ColumnType.INTEGER, ColumnType.ENUM, ColumnType.TIMESTAMP
ROME = ZoneInfo("Europe/Rome")

ENERGY = DataSet(
    "energy",
    "Quarter-hour readings",
    "pd:Energy",
    "Europe/Rome",
    (
        Column("ts", TIMESTAMP, required=True),
        Column("kwh", REAL, Decimal(0), Decimal(10), "kWh", required=True, buckets=(Decimal(1), Decimal("2.5"))),
        Column("temp", INTEGER, Decimal(-30), Decimal(50)),
        Column("kids", ENUM, values=(1, 2, 3), per_household=True),
        Column("region", ENUM, values=("north", "south", "o'k")),
        Column("order", REAL, Decimal("-0.5"), Decimal(1)),
    ),
)
REGISTRY = {ENERGY.name: ENERGY}

Row = dict[str, object]
Value = Callable[[Row], float | None]
Truth = Callable[[Row], bool | None]
KeyOf = Callable[[Row], object]


def store(rows: Sequence[Mapping[str, object]], dataset: DataSet = ENERGY) -> sqlite3.Connection:
    """A home's store with these rows, imported by the cleaning rule."""
    connection = sqlite3.connect(":memory:")
    connection.execute(create_table_sql(dataset))
    cleaner = RowCleaner(dataset, {})
    for number, raw in enumerate(rows):
        row = cleaner.clean(raw)  # type: ignore[arg-type]
        assert isinstance(row, CleanRow), row
        connection.execute(insert_sql(dataset), (row_key(dataset, row, number), "test", *row.values))
    return connection


def random_rows(random: Random, count: int) -> list[Row]:
    """Clean rows of one home: `kids` is constant, a tenth of what may be missing is."""
    kids = random.choice([1, 2, 3])
    start = datetime(2014, 1, 1, tzinfo=UTC)

    def row() -> Row:
        return {
            "ts": (start + timedelta(minutes=15 * random.randrange(35_040))).astimezone(ROME),
            "kwh": random.randrange(81) / 8,
            "temp": random.choice([None, *(random.randrange(-30, 51) for _ in range(9))]),
            "kids": kids,
            "region": random.choice([None, "north", "north", "south", "o'k"]),
            "order": random.choice([None, *(random.randrange(-4, 9) / 8 for _ in range(9))]),
        }

    return [row() for _ in range(count)]


@dataclass(frozen=True)
class Key:
    """A key as text, what it is of a row, and its domain."""

    text: str
    of: KeyOf
    domain: tuple[object, ...]


@dataclass(frozen=True)
class Wanted:
    """An aggregate as text, with what is needed to compute it otherwise."""

    text: str
    kind: str
    of: Value
    low: float = 0.0
    high: float = 1.0
    number: int = 1


@dataclass(frozen=True)
class Query:
    """A query's text and its meaning."""

    text: str
    keys: tuple[Key, ...]
    wanted: tuple[Wanted, ...]
    where: Truth


def _bucket(row: Row) -> object:
    value = row["kwh"]
    assert isinstance(value, float)
    return "[0, 1)" if value < 1 else "[1, 2.5)" if value < 2.5 else "[2.5, 10]"


def _part(name: str) -> Callable[[Row], int]:
    def of(row: Row) -> int:
        moment = row["ts"]
        assert isinstance(moment, datetime)
        return {"HOUR": moment.hour, "DAYOFWEEK": moment.isoweekday(), "MONTH": moment.month}[name]

    return of


KEYS = (
    Key("kids", lambda row: row["kids"], (1, 2, 3)),
    Key("region", lambda row: row["region"], ("north", "south", "o'k")),
    Key("HOUR(ts)", _part("HOUR"), tuple(range(24))),
    Key("DAYOFWEEK(ts)", _part("DAYOFWEEK"), tuple(range(1, 8))),
    Key("MONTH(ts)", _part("MONTH"), tuple(range(1, 13))),
    Key("BUCKET(kwh)", _bucket, ("[0, 1)", "[1, 2.5)", "[2.5, 10]")),
)


class RandomQueries:
    """Random queries out of the whole grammar."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def query(self, cells: bool = False) -> Query:
        """A query that some row could match; with `cells`, sometimes with CELLS(m)."""
        while not _may_match(drawn := self._drawn(cells)):
            pass
        return drawn

    def _drawn(self, cells: bool) -> Query:
        random = self.random
        keys = tuple(random.sample(KEYS, random.choice([0, 1, 1, 2])))
        wanted = tuple({w.text: w for w in (self.wanted() for _ in range(random.randint(1, 4)))}.values())
        where: tuple[str, Truth] = self.predicate(2) if random.random() < 0.6 else ("", lambda row: True)
        items = [*(key.text for key in keys), *(each.text for each in wanted)]
        random.shuffle(items)
        keys = tuple(sorted(keys, key=lambda key: items.index(key.text)))
        wanted = tuple(sorted(wanted, key=lambda each: items.index(each.text)))
        if cells and random.random() < 0.5:
            items.insert(0, f"CELLS({random.randint(1, 5)})")
        text = f"SELECT {', '.join(items)} FROM energy"
        text += f" WHERE {where[0]}" if where[0] else ""
        grouped = [key.text for key in keys]
        random.shuffle(grouped)
        text += f" GROUP BY {', '.join(grouped)}" if grouped else ""
        return Query(text, keys, wanted, where[1])

    def number(self) -> tuple[str, float]:
        """A literal, a multiple of 1/8."""
        value = self.random.randrange(-40, 41) / 8
        text = f"{value:g}"
        return (text[:-2] if text.endswith(".0") else text), (int(value) if value == int(value) else value)

    def expression(self, depth: int) -> tuple[str, Value]:
        """Arithmetic and its meaning: a missing operand makes the result missing."""
        random = self.random
        if depth == 0 or random.random() < 0.4:
            name = random.choice(["kwh", "kwh", "temp", "kids", '"order"', "HOUR(ts)", "1"])
            if name == "1":
                text, value = self.number()
                return text, lambda row: value
            if name == "HOUR(ts)":
                return name, _part("HOUR")
            return name, lambda row: row[name.strip('"')]
        (left, of_left), (right, of_right) = self.expression(depth - 1), self.expression(depth - 1)
        operator = random.choice("+-*")

        def of(row: Row) -> float | None:
            a, b = of_left(row), of_right(row)
            if a is None or b is None:
                return None
            return a + b if operator == "+" else a - b if operator == "-" else a * b

        return f"({left}) {operator} ({right})", of

    def predicate(self, depth: int) -> tuple[str, Truth]:
        """A predicate and its truth: None where it is unknown."""
        random = self.random
        if depth and random.random() < 0.6:
            (left, of_left), (right, of_right) = self.predicate(depth - 1), self.predicate(depth - 1)
            word = random.choice(["AND", "OR", "NOT"])
            if word == "NOT":
                return f"NOT ({left})", lambda row: None if (truth := of_left(row)) is None else not truth
            decisive = word == "OR"

            def of(row: Row) -> bool | None:
                truths = (of_left(row), of_right(row))
                return decisive if decisive in truths else None if None in truths else not decisive

            return f"({left}) {word} ({right})", of
        return self._test()

    def _test(self) -> tuple[str, Truth]:
        random = self.random
        text, of = self.expression(1)
        kind = random.choice(["compare", "between", "in", "null", "text", "time"])
        if kind == "compare":
            operator = random.choice(["=", "<", "<=", ">", ">=", "<>", "!="])
            right, of_right = self.expression(1)
            return f"{text} {operator} {right}", _known(
                lambda a, b: {
                    "=": a == b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "<>": a != b, "!=": a != b
                }[operator], of, of_right,
            )  # fmt: skip
        if kind == "between":
            (low, a), (high, b) = self.number(), self.number()
            return f"{text} NOT BETWEEN {low} AND {high}", _known(lambda v: not a <= v <= b, of)
        if kind == "in":
            numbers = [self.number() for _ in range(3)]
            listed = ", ".join(n[0] for n in numbers)
            return f"{text} IN ({listed})", _known(lambda v: v in [n[1] for n in numbers], of)
        if kind == "null":
            return f"{text} IS NOT NULL", lambda row: of(row) is not None
        if kind == "time":
            edge = datetime(2014, 7, 1, tzinfo=ROME)
            return "ts >= '2014-07-01'", lambda row: row["ts"] >= edge
        return "region <> 'o''k'", lambda row: None if row["region"] is None else row["region"] != "o'k"

    def wanted(self) -> Wanted:
        """An aggregate; equal texts mean the same."""
        random = self.random
        kind = random.choice(["COUNT", "CAP", "SUM", "AVG", "AVG", "VAR", "STDDEV", "HISTOGRAM"])
        if kind == "COUNT":
            return Wanted("COUNT(DISTINCT household)", kind, lambda row: 1.0)
        if kind == "CAP":
            cap = random.choice([1, 3, 10])
            return Wanted(f"COUNT(CAP(*, {cap}))", kind, lambda row: 1.0, number=cap)
        text, of = self.expression(2)
        if kind in ("AVG", "VAR", "STDDEV") and random.random() < 0.4:
            return Wanted(f"{kind}(kwh - temp)", kind, _known(lambda a, b: a - b, _of("kwh"), _of("temp")), -50, 40)
        low = random.randrange(-20, 10)
        high = low + random.randrange(1, 40)
        inner = f"BOUND({text}, {low}, {high})"
        if kind == "HISTOGRAM":
            bins = random.choice([2, 5, 10])
            return Wanted(f"HISTOGRAM({inner}, {bins})", kind, of, low, high, bins)
        return Wanted(f"{kind}({inner})", kind, of, low, high)


def _may_match(query: Query) -> bool:
    """Whether the query is not refused for a WHERE that the definition rules out; other refusals show in the tests."""
    try:
        compile_query(query.text, REGISTRY)
    except InvalidInput as refusal:
        return not re.search("No row can match|is no value of|leaves no value", refusal.what)
    return True


def _of(name: str) -> Value:
    return lambda row: row[name]  # type: ignore[return-value]


def _known(function: Callable[..., Any], *values: Value) -> Callable[[Row], Any]:
    """The function of the values, unknown where one is missing."""

    def of(row: Row) -> Any:
        found = [value(row) for value in values]
        return None if None in found else function(*found)

    return of
