"""Pooled results equal a reference written from the query's meaning, over random queries and homes."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from protocol.query.samples import REGISTRY, Query, RandomQueries, Row, Wanted, random_rows, store
from vicinia.query.finalise import pooled
from vicinia.query.local import household_vector
from vicinia.query.plan import compile_query

Home = dict[tuple[object, ...], list[Row]]
Answer = tuple[dict[str, object], float | None]


def _mean(home: list[Row], wanted: Wanted) -> float | None:
    values = [value for value in map(wanted.of, home) if value is not None]
    return min(max(math.fsum(values) / len(values), wanted.low), wanted.high) if values else None


def _total(home: list[Row], wanted: Wanted) -> float:
    values = [value for value in map(wanted.of, home) if value is not None]
    return min(max(math.fsum(values), wanted.low), wanted.high) if values else 0.0


def _values(wanted: Wanted, homes: list[list[Row]]) -> list[float | None]:
    """The statistic over the homes that have rows in a cell."""
    if wanted.kind in ("COUNT", "CAP"):
        return [float(sum(min(len(home), wanted.number) for home in homes))]
    if wanted.kind == "SUM":
        return [math.fsum(_total(home, wanted) for home in homes)]
    means = [mean for mean in (_mean(home, wanted) for home in homes) if mean is not None]
    if wanted.kind == "HISTOGRAM":
        low, width = Fraction(wanted.low), Fraction(wanted.high) - Fraction(wanted.low)
        inner = [float(low + width * place / wanted.number) for place in range(1, wanted.number)]
        places = [bisect_right(inner, mean) for mean in means]
        return [float(places.count(place)) for place in range(wanted.number)]
    if not means:
        return [None]
    average = math.fsum(means) / len(means)
    variance = math.fsum((mean - average) ** 2 for mean in means) / len(means)
    return [{"AVG": average, "VAR": variance, "STDDEV": math.sqrt(variance)}[wanted.kind]]


def _reference(query: Query, homes: list[list[Row]], cells_of_plan: set[tuple[str | int, ...]]) -> Iterator[Answer]:
    grouped: list[Home] = []
    for rows in homes:
        cells: Home = {}
        for row in rows:
            if query.where(row) is True:
                cells.setdefault(tuple(key.of(row) for key in query.keys), []).append(row)
        grouped.append(cells)
    for cell in product(*(key.domain for key in query.keys)):
        inside = [home[cell] for home in grouped if cell in home]
        if cell not in cells_of_plan:
            assert not inside, (query.text, cell)  # what WHERE rules out, no row has
            continue
        for wanted in query.wanted:
            for value in _values(wanted, inside):
                yield dict(zip((key.text for key in query.keys), cell, strict=True)), value


@hypothesis_settings(max_examples=120)
@given(st.integers(0, 2**64))
def test_pooled_results_equal_the_reference(seed: int) -> None:
    random = Random(seed)
    homes = [random_rows(random, random.choice([0, 1, 3, 12])) for _ in range(random.randint(1, 6))]
    query = RandomQueries(random).query()
    plan = compile_query(query.text, REGISTRY)
    results = pooled(plan, (household_vector(plan, store(rows), None, random.randbytes) for rows in homes))
    expected = list(_reference(query, homes, set(plan.layout.cells)))
    assert len(results) == len(expected), query.text
    scale = 1.0 + max(abs(w.low) + abs(w.high) for w in query.wanted) ** 2
    for result, (keys, value) in zip(results, expected, strict=True):
        assert result.keys == keys, query.text
        if value is None:
            assert result.value is None, query.text
            assert result.note == "no data"
            continue
        # A standard deviation is the root of a rounding error where all homes are equal.
        exact = 1e-6 if "STDDEV" in result.column else 1e-10
        assert result.value == pytest.approx(value, rel=1e-9, abs=exact * scale), (query.text, result)


def test_every_kind_of_aggregate_and_key_is_drawn() -> None:
    queries = RandomQueries(Random(1))
    texts = " ".join(queries.query().text for _ in range(200))
    words = ["DISTINCT", "CAP(", "SUM", "AVG", "VAR", "STDDEV", "HISTOGRAM", "HOUR", "DAYOFWEEK", "MONTH", "BUCKET"]
    assert not [word for word in words if word not in texts]
