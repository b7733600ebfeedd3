"""Newton's method on noisy gradients and curvatures, of which no round is wasted.

Each round r releases the gradient G and the curvature H of the homes' summed loss at the parameters θ_r, both with
noise. What the rounds say is kept in two parts:

- C, the curvature of one round, filtered over rounds (a Kalman filter with one gain for all entries, whose process
  noise is how much more H differs from C than noise would): C ← C + k(H - C), k = (δ² + s_C²)/(δ² + s_C² + s_H²);
- an equation A θ = b of what gradients say. Near θ_r, the gradient at θ is G + C(θ - θ_r), so (recursive least squares
  with forgetting) A ← λA + C, b ← λb + Cθ_r - G, and θ ← (A + penalty)⁻¹ b.

θ_r solved the kept equation, so if that still held, G + penalty·θ_r would be noise alone; what it is beyond that is
taken for an error of the kept equation, and λ weighs the two by their mean squares, at most 1. Without noise k is 1 and
λ is 0, which is plain Newton; near the solution λ is 1, and the noise of all those rounds averages out.

Two guards keep a noisy step from diverging: eigenvalues below the noise are raised to it
(`vicinia.training.symmetric.Curvature`), and a step is no longer than `trust`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from vicinia.errors import InvalidInput
from vicinia.training.parameter import real
from vicinia.training.regression import noise_covariance
from vicinia.training.symmetric import Curvature, noise_floor, pack, settled, triangle, unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.training.model import Model

__all__ = ["TRUST", "Kept", "LocalView", "NewtonStep", "newton"]

TRUST = real("0.01", "10000", "20")
"""The longest step of a round: length of the change of all parameters, intercepts included."""
_LARGEST = 1e6
_NAMES = ("kept_matrix", "kept_right", "kept_curvature", "kept_rounds")


@dataclass(frozen=True)
class Kept:
    """What earlier rounds left: A float64[d, d], b float64[d], C float64[d, d], the summed weight of the rounds in A
    and b, the variance of the noise in an entry of b - Aθ, and that of the noise on C's diagonal."""

    matrix: NDArray[np.float64]
    right: NDArray[np.float64]
    curvature: NDArray[np.float64]
    rounds: float = 0.0
    variance: float = 0.0
    curvature_variance: float = 0.0

    @staticmethod
    def size(parameters: int) -> int:
        """Numbers that a model needs for it."""
        return 2 * triangle(parameters) + parameters + 3

    @classmethod
    def empty(cls, parameters: int) -> Kept:
        """Before the first round."""
        square = np.zeros((parameters, parameters))
        return cls(square, np.zeros(parameters), square)

    @classmethod
    def of(cls, model: Model) -> Kept:
        """From a model's arrays, which may be a researcher's; InvalidInput where no rounds can have left them."""
        matrix, right, curvature, numbers = (model[name].astype(np.float64) for name in _NAMES)
        size = len(right)
        if numbers.min() < 0:
            raise InvalidInput("A model keeps a weight and variances of earlier rounds below zero.", where=_NAMES[-1])
        return cls(unpack(matrix, size), right, unpack(curvature, size), *map(float, numbers))

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """For a model: `kept_matrix` and `kept_curvature` (packed), `kept_right` and `kept_rounds` (the numbers)."""
        numbers = np.array([self.rounds, self.variance, self.curvature_variance])
        parts = (pack(self.matrix), self.right, pack(self.curvature), numbers)
        return {name: settled(part) for name, part in zip(_NAMES, parts, strict=True)}


@dataclass(frozen=True)
class LocalView:
    """One round, in the loss's own units: θ float64[d], G float64[d], H float64[d, d]; the deviations of the noise in
    an entry of G and on the diagonal of H, and how many slots H came in."""

    values: NDArray[np.float64]
    gradient: NDArray[np.float64]
    curvature: NDArray[np.float64]
    gradient_noise: float
    curvature_noise: float
    slots: int


@dataclass(frozen=True)
class NewtonStep:
    """The next parameters, their covariance by noise, and m times that by sampling: float64[d, d] each."""

    values: NDArray[np.float64]
    noise: NDArray[np.float64]
    sampling: NDArray[np.float64]
    kept: Kept


def newton(kept: Kept, view: LocalView, penalty: NDArray[np.float64], trust: float) -> NewtonStep:
    """Take the step; penalty: what the ridge adds to the curvature's diagonal, float64[d], for one round."""
    curvature, variance = _filtered(kept, view)
    forget, left = _weight(kept, view, penalty)
    gradient_variance = forget**2 * left + view.gradient_noise**2
    rounds = forget * kept.rounds + 1.0
    matrix = forget * kept.matrix + curvature
    right = forget * kept.right + curvature @ view.values - view.gradient
    whole = matrix + rounds * np.diag(penalty)
    # The matrices in A were filtered from the same noise, which does not average out in their sum.
    spread = rounds**2 * variance
    inverse = Curvature(whole, noise_floor(sqrt(spread), len(penalty)))
    step = inverse.solve(right - whole @ view.values)
    step *= min(1.0, trust / max(float(np.linalg.norm(step)), 1e-300))
    moved = spread / 2 * float(step @ step) * (1 + 1 / len(step))
    return NewtonStep(
        values=np.clip(view.values + step, -_LARGEST, _LARGEST),
        noise=noise_covariance(inverse, gradient_variance, spread, step),
        sampling=rounds * inverse.sandwich(Curvature(matrix, 0.0).matrix),
        kept=Kept(matrix, right, curvature, rounds, gradient_variance + moved, variance),
    )


def _filtered(kept: Kept, view: LocalView) -> tuple[NDArray[np.float64], float]:
    """C and the variance of its noise, after this round."""
    seen = view.curvature_noise**2
    if not kept.rounds or not seen:
        return view.curvature, seen
    apart = view.curvature - kept.curvature
    change = max(0.0, float((apart * apart).sum()) / view.slots - seen - kept.curvature_variance)
    gain = (change + kept.curvature_variance) / (change + kept.curvature_variance + seen)
    return kept.curvature + gain * apart, gain * seen


def _weight(kept: Kept, view: LocalView, penalty: NDArray[np.float64]) -> tuple[float, float]:
    """λ, and the mean square of the error in an entry of the kept b - Aθ, its bias at θ_r included."""
    if not kept.rounds:
        return 0.0, 0.0
    seen = view.gradient + penalty * view.values
    own = view.gradient_noise**2
    per_round = max(kept.variance / kept.rounds**2, float(seen @ seen) / len(seen) - own)
    if own >= kept.rounds * per_round:
        return 1.0, kept.rounds**2 * per_round
    return own / (kept.rounds * per_round), kept.rounds**2 * per_round
