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
from vicinia.training.layout import Block, VectorLayout
from vicinia.training.model import MAX_PARAMETERS, Model, too_large
from vicinia.training.newton import TRUST, Kept, LocalView, newton
from vicinia.training.regression import L2, RADIUS, Estimate, length_squared
from vicinia.training.settings import NANO, Setting, from_payload
from vicinia.training.symmetric import triangle, unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.training.recipe import Aggregate

__all__ = ["CURVATURE", "GRADIENT", "Poisson", "means"]

GRADIENT = "gradient"
CURVATURE = "curvature"
_LEAST_LOG_MEAN = -20.0


def means(log_means: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp(η), η cut to [-20, 0]: no mean is above the count's bound."""
    return np.exp(np.clip(log_means, _LEAST_LOG_MEAN, 0.0))


@dataclass(frozen=True, slots=True)
class Poisson:
    """Maximum likelihood with a ridge penalty. `l2`: per home, 10^-9; `radius`: R, 10^-9·√p; `trust`: 10^-9.

    The model: `coef` float64[1, p] and `intercept` float64[1], each with `_noise` and `_sampling` (deviations, the
    latter times √m); and what `Kept` keeps.
    """

    name: ClassVar[str] = "poisson"
    version: ClassVar[int] = 1
    settings: ClassVar[tuple[Setting, ...]] = (L2, RADIUS, TRUST)

    dimensions: Dimensions
    l2: int
    radius: int
    trust: int

    @classmethod
    def of(cls, dimensions: Dimensions, parameters: Mapping[str, int]) -> Poisson:
        """From the plan's parameters; InvalidInput or TooLarge where they, or the target, are none for it."""
        if dimensions.target is not TargetKind.COUNT:
            raise InvalidInput(
                "Poisson regression is for a target that is a count.",
                where="training.target",
                hint="For an enum column take the recipe 'logistic'.",
            )
        recipe = cls(dimensions, **from_payload(cls.settings, parameters, "training.parameters"))
        numbers = 3 * (dimensions.inputs + 1) + Kept.size(dimensions.inputs + 1)
        if numbers > MAX_PARAMETERS:
            raise too_large(numbers, recipe.layout().length, "training.features", "Use fewer inputs.")
        return recipe

    @property
    def bound(self) -> float:
        """R² + 1: the squared length of the longest (1, x) once weighted."""
        return length_squared(self.dimensions.inputs, self.radius, 1)

    @property
    def gradient_unit(self) -> float:
        """What a slot of the gradient is multiplied by."""
        return sqrt(self.bound)

    @property
    def curvature_unit(self) -> float:
        """What a slot of the curvature is multiplied by: half of what would do, to leave the gradient more room."""
        return 2 * self.bound

    def layout(self) -> VectorLayout:
        """Two blocks: the residual can be 1 where the mean is, and the curvature counts half."""
        size = self.dimensions.inputs + 1
        return VectorLayout((Block(GRADIENT, size), Block(CURVATURE, triangle(size))), Fraction(5, 4))

    def initial(self) -> Model:
        """Zeros: every mean is the count's upper bound, until the first round has told the homes' mean."""
        size = self.dimensions.inputs + 1
        zeros = np.zeros((1, size))
        return Model.of(Estimate(zeros, zeros, zeros).arrays() | Kept.empty(size).arrays())

    def rounds(self) -> int | None:
        """As many as the plan says; four are usual."""
        return None

    def step(self, model: Model, released: Aggregate) -> Model:
        """Newton's step (`vicinia.training.newton`)."""
        kept, layout, size = Kept.of(model), self.layout(), self.dimensions.inputs + 1
        view = LocalView(
            values=np.append(model["intercept"], model["coef"][0]),
            gradient=released.total[layout.place(GRADIENT)] * self.gradient_unit,
            curvature=unpack(released.total[layout.place(CURVATURE)], size) * self.curvature_unit,
            gradient_noise=released.noise * self.gradient_unit,
            curvature_noise=released.noise * self.curvature_unit,
            slots=layout.blocks[1].length,
        )
        if not kept.rounds and not view.values.any():  # a model that was brought has means of its own
            view = _at_the_mean(view)
        penalty = np.full(size, self.l2 / NANO * released.cohort)
        penalty[0] = 0.0
        taken = newton(kept, view, penalty, self.trust / NANO)
        noise, sampling = (np.maximum(np.diag(part), 0.0)[None] for part in (taken.noise, taken.sampling))
        # A count of high·t with mean high·exp(η) tells high times what the loss in t does.
        estimate = Estimate(taken.values[None], noise, sampling / self.dimensions.high)
        return Model.of(estimate.arrays() | taken.kept.arrays())

    def predict(self, model: Model, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n]: the mean, in units of the count's upper bound."""
        with np.errstate(over="ignore", invalid="ignore"):
            return means(inputs @ model["coef"][0] + model["intercept"][0])


def _at_the_mean(view: LocalView) -> LocalView:
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
