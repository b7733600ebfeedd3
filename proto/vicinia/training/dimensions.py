"""The size of a learning problem: all that a recipe needs to know of features and target."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from vicinia.errors import InvalidInput

__all__ = ["MAX_CLASSES", "MAX_INPUTS", "Dimensions", "TargetKind"]

MAX_INPUTS = 2_000
MAX_CLASSES = 100


class TargetKind(StrEnum):
    """What is to be predicted."""

    NONE = "none"  # nothing: k-means, PCA
    REAL = "real"  # a number, standardised by its bounds to [-1, 1]
    COUNT = "count"  # a number from 0 to its upper bound, divided by that bound: [0, 1]
    CLASSES = "classes"  # one of k values, as its place 0..k-1


@dataclass(frozen=True, slots=True)
class Dimensions:
    """`inputs`: p standardised inputs, each within [-1, 1], without an intercept; `classes`: k, 0 where the target is
    no class; `high`: the upper bound of a count in its own unit (mean and rate are in units of it), else 1."""

    inputs: int
    target: TargetKind
    classes: int = 0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.inputs <= MAX_INPUTS:
            raise InvalidInput(f"A model has 1 to {MAX_INPUTS} inputs, not {self.inputs}.", where="training.features")
        classes = self.target is TargetKind.CLASSES
        if classes and not 2 <= self.classes <= MAX_CLASSES:
            raise InvalidInput(f"A target has 2 to {MAX_CLASSES} values, not {self.classes}.", where="training.target")
        if not classes and self.classes:
            raise InvalidInput("Only a target of classes has a number of them.", where="training.target")
