"""What the demo prints of a trained model: its coefficients and its metrics, each beside the same without noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table
from rich.text import Text
from vicinia.coordinator.console.metric_words import HIDDEN, heading, meanings, metric
from vicinia.coordinator.console.plot import Bar
from vicinia.training.coefficients import coefficients
from vicinia.training.compiled import Training
from vicinia.training.metrics import Metric
from vicinia.training.model import Model

from deploy.demo.show import Narrator, Row, short
from deploy.demo.training.published import Published

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Coefficients", "Measured", "tell_metrics"]

COLUMN = "coefficient"
IN_ONE_PLACE = "in one place"
COEFFICIENTS = (
    (
        COLUMN,
        "what the researcher gets: what one more of the input, in its own unit, adds (vicinia result says to what)",
    ),
    ("± noise", "how far the homes' noise moves it, typically (one standard error)"),
    (IN_ONE_PLACE, "what {} makes of the same homes' rows, which only this demo can see"),
    (
        "off by",
        "the difference. What lies below the noise is drawn towards 0, so that it can be off by more than the noise",
    ),
)
MARKS = "● published, 95 % interval of the noise  ◆ in one place  ◉ both"
ROUNDS = (
    ("before round n", "the model that round n began with; before round 1 it has learnt nothing"),
    ("0.7 ± 0.1", "what the researcher gets: measured by homes that did not train it, with the noise's standard error"),
    (HIDDEN, "the researcher gets no figure: the noise is as large as what is measured"),
    ("(…)", "the same without noise, from those homes' own rows, which only this demo can see"),
)
NOBODY = ("before round n", "the model that round n began with. No home was held out: all figures are the demo's own")
REFERENCES = (
    "the others",
    "trained on the same homes' rows in one place, without noise, which nobody can in a cooperative",
)


class Coefficients:
    """The coefficients of a regression as the researcher has them, and those of the pooled rows; none of other models.

    pooled: float64[r, p + 1] in standardised units, or None.
    """

    def __init__(self, training: Training, published: Published, pooled: NDArray[np.float64] | None) -> None:
        told: Sequence[Mapping[str, Any]] = published.told["coefficients"]
        several = len({one["outcome"] for one in told}) > 1
        beside = _in_units(training, published.model, pooled)
        self.rows = tuple(
            Row(
                ({"outcome": one["outcome"]} if several else {}) | {"input": one["name"]},
                COLUMN,
                one["value"],
                one["noise"] or None,
                true,
            )
            for one, true in zip(told, beside or [None] * len(told), strict=True)
        )
        self._marks = _marks(self.rows, published.model, pooled)

    def tell(self, tell: Narrator, title: str, reference: str) -> None:
        """A table, what its heads mean, and a plot in which all inputs have one scale."""
        table = Table(title=Text(title), title_justify="left", header_style="bold")
        for head in self.rows[0].keys:
            table.add_column(head)
        for head in (COLUMN, "± noise", IN_ONE_PLACE, "off by"):
            table.add_column(head, justify="right")
        for row in self.rows:
            off = None if row.pooled is None or row.value is None else row.value - row.pooled
            numbers = map(short, (row.value, row.stderr, row.pooled, off))
            table.add_row(*(Text(str(key)) for key in row.keys.values()), *map(Text, numbers))
        tell.table(table)
        tell.legend([(head, meaning.format(reference)) for head, meaning in COEFFICIENTS])
        tell.plot("coefficients, with all inputs on the model's own scale", MARKS, self._marks)


def _in_units(training: Training, model: Model, pooled: NDArray[np.float64] | None) -> list[float | None] | None:
    """Pooled coefficients in the units of the data set, as those of the model are told."""
    if pooled is None:
        return None
    again = Model.of(dict(model.arrays) | {"intercept": pooled[:, 0].copy(), "coef": pooled[:, 1:].copy()})
    return [one.value for one in coefficients(training, again)]


def _marks(rows: Sequence[Row], model: Model, pooled: NDArray[np.float64] | None) -> list[Bar]:
    """The standardised numbers behind the rows, which one scale can hold."""
    if not rows:
        return []
    values = np.column_stack((model["intercept"], model["coef"])).ravel()
    noise = np.column_stack((model["intercept_noise"], model["coef_noise"])).ravel()
    true = [None] * len(rows) if pooled is None else [float(one) for one in pooled.ravel()]
    return [
        Bar(": ".join(map(str, row.keys.values())), float(value), float(stderr), beside)
        for row, value, stderr, beside in zip(rows, values, noise, true, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Measured:
    """A line of the table of metrics: what was released of a model, if anything, and the same without noise."""

    name: str
    exact: tuple[Metric, ...]
    released: tuple[Metric, ...] = ()

    def payload(self) -> dict[str, Any]:
        """For programs."""
        told = {one.name: one for one in self.released}
        return {
            one.name: {
                "value": told[one.name].value if one.name in told else None,
                "stderr": told[one.name].stderr if one.name in told else None,
                "true": one.value,
            }
            for one in self.exact
        }


def tell_metrics(tell: Narrator, title: str, rounds: Sequence[Measured], references: Sequence[Measured]) -> None:
    """The models after each round and the references, what the table's words mean, and what each metric does."""
    names = [one.name for one in rounds[-1].exact]
    table = Table(title=Text(title) if title else None, title_justify="left", header_style="bold")
    table.add_column("measured")
    for name in names:
        table.add_column(heading(name), justify="right")
    for line in (*rounds, *references):
        told = {one.name: one for one in line.released}
        exact = {one.name: one for one in line.exact}
        table.add_row(Text(line.name), *(Text(_cell(told.get(name), exact.get(name))) for name in names))
    tell.table(table)
    evaluated = any(line.released for line in rounds)
    tell.legend([*(ROUNDS if evaluated else (NOBODY,)), *((REFERENCES,) if references else ())])
    tell.legend(meanings(names))


def _cell(told: Metric | None, exact: Metric | None) -> str:
    """A metric as the table shows it."""
    true = "" if exact is None or exact.value is None else f"{exact.value:.3f}"
    if told is None:
        return true
    return f"{metric(told.value, told.stderr)}{f' ({true})' if true else ''}"
