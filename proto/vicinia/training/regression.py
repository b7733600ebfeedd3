"""What the regressions share: how long an example can be, how noise becomes standard errors, what the model holds.

Examples longer than the *radius* are weighted down, not cut: an example with inputs x and e further numbers within
[-1, 1] counts w(x) = min(1, (R² + e) / (|x|² + e)). As w depends on the inputs alone, estimates of a model that fits
stay unbiased (Mallows' weights; Carroll, Pederson 1993, "On robustness in the logistic regression model"). scikit-learn
and statsmodels give the same coefficients with w as `sample_weight` or `freq_weights`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from vicinia.training.model import Model
from vicinia.training.parameter import NANO, real
from vicinia.training.symmetric import Curvature, settled

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["L2", "RADIUS", "Estimate", "StandardErrors", "length_squared", "standard_errors", "weights"]

RADIUS = real("0.01", "1", "0.5")
"""R in units of √p, the length that p inputs can have: 1 weights nothing down, and has the most noise."""
L2 = real("0", "1000", "0.0001")
"""The penalty l2/2·|coefficients|² per home of the released cohort, beside the home's sum over its examples / m.

scikit-learn's `Ridge` has alpha = l2·cohort·m for the same, `LogisticRegression` has C = 1/(l2·cohort·m), and
`PoissonRegressor`, of the target divided by its bound, alpha = l2·cohort·m/(sum of weights). Never on intercepts.
"""


def length_squared(inputs: int, radius: int, extra: int) -> float:
    """R² + e: what a whole example's squared length is at most, once weighted; radius in 10^-9·√p."""
    share = radius / NANO
    return inputs * share * share + extra


def weights(inputs: NDArray[np.float64], bound: float, extra: int) -> NDArray[np.float64]:
    """w of each example, float64[n]; bound: R² + e."""
    whole: NDArray[np.float64] = np.minimum(1.0, bound / ((inputs * inputs).sum(axis=1) + extra))
    return whole


@dataclass(frozen=True)
class Estimate:
    """Coefficients and intercepts with two covariances, of parameters in the order (intercept, coefficients).

    values: float64[r, p+1]; noise: the variance that the noise of the rounds adds, float64[r, p+1]; sampling: m times
    that of the homes' sampling, float64[r, p+1].
    """

    values: NDArray[np.float64]
    noise: NDArray[np.float64]
    sampling: NDArray[np.float64]

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """The model's arrays: `coef` and `intercept`, and for each its two deviations."""
        parts: dict[str, NDArray[np.float64]] = {}
        deviations = {"": self.values, "_noise": np.sqrt(self.noise), "_sampling": np.sqrt(self.sampling)}
        for suffix, numbers in deviations.items():
            parts["coef" + suffix] = settled(numbers[:, 1:])
            parts["intercept" + suffix] = settled(numbers[:, 0])
        return parts


@dataclass(frozen=True)
class StandardErrors:
    """In the units of the model's `coef` and `intercept`, and in their shapes."""

    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]


def standard_errors(model: Model, limit: int) -> StandardErrors:
    """Standard errors of a regression's numbers, the noise of the rounds included; limit: m of the plan.

    The noise part follows from the known deviation of the noise through the last solve (delta method); the sampling
    part is the model-based one, for independent examples: it does not know that examples of one home may be alike, nor
    the rounding down of weights. The bias of a ridge penalty, or of directions
    whose curvature lies below the noise (they are shrunk), is no part of it.
    """

    def both(name: str) -> NDArray[np.float64]:
        error: NDArray[np.float64] = np.hypot(model[name + "_noise"], model[name + "_sampling"] / sqrt(limit))
        return error

    return StandardErrors(both("coef"), both("intercept"))


def noise_covariance(
    inverse: Curvature, gradient: float, curvature: float, distance: NDArray[np.float64], extra: float = 0.0
) -> NDArray[np.float64]:
    """The covariance that noise adds to `inverse` times (gradient - curvature·distance), float64[d, d].

    gradient, curvature: variances of the noise in a slot of the gradient and on the diagonal of the curvature. The
    noise N of the latter is symmetric, with half the variance off the diagonal, so N·v has the covariance
    (|v|²·I + v·vᵀ)/2; extra: squared length of what v has beside `distance`.
    """
    size = len(distance)
    share = curvature / 2
    middle = (gradient + share * (float(distance @ distance) + extra)) * np.eye(size)
    middle += share * np.outer(distance, distance)
    return inverse.sandwich(middle)
