"""A regression's numbers in the units of the data set, with standard errors that include the noise."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

import numpy as np
from vicinia.training.compiled import Training
from vicinia.training.dimensions import TargetKind
from vicinia.training.model import Model
from vicinia.training.regression import standard_errors

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["INTERCEPT", "Coefficient", "coefficients"]

INTERCEPT = "(intercept)"
_REGRESSIONS = frozenset({"linear", "logistic", "poisson"})


@dataclass(frozen=True, slots=True)
class Coefficient:
    """How much one more of the feature adds: to the target, to its logarithm (counts), or to the log-odds of `outcome`.

    `stderr` is that of noise and sampling, `noise` the noise's part of it. The intercept is the answer where every
    number is at the middle of its bounds, or at the mean that a first round found, and every category has its first
    value: there its error is known.
    """

    outcome: str
    name: str
    value: float
    stderr: float
    noise: float


def coefficients(training: Training, model: Model) -> tuple[Coefficient, ...]:
    """Intercept and features of every outcome; none for a recipe that is no regression."""
    if training.recipe.name not in _REGRESSIONS:
        return ()
    errors = standard_errors(model, training.plan.examples)
    unit, middle = _target(training)
    radii = _radii(training)
    found: list[Coefficient] = []
    for row, outcome in enumerate(_outcomes(training)):
        first = (float(model["intercept"][row]), float(errors.intercept[row]), float(model["intercept_noise"][row]))
        found.append(Coefficient(outcome, INTERCEPT, middle + unit * first[0], unit * first[1], unit * first[2]))
        scaled = [unit * numbers[row] / radii for numbers in (model["coef"], errors.coef, model["coef_noise"])]
        for name, value, stderr, noise in zip(training.design.names, *scaled, strict=True):
            found.append(Coefficient(outcome, name, float(value), float(stderr), float(noise)))
    return tuple(found)


def _radii(training: Training) -> NDArray[np.float64]:
    """What one step of each input is in the data set's own unit; a category's is to have that value or not."""
    return np.array([1.0 if term.category else term.radius for term in training.design.terms for _ in term.names])


def _target(training: Training) -> tuple[float, float]:
    """(unit, middle) of the target: what the model's 1 is, and what its 0 is."""
    target, kind = training.design.target, training.design.dimensions.target
    if kind is TargetKind.REAL and target is not None:
        return target.radius, target.middle
    return 1.0, log(training.design.dimensions.high) if kind is TargetKind.COUNT else 0.0


def _outcomes(training: Training) -> tuple[str, ...]:
    """The names of the model's rows."""
    target = training.design.target
    if target is None or target.category is None:
        return ("",)
    named = tuple(f"{target.label} = {value}" for value in target.values)
    return named[1:] if len(named) == 2 else named
