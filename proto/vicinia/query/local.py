"""A household's own vector: one statement on the home's own store, then clamped, scaled and placed.

Whatever the store holds, the result has the plan's length and a norm within `layout.norm_squared`, and no error
depends on data: a missing table, a damaged file, text among numbers or a statement that takes too long give zeros.
Why there are zeros is for the household alone: the caller is told, in words that hold no value of a row.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from vicinia.errors import InvalidInput
from vicinia.query.layout import Group, GroupKind
from vicinia.query.plan import KeyKind, Plan
from vicinia.query.sql import Statement, statement

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Connection", "answer", "household_vector"]

MAX_INSTRUCTIONS = 4_000_000_000
"""SQLite virtual machine instructions of one statement: some minutes on a small device."""

_PROGRESS_STEP = 100_000
_log = logging.getLogger("vicinia.query")
_QUARTER = re.compile(r"[0-9]{4}Q[1-4]", re.ASCII)

# sqlite3.h; the same numbers in SQLCipher.
_SQLITE_OK, _SQLITE_DENY = 0, 1
_SQLITE_READ, _SQLITE_SELECT, _SQLITE_FUNCTION = 20, 21, 31
_COLUMNS = "SELECT name FROM pragma_table_info(:name)"
_FUNCTIONS = frozenset({"avg", "count", "max", "min", "total", "typeof"})

Cells = dict[tuple[int, ...], Sequence[Any]]


class Connection(Protocol):
    """What is used of a connection of `sqlite3` or `sqlcipher3`."""

    @property
    def Error(self) -> type[Exception]: ...  # noqa: N802  # the name that PEP 249 gives it
    def execute(self, sql: str, parameters: Mapping[str, str], /) -> Iterable[Sequence[Any]]: ...
    def set_authorizer(self, callback: Any, /) -> None: ...
    def set_progress_handler(self, callback: Any, n: int, /) -> None: ...


def household_vector(
    plan: Plan,
    connection: Connection,
    period: tuple[str, str] | None,
    rng: Callable[[int], bytes],
    *,
    out_of_time: Callable[[], bool] = lambda: False,
    trouble: Callable[[str], None] = lambda _: None,
) -> NDArray[np.float64]:
    """The household's vector, float64[layout.length], |v|^2 <= layout.norm_squared whatever its rows.

    period: first and last quarter as '2014Q1', both included; None, or no timestamp column: all rows. rng(n): n
    fresh uniform bytes, for the choice of cells under CELLS(m). out_of_time: asked now and then; true ends the
    statement, and the vector is zeros. trouble: called once with the reason, in words, where the vector is zeros
    because the query failed. The connection's authorizer and progress handler are taken away afterwards. Raises
    InvalidInput for a malformed period only.
    """
    if period is not None and not (all(map(_QUARTER.fullmatch, period)) and period[0] <= period[1]):
        raise InvalidInput("A period is two quarters such as 2014Q1, in order.", where="period")
    todo = statement(plan, period)
    try:
        return _filled(plan, todo, _cells(plan, answer(connection, todo, out_of_time, trouble)), rng)
    except Exception as defect:
        # No data may show in whether a home answers. Nor in its log: an exception's text can hold a value.
        trace = defect.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        line = trace.tb_lineno if trace is not None else 0
        _log.error("a query met a defect and counts as zeros (%s, line %d)", type(defect).__name__, line)
        trouble(f"the query met a defect ({type(defect).__name__})")
        return np.zeros(plan.layout.length, dtype=np.float64)


def _filled(plan: Plan, todo: Statement, cells: Cells, rng: Callable[[int], bytes]) -> NDArray[np.float64]:
    """The vector of these cells, every slot in [-1, 1]."""
    vector = np.zeros(plan.layout.length, dtype=np.float64)
    for cell in _kept(plan, cells, rng):
        _place(plan, todo, _number_of(plan, cell), cells[cell], vector)
    np.nan_to_num(vector, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return np.clip(vector, -1.0, 1.0, out=vector)


def answer(
    connection: Connection,
    todo: Statement,
    out_of_time: Callable[[], bool],
    trouble: Callable[[str], None],
    keep: Callable[[Iterable[Sequence[Any]]], list[Sequence[Any]]] = list,
) -> list[Sequence[Any]]:
    """The rows of one of our own statements, under the authorizer and the limits; none at all if it fails for
    whatever reason, which `trouble` is told. `keep` goes through the rows and says which are held in memory."""
    left = MAX_INSTRUCTIONS // _PROGRESS_STEP
    late = False

    def stop() -> int:
        nonlocal left, late
        left -= 1
        late = left <= 0 or out_of_time()
        return int(late)

    def authorize(action: int, first: str | None, second: str | None, *_rest: object) -> int:
        allowed = (
            action == _SQLITE_SELECT
            or (action == _SQLITE_READ and first == todo.table and second in ("", *todo.columns))
            or (action == _SQLITE_FUNCTION and second in _FUNCTIONS)
        )
        return _SQLITE_OK if allowed else _SQLITE_DENY

    connection.set_authorizer(authorize)
    connection.set_progress_handler(stop, _PROGRESS_STEP)
    try:
        return keep(connection.execute(todo.text, todo.values))
    except connection.Error as error:  # its text can hold a value, its kind does not
        failed = f"the store could not answer the query ({type(error).__name__})"
    finally:
        connection.set_progress_handler(None, 0)
        connection.set_authorizer(None)
    trouble("the query took too long" if late else _lacking(connection, todo) or failed)
    return []


def _lacking(connection: Connection, todo: Statement) -> str:
    """Which columns of the statement the table is without, in words; empty where there is no table at all."""
    try:
        there = {str(row[0]) for row in connection.execute(_COLUMNS, {"name": todo.table})}
    except connection.Error:
        return ""
    missing = sorted(todo.columns - there) if there else []
    return f"the table here lacks {', '.join(missing)} (import the rows anew, with --replace)" if missing else ""


def _cells(plan: Plan, rows: list[Sequence[Any]]) -> Cells:
    """The rows of the answer by cell, as places in the keys' domains; rows outside of every domain are dropped."""
    places = [
        {index: index for index in range(len(key.domain))}
        if key.kind is KeyKind.BUCKET
        else {value: index for index, value in enumerate(key.domain)}
        for key in plan.keys
    ]
    cells: Cells = {}
    for row in rows:
        cell = tuple(place.get(value, -1) for place, value in zip(places, row, strict=False))
        if -1 not in cell and row[len(plan.keys)] > 0:
            cells[cell] = row
    return cells


def _kept(plan: Plan, cells: Cells, rng: Callable[[int], bytes]) -> list[tuple[int, ...]]:
    """At most L0 cells: one value of the keys that are constant per household, then m at random under CELLS(m)."""
    fixed = [place for place, key in enumerate(plan.keys) if key.column.per_household]
    weights: dict[tuple[int, ...], int] = {}
    for cell, row in cells.items():
        home = tuple(cell[place] for place in fixed)
        weights[home] = weights.get(home, 0) + int(row[len(plan.keys)])
    if not weights:
        return []
    # Rows that contradict each other: the value that most rows have, then the one listed first.
    chosen = min(weights, key=lambda home: (-weights[home], home))
    touched = sorted(cell for cell in cells if tuple(cell[place] for place in fixed) == chosen)
    kept: list[tuple[int, ...]] = []
    while touched and len(kept) < plan.layout.l0:
        pick = _below(len(touched), rng) if len(touched) > plan.layout.l0 - len(kept) else 0
        kept.append(touched.pop(pick))
    return kept


def _below(limit: int, rng: Callable[[int], bytes]) -> int:
    """A uniform number below the limit, without bias."""
    highest = (1 << 64) - (1 << 64) % limit
    while True:
        drawn = int.from_bytes(rng(8), "little")
        if drawn < highest:
            return drawn % limit


def _number_of(plan: Plan, cell: tuple[int, ...]) -> int:
    number = 0
    for place, domain in zip(cell, plan.layout.domains, strict=True):
        number = number * len(domain) + place
    return number


def _place(plan: Plan, todo: Statement, cell: int, row: Sequence[Any], vector: NDArray[np.float64]) -> None:
    """Fill the slots of one cell."""
    for group in plan.layout.groups:
        offset = plan.layout.offset(cell, group)
        if group.expression is None:
            vector[offset] = min(int(row[len(plan.keys)]), group.cap) / group.cap
            continue
        mean = row[todo.measures[group.expression]]
        if not isinstance(mean, int | float) or not math.isfinite(mean):
            continue
        total = row[todo.totals[group.expression]] if group.kind is GroupKind.TOTAL else 0.0
        _fill(group, float(mean), float(total), vector, offset)


def _fill(group: Group, mean: float, total: float, vector: NDArray[np.float64], offset: int) -> None:
    low, high = float(group.low), float(group.high)
    unit = (min(max(mean, low), high) - float(group.middle)) / float(group.radius)
    match group.kind:
        case GroupKind.PRESENT:
            vector[offset] = 1.0
        case GroupKind.MEAN:
            vector[offset] = unit
        case GroupKind.SQUARE:
            vector[offset] = 2.0 * unit * unit - 1.0
        case GroupKind.TOTAL:
            vector[offset] = min(max(total, low), high) / float(group.scale)
        case GroupKind.BINS:
            vector[offset + _bin(group, min(max(mean, low), high))] = 1.0


def _bin(group: Group, value: float) -> int:
    """The bin `[edge, next edge)` of a value within the bounds, the last one closed; edges as doubles."""

    def edge(place: int) -> float:
        return float(group.low + (group.high - group.low) * place / group.width)

    last = group.width - 1
    place = min(int((value - float(group.low)) / (float(group.high) - float(group.low)) * group.width), last)
    # The quotient can be off by a rounding error just at an edge.
    if place < last and value >= edge(place + 1):
        return place + 1
    return place - 1 if place > 0 and value < edge(place) else place
