"""A home's examples out of its own store: our own statements, then standardised; whatever is there, never an error.

The same promises as `vicinia.query.local`: nothing depends on data but the numbers themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from vicinia.query.local import Connection, answer
from vicinia.query.sql import Statement, row_statement, statement
from vicinia.training.design import Design, Term
from vicinia.training.dimensions import TargetKind
from vicinia.training.examples import Examples

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read_examples", "read_standardised"]

MAX_ROWS = 200_000
"""Rows of a home that are looked at."""

Keep: TypeAlias = "Callable[[Iterable[Sequence[Any]]], list[Sequence[Any]]]"


def read_examples(
    design: Design,
    connections: Mapping[str, Connection],
    period: tuple[str, str] | None,
    limit: int,
    rng: Callable[[int], bytes],
    out_of_time: Callable[[], bool],
    trouble: Callable[[str], None],
) -> Examples:
    """At most `limit` examples, picked at random where there are more. connections: data set name -> where its rows
    are; a data set that is missing has none. rng(n): n fresh uniform bytes. out_of_time: true ends the statement.
    trouble: told why a statement gave no rows."""
    inputs, target = read_standardised(
        design, connections, period, out_of_time, trouble, lambda rows: _sampled(rows, limit, rng)
    )
    return Examples.cleaned(inputs, target, limit, design.dimensions)


def read_standardised(
    design: Design,
    connections: Mapping[str, Connection],
    period: tuple[str, str] | None,
    out_of_time: Callable[[], bool],
    trouble: Callable[[str], None],
    keep: Keep = list,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The rows that `keep` keeps, or the one household: inputs float64[n, p] and target float64[n], NaN where a value
    is missing."""
    if design.rows is None:
        raw, target = _household(design, connections, period, out_of_time, trouble)
    else:
        raw, target = _rows(design, connections, period, out_of_time, trouble, keep)
    inputs = np.concatenate([_columns(term, values) for term, values in zip(design.terms, raw, strict=True)], axis=1)
    return inputs, _target(design, target, len(inputs))


Values = Sequence[Any]


def _rows(
    design: Design,
    connections: Mapping[str, Connection],
    period: tuple[str, str] | None,
    out_of_time: Callable[[], bool],
    trouble: Callable[[str], None],
    keep: Keep,
) -> tuple[list[Values], Values]:
    """One list of values a term, and the target's; row by row."""
    every = (*design.terms, design.target) if design.target is not None else design.terms
    plan = design.rows
    connection = connections.get(every[0].dataset.name)
    if plan is None or connection is None:
        return [[] for _ in design.terms], []
    wanted = [term.category or term.expression for term in every]
    todo = row_statement(plan, [one for one in wanted if one is not None], period, MAX_ROWS)
    rows = answer(connection, todo, out_of_time, trouble, keep)
    columns: list[Values] = [[row[place] for row in rows] for place in range(len(every))]
    return columns[: len(design.terms)], columns[len(design.terms)] if design.target is not None else [0.0] * len(rows)


def _household(
    design: Design,
    connections: Mapping[str, Connection],
    period: tuple[str, str] | None,
    out_of_time: Callable[[], bool],
    trouble: Callable[[str], None],
) -> tuple[list[Values], Values]:
    """The household's one value of each term: the mean of a number, the value of a category that most rows have."""

    answered: dict[int, tuple[Statement, list[Values]]] = {}  # terms of one query share its answer

    def value(term: Term) -> Values:
        connection = connections.get(term.dataset.name)
        if connection is None:
            return [None]
        if id(term.plan) not in answered:
            todo = statement(term.plan, period)
            answered[id(term.plan)] = todo, answer(connection, todo, out_of_time, trouble)
        todo, rows = answered[id(term.plan)]
        if term.expression is not None:
            return [rows[0][todo.measures[term.expression]] if rows else None]
        counted = [(row[1], -term.values.index(row[0]), row[0]) for row in rows if row[0] in term.values]
        return [max(counted)[2] if counted else None]

    return [value(term) for term in design.terms], value(design.target) if design.target is not None else [0.0]


def _columns(term: Term, values: Values) -> NDArray[np.float64]:
    """float64[n, len(term.names)]: standardised, NaN where a value is missing."""
    if term.category is None:
        clamped: NDArray[np.float64] = np.clip(_numbers(values), float(term.low), float(term.high))
        unit = np.empty((len(values), 1))
        unit[:, 0] = (clamped - term.middle) / term.radius
        return unit
    places = _places(term, values)
    columns = np.full((len(values), len(term.values) - 1), np.nan)
    known = ~np.isnan(places)
    columns[known] = places[known, np.newaxis] == np.arange(1, len(term.values))
    return columns


def _target(design: Design, values: Values, n: int) -> NDArray[np.float64]:
    target = design.target
    if target is None:
        return np.zeros(n)
    if target.category is not None:
        return _places(target, values)
    numbers = np.clip(_numbers(values), float(target.low), float(target.high))
    if design.dimensions.target is TargetKind.COUNT:
        rate: NDArray[np.float64] = numbers / float(target.high)
        return rate
    unit: NDArray[np.float64] = (numbers - target.middle) / target.radius
    return unit


def _numbers(values: Values) -> NDArray[np.float64]:
    """What is a number as such, everything else as NaN."""
    return np.array([value if isinstance(value, int | float) else np.nan for value in values], dtype=np.float64)


def _places(term: Term, values: Values) -> NDArray[np.float64]:
    known = {value: float(place) for place, value in enumerate(term.values)}
    found = [known.get(value, np.nan) if isinstance(value, str | int) else np.nan for value in values]
    return np.array(found, dtype=np.float64)


def _sampled(rows: Iterable[Sequence[Any]], limit: int, rng: Callable[[int], bytes]) -> list[Sequence[Any]]:
    """At most `limit` of the complete rows, each as likely as another, and no more than these in memory.

    Vitter 1985, "Random sampling with a reservoir", algorithm R; the remainder's bias is below 2^-44.
    """
    kept: list[Sequence[Any]] = []
    seen = 0
    for row in rows:
        if None in row:
            continue
        seen += 1
        if len(kept) < limit:
            kept.append(row)
        elif (place := int.from_bytes(rng(8), "little") % seen) < limit:
            kept[place] = row
    return kept
