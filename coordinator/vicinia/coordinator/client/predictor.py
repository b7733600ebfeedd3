"""Predicting: rows are read by the very statements with which a home reads its own, over a table in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING

import numpy as np
from vicinia.errors import InternalFault, InvalidInput
from vicinia.query.cleaner import Problem, RowCleaner
from vicinia.query.dataset import DataSet
from vicinia.query.raw import Raw
from vicinia.query.schema import create_table_sql, insert_sql, quoted, table_name
from vicinia.query.sql import row_statement
from vicinia.training.compiled import Training
from vicinia.training.design import Design, Term
from vicinia.training.model import Model
from vicinia.training.prediction import Predictions, predictions
from vicinia.training.reading import read_standardised

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Predictor", "Row"]

_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a data set, keyed by its columns' names, and how an error calls it."""

    values: Mapping[str, Raw]
    place: str


class Predictor:
    """A model with the plan that says what its inputs are."""

    def __init__(self, training: Training, model: Model) -> None:
        training.require_model(model)
        self._training = training
        self._model = model
        self.needed: Mapping[str, DataSet] = _needed(training.design)
        """The data sets that are read, each with only the columns that the inputs need."""

    def predict(self, rows: Iterable[Mapping[str, Raw]]) -> Predictions:
        """Each row an example by itself, also where the plan takes a whole household for one; the rows of one data
        set. InvalidInput names the row and the column that cannot be read; a missing value gives no prediction."""
        if len(self.needed) != 1:
            raise InvalidInput(
                f"The model reads several data sets: {', '.join(self.needed)}.",
                where="rows",
                hint="Give the rows of each, by household: predict_households.",
            )
        (name,) = self.needed
        placed = [Row(values, f"row {place + 1}") for place, values in enumerate(rows)]
        return self.predict_rows(placed) if self.by_row else self.predict_households([{name: [row]} for row in placed])

    @property
    def by_row(self) -> bool:
        """Whether each row is an example; else a household is."""
        return self._training.design.rows is not None

    def predict_rows(self, rows: Iterable[Row]) -> Predictions:
        """Of a plan whose examples are rows; whether they meet its condition is not asked."""
        design = self._training.design
        if design.rows is None:
            raise InvalidInput("One household is an example of this model, not a row.", where="rows")
        anywhere = replace(design, target=None, rows=replace(design.rows, where=None))
        name = design.terms[0].dataset.name
        with closing(_Tables(self.needed)) as tables:
            parts = [tables.inputs(anywhere, {name: part}, len(part)) for part in _parts(rows)]
        return self._told(parts)

    def predict_households(self, households: Iterable[Mapping[str, Sequence[Row]]]) -> Predictions:
        """Of a plan whose examples are households, each given as the rows that it has in every data set."""
        design = replace(self._training.design, target=None)
        if design.rows is not None:
            raise InvalidInput("One row is an example of this model, not a household.", where="rows")
        with closing(_Tables(self.needed)) as tables:
            parts = [tables.inputs(design, rows, 1) for rows in households]
        return self._told(parts)

    def _told(self, parts: list[NDArray[np.float64]]) -> Predictions:
        inputs = self._training.design.dimensions.inputs
        return predictions(self._training, self._model, np.concatenate([np.empty((0, inputs)), *parts]))


class _Tables:
    """The homes' own tables, in memory."""

    def __init__(self, needed: Mapping[str, DataSet]) -> None:
        self._needed = needed
        self._cleaners = {name: RowCleaner(dataset, {}) for name, dataset in needed.items()}
        self._connection = sqlite3.connect(":memory:")
        for dataset in needed.values():
            self._connection.execute(create_table_sql(dataset))

    def close(self) -> None:
        self._connection.close()

    def inputs(self, design: Design, rows: Mapping[str, Sequence[Row]], expected: int) -> NDArray[np.float64]:
        """float64[expected, p]: what a home with these rows reads."""
        for name, dataset in self._needed.items():
            self._connection.execute(f"DELETE FROM {quoted(table_name(dataset))}")  # noqa: S608  # our own name
            cleaned = (self._values(name, row) for row in rows.get(name, ()))
            numbered = ((str(place), "", *values) for place, values in enumerate(cleaned))
            self._connection.executemany(insert_sql(dataset), numbered)
        connections = dict.fromkeys(self._needed, self._connection)
        troubles: list[str] = []
        found, _ = read_standardised(design, connections, None, lambda: False, troubles.append)
        if troubles or len(found) != expected:
            raise InternalFault(f"The rows could not be read: {'; '.join(troubles) or 'some are gone'}.", where="rows")
        return found

    def _values(self, name: str, row: Row) -> tuple[str | float | int | None, ...]:
        """The stored row; what a home would leave out, or take as missing though something stands there, is refused."""
        clean = self._cleaners[name].clean(row.values)
        if isinstance(clean, Problem):
            raise InvalidInput(f"{clean.sentence}.", where=f"{row.place}, column {clean.column}")
        if clean.notes:
            column, _, sentence = clean.notes[0].partition(": ")
            what = sentence.removesuffix(", taken as missing")
            raise InvalidInput(
                f"{what}.", where=f"{row.place}, column {column}", hint="Leave it empty if it is missing."
            )
        return clean.values


def _needed(design: Design) -> Mapping[str, DataSet]:
    """A value may be missing here, also of a column that is never missing in a home."""
    found: dict[str, DataSet] = {}
    for dataset in dict.fromkeys(term.dataset for term in design.terms):
        read = set(chain.from_iterable(_columns(term) for term in design.terms if term.dataset == dataset))
        columns = tuple(replace(column, required=False) for column in dataset.columns if column.name in read)
        found[dataset.name] = replace(dataset, columns=columns)
    return found


def _columns(term: Term) -> Iterator[str]:
    """The columns that a term's value, and its condition, read."""
    wanted = term.category or term.expression
    if wanted is not None:
        stored = row_statement(term.plan, [wanted], None, 1).columns
        yield from (name.partition("__")[0] for name in stored)


def _parts(rows: Iterable[Row]) -> Iterator[list[Row]]:
    every = iter(rows)
    while part := list(islice(every, _AT_ONCE)):
        yield part
