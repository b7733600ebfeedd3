"""What each column of a result means, in words, and how far off it will be, before anything is asked of a home."""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import prod

from vicinia.query.expression import number_text
from vicinia.query.plan import Aggregate, AggregateKind, Plan

__all__ = ["ExpectedError", "Meaning", "expected_error", "explain", "explain_column"]

# Largest values of the delta-method factors of `finalise` over all possible means: |u| = 1.
_AVERAGE_FACTOR = math.sqrt(2.0)
_VARIANCE_FACTOR = math.hypot(1.5, 2.0, 0.5)


@dataclass(frozen=True, slots=True)
class Meaning:
    """A column of the result (or a remark on all of it: column '') and what it says."""

    column: str
    sentence: str


@dataclass(frozen=True, slots=True)
class ExpectedError:
    """The standard error by noise that a column's cells will have, at most, if homes spread evenly over cells.

    `homes`: homes in a cell then. `shrinks`: whether more homes make it smaller (means) or not (counts and sums).
    `drowned`: whether a cell has too few homes to show anything.
    """

    column: str
    homes: float
    cohort: int
    stderr: float
    shrinks: bool
    drowned: bool
    sentence: str

    def cohort_needed(self, precision: float) -> int | None:
        """The cohort for which the standard error is at most `precision`; None where no cohort is large enough."""
        if precision <= 0 or (not self.shrinks and self.stderr > precision):
            return None
        return math.ceil(self.cohort * self.stderr / precision) if self.shrinks else self.cohort


def explain(plan: Plan) -> tuple[Meaning, ...]:
    """The meaning of every column in the order of SELECT, then what holds for all of them."""
    meanings = [Meaning(aggregate.label, explain_column(aggregate)) for aggregate in plan.aggregates]
    layout = plan.layout
    if plan.keys:
        names = " and ".join(key.name for key in plan.keys)
        count = len(layout.cells)
        left = " that WHERE leaves possible" if any(key.left is not None for key in plan.keys) else ""
        cells = f"{count:,} cells" if count > 1 else "one cell"
        meanings.append(Meaning("", f"There is one cell for each value of {names}{left}: {cells}."))
        meanings.append(Meaning("", _touching(plan)))
    for key in plan.keys:
        if key.column.per_household:
            meanings.append(Meaning("", f"{key.name} is constant in a home: a home counts under one value of it."))
    meanings.append(
        Meaning("", "Homes without the data set, or without matching rows, take part and add nothing but noise.")
    )
    return tuple(meanings)


def explain_column(aggregate: Aggregate) -> str:
    """One sentence on what the column says of the homes of a cell."""
    text = aggregate.expression.text if aggregate.expression is not None else ""
    bounds = f"{number_text(aggregate.low)} and {number_text(aggregate.high)}"
    mean = f"each home's own mean of {text}, clamped between {bounds}"
    return {
        AggregateKind.COUNT: "The number of homes with at least one matching row.",
        AggregateKind.CAPPED: f"The number of matching rows, of which each home counts at most {aggregate.cap:,}.",
        AggregateKind.SUM: f"The sum over homes of each home's own total of {text}, clamped between {bounds}.",
        AggregateKind.AVG: f"The mean over homes of {mean}: every home weighs the same, however many rows it has.",
        AggregateKind.VAR: f"The variance between homes of {mean}; not the variance of single rows.",
        AggregateKind.STDDEV: f"The standard deviation between homes of {mean}; not that of single rows.",
        AggregateKind.HISTOGRAM: f"The number of homes in each of {aggregate.bins} equal bins by {mean}.",
    }[aggregate.kind]


def expected_error(plan: Plan, noise_std: float, cohort: int) -> tuple[ExpectedError, ...]:
    """The expected error of each column, the same for all its cells.

    noise_std: standard deviation of one slot's sum over the cohort, in vector units (rounding may be added in);
    cohort: number of homes that take part, at least 1.
    """
    # Homes under a value that WHERE leaves out take part as well: they are not in the cells that remain.
    fixed = prod(len(key.every) for key in plan.keys if key.column.per_household)
    touched = prod(len(key.domain) for key in plan.keys if not key.column.per_household)
    homes = cohort / fixed * plan.layout.l0 / touched
    return tuple(_expected(aggregate, noise_std, cohort, homes) for aggregate in plan.aggregates)


def _expected(aggregate: Aggregate, noise_std: float, cohort: int, homes: float) -> ExpectedError:
    radius = float(aggregate.high - aggregate.low) / 2.0
    shrinks = aggregate.kind in (AggregateKind.AVG, AggregateKind.VAR, AggregateKind.STDDEV)
    match aggregate.kind:
        case AggregateKind.COUNT | AggregateKind.HISTOGRAM:
            stderr = noise_std
        case AggregateKind.CAPPED:
            stderr = noise_std * aggregate.cap
        case AggregateKind.SUM:
            stderr = noise_std * float(max(abs(aggregate.low), abs(aggregate.high)))
        case AggregateKind.AVG:
            stderr = _AVERAGE_FACTOR * radius * noise_std / homes
        case AggregateKind.VAR:
            stderr = _VARIANCE_FACTOR * radius**2 * noise_std / homes
        case AggregateKind.STDDEV:
            # Of a standard deviation of half the bounds' half-width; a smaller one is known worse.
            stderr = _VARIANCE_FACTOR * radius * noise_std / homes
    drowned = shrinks and homes <= noise_std
    if drowned:
        sentence = f"below noise, for a cell of {homes:,.0f} homes is smaller than its noise."
        sentence += f" It takes more than {math.ceil(cohort * noise_std / homes):,} homes in all to rise above it."
    elif shrinks:
        sentence = f"off by about {stderr:.3g} (one standard error of the noise) if a cell has {homes:,.0f} homes."
    else:
        sentence = f"off by about {stderr:.3g} (one standard error of the noise), however many homes take part."
    return ExpectedError(aggregate.label, homes, cohort, stderr, shrinks, drowned, f"{aggregate.label}: {sentence}")


def _touching(plan: Plan) -> str:
    l0 = plan.layout.l0
    if l0 == 1:
        return "A home counts in one cell."
    limited = plan.cells_limit is not None and plan.cells_limit == l0
    pick = ", picked at random at home" if limited else ""
    return f"A home counts in at most {l0:,} cells{pick}; the noise grows with the root of this number."
