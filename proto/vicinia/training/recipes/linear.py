"""Linear and ridge regression in one round, from the sums of squares and products of inputs and target.

A home sends the upper triangle of the sum of z zᵀ over its examples, z = √w·(1, x, y)/√(R² + 2), whose norm is at most
1 (Dwork, Smith et al. 2014, "Analyze Gauss", for the triangle; `vicinia.training.regression` for w and R).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from vicinia.errors import InvalidInput
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.layout import Block, VectorLayout
from vicinia.training.model import MAX_PARAMETERS, Model, too_large
from vicinia.training.parameter import NANO
from vicinia.training.regression import L2, RADIUS, Estimate, length_squared, noise_covariance
from vicinia.training.settings import Settings, from_payload
from vicinia.training.symmetric import Curvature, noise_floor, settled, triangle, unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.training.recipe import Aggregate

__all__ = ["MOMENTS", "Linear"]

MOMENTS = "sums of squares and products"


@dataclass(frozen=True, slots=True)
class Linear:
    """Least squares with a ridge penalty. `l2`: per home, 10^-9; `radius`: R, 10^-9·√p.

    The model: `coef` float64[1, p] and `intercept` float64[1], with `_noise` and `_sampling` each (deviations, the
    latter times √m), `residual_variance` and `target_variance`, float64[1] each: 1 - their ratio is R² in the sample.
    """

    name: ClassVar[str] = "linear"
    version: ClassVar[int] = 1
    settings: ClassVar[Settings] = {"l2": L2, "radius": RADIUS}

    dimensions: Dimensions
    l2: int
    radius: int

    @classmethod
    def of(cls, dimensions: Dimensions, parameters: Mapping[str, int]) -> Linear:
        """From the plan's parameters; InvalidInput where they, or the target, are none for it."""
        if dimensions.target is not TargetKind.REAL:
            raise InvalidInput(
                "Linear regression is for a target that is a number.",
                where="training.target",
                hint="For an enum column take the recipe 'logistic'.",
            )
        slots = triangle(dimensions.inputs + 2)
        if slots > MAX_PARAMETERS:
            raise too_large(slots, slots, "training.features", "Use fewer inputs.")
        return cls(dimensions, **from_payload(cls.settings, parameters, "training.parameters"))

    @property
    def bound(self) -> float:
        """R² + 2: the squared length of the longest example (1, x, y) once weighted."""
        return length_squared(self.dimensions.inputs, self.radius, 2)

    def layout(self) -> VectorLayout:
        """One block with a norm of at most 1."""
        return VectorLayout((Block(MOMENTS, triangle(self.dimensions.inputs + 2)),), Fraction(1))

    def initial(self) -> Model:
        """Zeros."""
        zeros = np.zeros((1, self.dimensions.inputs + 1))
        return _model(Estimate(zeros, zeros, zeros), 0.0, 0.0)

    def rounds(self) -> int | None:
        """One."""
        return 1

    def step(self, model: Model, released: Aggregate) -> Model:  # noqa: ARG002
        """The solution from one round's moments, whatever the model was."""
        size = self.dimensions.inputs + 1
        moments = unpack(released.total, size + 1) * self.bound
        deviation = released.noise * self.bound
        penalty = np.full(size, self.l2 / NANO * released.cohort)
        penalty[0] = 0.0
        matrix, right = moments[:-1, :-1], moments[:-1, -1]
        inverse = Curvature(matrix + np.diag(penalty), noise_floor(deviation, size))
        values = inverse.solve(right)
        residual = _variance(moments, np.append(-values, 1.0), deviation)
        noise = noise_covariance(inverse, 0.0, deviation**2, values, extra=1.0)
        sampling = residual * inverse.sandwich(Curvature(matrix, 0.0).matrix)
        estimate = Estimate(values[None], _diagonal(noise), _diagonal(sampling))
        centre = np.zeros(size + 1)
        centre[[0, -1]] = -moments[0, -1] / max(float(moments[0, 0]), deviation, 1e-300), 1.0
        return _model(estimate, residual, _variance(moments, centre, deviation))

    def predict(self, model: Model, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n], the target's standardised unit; not cut to [-1, 1]."""
        predicted: NDArray[np.float64] = inputs @ model["coef"][0] + model["intercept"][0]
        return predicted


def _model(estimate: Estimate, residual: float, whole: float) -> Model:
    variances = {"residual_variance": np.array([residual]), "target_variance": np.array([whole])}
    return Model.of(estimate.arrays() | {name: settled(array) for name, array in variances.items()})


def _variance(moments: NDArray[np.float64], contrast: NDArray[np.float64], deviation: float) -> float:
    """The mean square of contrast·z, at most 1; never below what the noise could hide, so that errors err upwards."""
    count = max(float(moments[0, 0]), deviation, 1e-300)
    hidden = deviation * float(contrast @ contrast)
    return min(max(float(contrast @ moments @ contrast), hidden) / count, 1.0)


def _diagonal(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(np.diag(covariance), 0.0)[None]
