"""The metrics of a model in words: a heading for each, what it says, and its value with the noise's error."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

from vicinia.coordinator.console.show import number

__all__ = ["HIDDEN", "Measured", "heading", "meaning", "meanings", "metric", "sentence"]

HIDDEN = "below noise"

_HEADINGS = {"auc": "AUC", "r_squared": "R²", "rmse": "RMSE"}
_MEANINGS = {
    "log_loss": "minus the logarithm of the probability given to the true class, on average; smaller is better",
    "accuracy": "the share of examples whose class was foretold",
    "auc": "how often an example of the second class is ranked above one of the first: 0.5 is chance, 1 is always",
    "base_rate": "the share of examples that are of the second class",
    "r_squared": "the share of the target's variance that is explained: 1 is all of it, 0 no more than its mean does",
    "rmse": "how far off a prediction is, typically, where the target's bounds are -1 and 1; smaller is better",
    "deviance": "how badly the counts fit a Poisson law with the predicted means; smaller is better",
    "mean": "the target's mean, in the unit in which the model computes",
    "mean_predicted": "the mean of the predictions, in the same unit",
    "error": "the mean squared distance of an input from what the model makes of it; smaller is better",
}


class Measured(Protocol):
    """A metric of a model; `value` and `stderr` are None where it is below the noise."""

    @property
    def name(self) -> str:
        """Its name for programs."""

    @property
    def value(self) -> float | None:
        """Its value."""

    @property
    def stderr(self) -> float | None:
        """The noise's standard error."""


def heading(name: str) -> str:
    """The metric's name for people."""
    return _HEADINGS.get(name, name.replace("_", " "))


def meaning(name: str) -> str:
    """What the metric says, for a legend; empty for one that is not known here."""
    return _MEANINGS.get(name, "")


def meanings(names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Heading and meaning of each of these."""
    return tuple((heading(name), meaning(name)) for name in names if meaning(name))


def metric(value: float | None, stderr: float | None) -> str:
    """A value with the noise's standard error, of which two digits are told, and no more of the value than that."""
    if value is None:
        return HIDDEN
    if not stderr:
        return number(value)
    decimals = max(0, 1 - math.floor(math.log10(stderr)))
    return f"{value:z.{decimals}f} ± {stderr:.{decimals}f}"


def sentence(metrics: Iterable[Measured]) -> str:
    """All metrics of a model in a row; told once where the noise hides every one of them."""
    found = tuple(metrics)
    if found and all(one.value is None for one in found):
        return "every metric is below the noise"
    return ", ".join(f"{heading(one.name)} {metric(one.value, one.stderr)}" for one in found)
