"""Poisson regression with a log link by Newton's method on noisy gradients and curvatures; about four rounds.

The target t is a count divided by its upper bound, and so is the mean: exp(η), η = intercept + coef·x, within
[exp(-20), 1]. An example of weight w (`vicinia.training.regression`) adds w·(exp(η) - t)·(1, x) to the gradient and
w·exp(η)·(1, x)(1, x)ᵀ to the curvature. In the count's own unit the intercept is larger by log(high).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import hypot, log, sqrt
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from vicinia.errors import InvalidInput
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.likelihood import Likelihood
from vicinia.training.model import Model
from vicinia.training.newton import LocalView

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Poisson", "means"]

_LEAST_LOG_MEAN = -20.0


def means(log_means: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp(η), η cut to [-20, 0]: no mean is above the count's bound."""
    return np.exp(np.clip(log_means, _LEAST_LOG_MEAN, 0.0))


@dataclass(frozen=True, slots=True)
class Poisson(Likelihood):
    """Counts by the logarithm of their mean.

    It begins with zeros: every mean is the count's upper bound, until the first round has told the homes' mean.
    """

    name: ClassVar[str] = "poisson"
    version: ClassVar[int] = 1

    @classmethod
    def of(cls, dimensions: Dimensions, parameters: Mapping[str, int]) -> Poisson:
        """From the plan's parameters; InvalidInput or TooLarge where they, or the target, are none for it."""
        if dimensions.target is not TargetKind.COUNT:
            raise InvalidInput(
                "Poisson regression is for a target that is a count.",
                where="training.target",
                hint="For an enum column take the recipe 'logistic'.",
            )
        return cls.within_limits(dimensions, parameters, "Use fewer inputs.")

    @property
    def gradient_unit(self) -> float:
        """What a slot of the gradient is multiplied by."""
        return sqrt(self.bound)

    @property
    def curvature_unit(self) -> float:
        """What a slot of the curvature is multiplied by: half of what would do, to leave the gradient more room."""
        return 2 * self.bound

    @property
    def norm_squared(self) -> Fraction:
        """5/4: the residual can be 1 where the mean is, and the curvature counts half."""
        return Fraction(5, 4)

    def predict(self, model: Model, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n]: the mean, in units of the count's upper bound."""
        with np.errstate(over="ignore", invalid="ignore"):
            return means(inputs @ model["coef"][0] + model["intercept"][0])

    def begun(self, view: LocalView) -> LocalView:
        """What the first round, where every mean was 1, would have been where every mean is the targets' own.

        There the curvature is the sum S of (1, x)(1, x)ᵀ and the gradient S's first column less the sum of t·(1, x), so
        that both follow for any other constant mean: several steps of Newton's method are saved.
        """
        constant = view.curvature[:, 0]
        products = constant - view.gradient
        count = max(float(constant[0]), view.curvature_noise, 1e-300)
        hidden = max(2 * view.gradient_noise / count, 1e-6)
        mean = min(max(float(products[0]) / count, hidden), 1.0)
        values = view.values.copy()
        values[0] = log(mean)
        return LocalView(
            values=values,
            gradient=mean * constant - products,
            curvature=mean * view.curvature,
            gradient_noise=hypot(view.gradient_noise, view.curvature_noise),
            curvature_noise=mean * view.curvature_noise,
            slots=view.slots,
        )
