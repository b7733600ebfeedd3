"""A home's examples, whatever its rows hold: bounded, complete, no more than the plan allows."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protocol.training.test_spec import BUDGET, KNOWN, READINGS, parsed
from vicinia.query.schema import create_table_sql, table_name
from vicinia.training import reading
from vicinia.training.compiled import Training
from vicinia.training.examples import Examples
from vicinia.training.reading import read_examples

ROWS = """
[training]
dataset = "budget"
features = ["food", "fuel", "region", "trips - 3"]
target = "kids"
where = "food > 0.1"
examples = 5
recipe = "logistic"
rounds = 1
"""
HOUSEHOLD = """
[training]
unit = "household"
features = [{dataset = "readings", value = "kwh"}, {dataset = "readings", value = "kwh", where = "HOUR(ts) < 6"}]
target = {dataset = "budget", value = "kids"}
recipe = "logistic"
rounds = 1
"""


def home(budget: list[tuple[Any, ...]], readings: list[tuple[Any, ...]] = ()) -> sqlite3.Connection:  # type: ignore[assignment]
    """A store with these rows: (food, fuel, kids, region, trips, balance) and (hour, kwh)."""
    connection = sqlite3.connect(":memory:")
    for definition in (BUDGET, READINGS):
        # A store may be damaged: no rule of the table keeps anything out.
        connection.execute(create_table_sql(definition).replace(" NOT NULL", "").replace(" STRICT", ""))
    for place, row in enumerate(budget):
        connection.execute(f"INSERT INTO {table_name(BUDGET)} VALUES(?, ?, ?, ?, ?, ?, ?, ?)", (f"r{place}", "t", *row))
    for place, (hour, kwh) in enumerate(readings):
        columns = "row_key, source, ts__hour, kwh"
        connection.execute(
            f"INSERT INTO {table_name(READINGS)}({columns}) VALUES(?, ?, ?, ?)", (f"r{place}", "t", hour, kwh)
        )
    return connection


def _fail(why: str) -> None:
    pytest.fail(why)


def examples(training: Training, connection: sqlite3.Connection, limit: int = 5) -> Examples:
    never: Callable[[], bool] = lambda: False  # noqa: E731
    both: dict[str, Any] = dict.fromkeys(KNOWN, connection)
    return read_examples(training.design, both, None, limit, os.urandom, never, _fail)


def test_rows_become_examples() -> None:
    found = examples(
        parsed(ROWS),
        home(
            [
                (0.5, 0.2, 1, "north", 20, 0),
                (1.0, 0.4, 2, "west", 3, 0),
                (0.05, 0.1, 2, "west", 3, 0),  # the condition
                (0.5, 0.1, 7, "west", 3, 0),  # no such value of kids
                (0.5, None, 2, "west", 3, 0),  # incomplete
                (9.0, -3.0, 2, "south", 99, 0),  # clamped
            ]
        ),
    )
    wanted = [[0.0, 0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 1.0, -0.85], [1.0, -1.0, 1.0, 0.0, 1.0]]
    np.testing.assert_allclose(found.inputs, wanted, atol=1e-12)
    np.testing.assert_array_equal(found.target, [0, 1, 1])


def test_no_more_examples_than_the_plan_allows_and_any_of_them() -> None:
    training, connection = parsed(ROWS), home([(0.2 + 0.001 * place, 0.2, 1, "north", 3, 0) for place in range(500)])
    drawn = [examples(training, connection).inputs[:, 0] for _ in range(20)]
    assert {len(one) for one in drawn} == {5}
    assert len({number for one in drawn for number in one}) > 50


class Row(tuple[Any, ...]):
    """A row that is counted while anybody holds it."""

    alive = most = 0

    def __init__(self, *_: Any) -> None:
        Row.alive += 1
        Row.most = max(Row.most, Row.alive)

    def __del__(self) -> None:
        Row.alive -= 1


@pytest.mark.parametrize("checked", [True, False], ids=["check", "patched-out"])
def test_a_home_with_many_rows_holds_as_few_of_them_as_one_with_few(
    checked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small device that holds years of readings would run out of memory, and its absence would tell."""
    if not checked:
        sampled = reading._sampled
        monkeypatch.setattr(reading, "_sampled", lambda rows, *rest: sampled(list(rows), *rest))
    Row.alive = Row.most = 0

    def answer(connection: Any, todo: Any, late: Any, trouble: Any, keep: Any) -> Any:
        return keep(Row((0.2, 0.2, "north", 3.0, 1)) for _ in range(5_000))

    monkeypatch.setattr(reading, "answer", answer)
    store: dict[str, Any] = {"budget": object()}
    found = read_examples(parsed(ROWS).design, store, None, 5, os.urandom, lambda: False, _fail)
    assert len(found) == 5
    assert (Row.most <= 10) is checked


@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(0, 30))
def test_the_sample_is_of_complete_rows_and_as_large_as_it_can_be(seed: int, limit: int, rows: int) -> None:
    draw = Random(seed)
    stored = [(place, None if draw.random() < 0.2 else place) for place in range(rows)]
    kept = reading._sampled(iter(stored), limit, draw.randbytes)
    complete = [row for row in stored if None not in row]
    assert len(kept) == len(set(kept)) == min(limit, len(complete))
    assert set(kept) <= set(complete)


def test_each_row_is_as_likely_as_another_wherever_it_stands() -> None:
    draw = Random(7)
    counts = np.zeros(10)
    for _ in range(3_000):
        for (place,) in reading._sampled(((place,) for place in range(10)), 3, draw.randbytes):
            counts[place] += 1
    assert np.abs(counts - 900).max() < 5 * np.sqrt(900 * 0.7)


def test_a_household_is_one_example() -> None:
    rows = [(3, 0.5), (3, 1.5), (12, 2.0), (20, 0.0)]
    found = examples(
        parsed(HOUSEHOLD), home([(0.5, 0.2, 2, "north", 3, 0)] * 2 + [(0.5, 0.2, 1, "north", 3, 0)], rows), 1
    )
    np.testing.assert_allclose(found.inputs, [[0.0, 0.0]])
    np.testing.assert_array_equal(found.target, [1])


@pytest.mark.parametrize("missing", ["readings", "budget"])
def test_a_home_without_a_table_has_no_examples(missing: str) -> None:
    connection = home([(0.5, 0.2, 2, "north", 3, 0)], [(3, 0.5)])
    connection.execute(f"DELETE FROM {table_name(KNOWN[missing])}")
    assert len(examples(parsed(HOUSEHOLD), connection, 1)) == 0
    training = parsed(HOUSEHOLD)
    only: dict[str, Any] = {name: connection for name in KNOWN if name != missing}
    found = read_examples(training.design, only, None, 1, os.urandom, lambda: False, lambda _: None)
    assert len(found) == 0


DIRT = st.one_of(
    st.none(), st.floats(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=5), st.binary(max_size=5),
    st.sampled_from(["north", "south", "west", 0.3, 1, 2]),
)  # fmt: skip
TRAININGS = [parsed(ROWS), parsed(HOUSEHOLD)]


@settings(deadline=None)
@given(st.lists(st.tuples(*[DIRT] * 6), max_size=8), st.lists(st.tuples(DIRT, DIRT), max_size=8))
def test_whatever_is_stored_examples_are_bounded(budget: list[Any], readings: list[Any]) -> None:
    connection = home(budget, readings)
    for training, limit in zip(TRAININGS, (5, 1), strict=True):
        found = examples(training, connection, limit)
        assert len(found) <= limit
        assert np.abs(found.inputs).max(initial=0.0) <= 1.0
        assert set(found.target.tolist()) <= {0.0, 1.0}
        assert 0.0 <= found.weight <= 1.0
