"""What a model says of standardised inputs, in the units and the values of the data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from vicinia.training.compiled import Training
from vicinia.training.design import Term
from vicinia.training.dimensions import TargetKind
from vicinia.training.model import Model

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Predictions", "predictions"]

Said = str | int | float | None


@dataclass(frozen=True, slots=True)
class Predictions:
    """One row for each row that was asked about; None everywhere where an input of it is missing."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Said, ...], ...]


def predictions(training: Training, model: Model, inputs: NDArray[np.float64]) -> Predictions:
    """inputs: float64[n, p], NaN where a value is missing."""
    training.require_model(model)
    complete: NDArray[np.bool_] = np.all(np.isfinite(inputs), axis=1)
    answers = training.recipe.predict(model, np.clip(np.where(complete[:, None], inputs, 0.0), -1.0, 1.0))
    columns, rows = _told(training, answers)
    nothing: tuple[Said, ...] = (None,) * len(columns)
    return Predictions(columns, tuple(row if known else nothing for row, known in zip(rows, complete, strict=True)))


def _told(training: Training, answers: NDArray[np.float64]) -> tuple[tuple[str, ...], list[tuple[Said, ...]]]:
    target, dimensions = training.design.target, training.design.dimensions
    if target is None:
        return _untargeted(answers)
    if dimensions.target is TargetKind.CLASSES:
        return _classes(target, answers)
    known = _numbers(answers * (dimensions.high if dimensions.target is TargetKind.COUNT else target.radius))
    shift = target.middle if dimensions.target is TargetKind.REAL else 0.0
    return (f"predicted {target.label}",), [(value if value is None else value + shift,) for value in known]


def _classes(target: Term, answers: NDArray[np.float64]) -> tuple[tuple[str, ...], list[tuple[Said, ...]]]:
    named = tuple(f"probability of {target.label} = {value}" for value in target.values)
    likeliest = np.argmax(np.nan_to_num(answers), axis=1)
    rows = [(target.values[best], *_numbers(row)) for best, row in zip(likeliest, answers, strict=True)]
    return (f"predicted {target.label}", *named), rows


def _untargeted(answers: NDArray[np.float64]) -> tuple[tuple[str, ...], list[tuple[Said, ...]]]:
    """k-means: the place of the nearest centre among the model's; PCA: the scores."""
    if answers.ndim == 1:
        return ("centre",), [(int(place),) for place in answers]
    columns = tuple(f"component {place + 1}" for place in range(answers.shape[1]))
    return columns, [tuple(_numbers(row)) for row in answers]


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    """Numbers; None for what has overflowed."""
    return [float(value) if np.isfinite(value) else None for value in values]
