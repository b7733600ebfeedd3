"""The learning curve of a training in the terminal: its leading metric, a line for each round."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text
from vicinia.coordinator.console.plot import ANYTHING, Bar, bars

__all__ = ["MOST_LINES", "Curves", "Point", "curve", "leading"]

LEADING = ("auc", "r_squared", "accuracy", "deviance", "error")
MOST_LINES = 20


@dataclass(frozen=True, slots=True)
class Point:
    """A metric of the model after so many rounds; None where it is below the noise. `limits`: what it can be at all."""

    round: int
    value: float | None
    stderr: float | None
    limits: tuple[float, float] = ANYTHING

    @property
    def bar(self) -> Bar:
        """The point with its error bar, named after its round."""
        name = f"{self.round} round{'' if self.round == 1 else 's'}"
        return Bar(name, self.value, self.stderr, limits=self.limits)


Curves = Mapping[str, Sequence[Point]]


def leading(curves: Curves) -> str | None:
    """The metric that is looked at first; None where no round has one above its noise."""
    known = [name for name, points in curves.items() if any(point.value is not None for point in points)]
    return next((name for name in (*LEADING, *known) if name in known), None)


def curve(points: Sequence[Point]) -> list[Text]:
    """A line for each round, for the last and evenly many others where there are more than the terminal should hold."""
    step = math.ceil(len(points) / MOST_LINES)
    kept = [point for place, point in enumerate(points) if (len(points) - 1 - place) % max(step, 1) == 0]
    return bars([point.bar for point in kept])
