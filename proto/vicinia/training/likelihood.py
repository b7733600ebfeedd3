"""What the regressions by Newton's method share: their parameters, and the step from what a round released.

The parameters are rows of (1, x)'s coefficients. A home sends the gradient of its loss by them and the curvature: for
each pair of rows, and each pair of coefficients, in the order of `vicinia.training.symmetric.pack`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from vicinia.training.dimensions import Dimensions
from vicinia.training.layout import Block, VectorLayout
from vicinia.training.model import MAX_PARAMETERS, Model, too_large
from vicinia.training.newton import TRUST, Kept, LocalView, newton
from vicinia.training.parameter import NANO
from vicinia.training.regression import L2, RADIUS, Estimate, length_squared
from vicinia.training.settings import Settings, from_payload
from vicinia.training.symmetric import triangle, unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.training.recipe import Aggregate

__all__ = ["CURVATURE", "GRADIENT", "Likelihood"]

GRADIENT = "gradient"
CURVATURE = "curvature"


@dataclass(frozen=True, slots=True)
class Likelihood(ABC):
    """Maximum likelihood with a ridge penalty. `l2`: per home, 10^-9; `radius`: R, 10^-9·√p; `trust`: 10^-9.

    The model: `coef` float64[r, p] and `intercept` float64[r] with r rows of `outward`, each with `_noise` and
    `_sampling` (deviations, the latter times √m); and what `Kept` keeps.
    """

    settings: ClassVar[Settings] = {"l2": L2, "radius": RADIUS, "trust": TRUST}

    dimensions: Dimensions
    l2: int
    radius: int
    trust: int

    @classmethod
    def within_limits(cls, dimensions: Dimensions, parameters: Mapping[str, int], hint: str) -> Self:
        """From the plan's parameters; InvalidInput or TooLarge where they are none for it."""
        recipe = cls(dimensions, **from_payload(cls.settings, parameters, "training.parameters"))
        if (numbers := recipe.initial_size()) > MAX_PARAMETERS:
            raise too_large(numbers, recipe.layout().length, "training.features", hint)
        return recipe

    @property
    def rows(self) -> int:
        """Rows of parameters."""
        return 1

    @property
    def outward(self) -> NDArray[np.float64]:
        """What the model shows of them: float64[r, rows], orthonormal columns."""
        return np.ones((1, 1))

    @property
    @abstractmethod
    def gradient_unit(self) -> float:
        """What a slot of the gradient is multiplied by."""

    @property
    @abstractmethod
    def curvature_unit(self) -> float:
        """What a slot of the curvature is multiplied by."""

    @property
    @abstractmethod
    def norm_squared(self) -> Fraction:
        """What the squared norms of the two blocks add up to at most."""

    @property
    def shape(self) -> tuple[int, int]:
        """Parameters: (rows, p + 1), the intercepts first in each row."""
        return self.rows, self.dimensions.inputs + 1

    @property
    def bound(self) -> float:
        """R² + 1: the squared length of the longest (1, x) once weighted."""
        return length_squared(self.dimensions.inputs, self.radius, 1)

    def layout(self) -> VectorLayout:
        """Two blocks, the gradient's and the curvature's."""
        rows, columns = self.shape
        blocks = (Block(GRADIENT, rows * columns), Block(CURVATURE, triangle(rows) * triangle(columns)))
        return VectorLayout(blocks, self.norm_squared)

    def initial_size(self) -> int:
        """Numbers of the model."""
        rows, columns = self.shape
        return 3 * len(self.outward) * columns + Kept.size(rows * columns)

    def initial(self) -> Model:
        """Zeros."""
        rows, columns = self.shape
        zeros = np.zeros((len(self.outward), columns))
        return Model.of(Estimate(zeros, zeros, zeros).arrays() | Kept.empty(rows * columns).arrays())

    def rounds(self) -> int | None:
        """As many as the plan says; four are usual."""
        return None

    def step(self, model: Model, released: Aggregate) -> Model:
        """Newton's step (`vicinia.training.newton`)."""
        kept, layout, outward = Kept.of(model), self.layout(), self.outward
        view = LocalView(
            values=(outward.T @ np.column_stack((model["intercept"], model["coef"]))).reshape(-1),
            gradient=released.total[layout.place(GRADIENT)] * self.gradient_unit,
            curvature=self._curvature(released.total[layout.place(CURVATURE)]),
            gradient_noise=released.noise * self.gradient_unit,
            curvature_noise=released.noise * self.curvature_unit,
            slots=layout.blocks[1].length,
        )
        if not kept.rounds and not view.values.any():  # a model that was brought has parameters of its own
            view = self.begun(view)
        penalty = np.full(self.shape, self.l2 / NANO * released.cohort)
        penalty[:, 0] = 0.0
        taken = newton(kept, view, penalty.reshape(-1), self.trust / NANO)
        # A count of high·t with mean high·exp(η) tells high times what the loss in t does; for others high is 1.
        estimate = Estimate(
            outward @ taken.values.reshape(self.shape),
            self._variances(taken.noise),
            self._variances(taken.sampling) / self.dimensions.high,
        )
        return Model.of(estimate.arrays() | taken.kept.arrays())

    def begun(self, view: LocalView) -> LocalView:
        """The first round's view, or what it tells of a better place to begin at."""
        return view

    def _curvature(self, slots: NDArray[np.float64]) -> NDArray[np.float64]:
        rows, columns = self.shape
        inner = unpack(slots.reshape(triangle(rows), triangle(columns)), columns)
        whole = unpack(np.moveaxis(inner, 0, -1), rows).transpose(2, 0, 3, 1)
        return whole.reshape(rows * columns, rows * columns) * self.curvature_unit

    def _variances(self, covariance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of what the model shows, float64[r, p + 1], from the covariance of the parameters."""
        blocks = covariance.reshape(*self.shape, *self.shape)
        variances = np.einsum("ka,aibi,kb->ki", self.outward, blocks, self.outward)
        positive: NDArray[np.float64] = np.maximum(variances, 0.0)
        return positive
