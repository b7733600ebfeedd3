"""Newton's method on noisy gradients and curvatures, of which no round is wasted.

Each round r releases the gradient G and the curvature H of the homes' summed loss at the parameters θ_r, both with
noise. They say: near θ_r, the gradient at θ is G + H(θ - θ_r). What earlier rounds said is kept as one such linear
equation, A θ = b, and is added to with a weight λ (recursive least squares with forgetting):

    A ← λA + H,   b ← λb + Hθ_r - G,   θ ← (A + penalty)⁻¹ b.

θ_r solved the kept equation, so if that still held, G + penalty·θ_r would be noise alone. λ is the square that noise
would have over the square that was seen, at most 1. Without noise λ is 0, which is plain Newton; near the solution it
is 1, and the noise of all those rounds averages out.

Two guards keep a noisy step from diverging: eigenvalues below the noise are raised to it
(`vicinia.training.symmetric.Curvature`), and a step is no longer than `trust`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from vicinia.training.regression import noise_covariance
from vicinia.training.settings import Setting, real
from vicinia.training.symmetric import Curvature, noise_floor, pack, settled, triangle, unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.training.model import Model

__all__ = ["TRUST", "Kept", "LocalView", "NewtonStep", "newton"]

TRUST: Setting = real("trust", "0.01", "10000", "20")
"""The longest step of a round: length of the change of all parameters, intercepts included."""
_LARGEST = 1e6


@dataclass(frozen=True)
class Kept:
    """The equation A θ = b that earlier rounds left: matrix float64[d, d], right float64[d], the summed weight of the
    rounds in it, and the sum of weight²·(noise variance of a slot)."""

    matrix: NDArray[np.float64]
    right: NDArray[np.float64]
    rounds: float
    variance: float

    @staticmethod
    def size(parameters: int) -> int:
        """Numbers that a model needs for it."""
        return triangle(parameters) + parameters + 2

    @classmethod
    def empty(cls, parameters: int) -> Kept:
        """Before the first round."""
        return cls(np.zeros((parameters, parameters)), np.zeros(parameters), 0.0, 0.0)

    @classmethod
    def of(cls, model: Model) -> Kept:
        """From a model's arrays."""
        matrix, right, (rounds, variance) = (
            model[name].astype(np.float64) for name in ("kept_matrix", "kept_right", "kept_rounds")
        )
        return cls(unpack(matrix, len(right)), right, float(rounds), float(variance))

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """For a model: `kept_matrix` (packed), `kept_right` and `kept_rounds` (rounds and variance)."""
        parts = {
            "kept_matrix": pack(self.matrix),
            "kept_right": self.right,
            "kept_rounds": np.array([self.rounds, self.variance]),
        }
        return {name: settled(numbers) for name, numbers in parts.items()}


@dataclass(frozen=True)
class LocalView:
    """One round, in the loss's own units, θ float64[d]: where it was, G, H; `noise`: deviation of the noise in a slot
    as it was released, and what a slot is multiplied by to be an entry of the gradient or the curvature."""

    values: NDArray[np.float64]
    gradient: NDArray[np.float64]
    curvature: NDArray[np.float64]
    noise: float
    gradient_unit: float
    curvature_unit: float


@dataclass(frozen=True)
class NewtonStep:
    """The next parameters, their covariance by noise, and m times that by sampling: float64[d, d] each."""

    values: NDArray[np.float64]
    noise: NDArray[np.float64]
    sampling: NDArray[np.float64]
    kept: Kept


def newton(kept: Kept, view: LocalView, penalty: NDArray[np.float64], trust: float) -> NewtonStep:
    """Take the step; penalty: what the ridge adds to the curvature's diagonal, float64[d], for one round."""
    forget = _weight(kept, view, penalty)
    now = Kept(
        matrix=forget * kept.matrix + view.curvature,
        right=forget * kept.right + view.curvature @ view.values - view.gradient,
        rounds=forget * kept.rounds + 1.0,
        variance=forget**2 * kept.variance + view.noise**2,
    )
    size = len(view.values)
    whole = now.matrix + now.rounds * np.diag(penalty)
    deviation = np.sqrt(now.variance) * view.curvature_unit
    inverse = Curvature(whole, noise_floor(float(deviation), size))
    step = inverse.solve(now.right - whole @ view.values)
    step *= min(1.0, trust / max(float(np.linalg.norm(step)), 1e-300))
    values = np.clip(view.values + step, -_LARGEST, _LARGEST)
    noise = noise_covariance(
        inverse, now.variance * view.gradient_unit**2, now.variance * view.curvature_unit**2, values - view.values
    )
    sampling = now.rounds * inverse.sandwich(Curvature(now.matrix, 0.0).matrix)
    return NewtonStep(values, noise, sampling, now)


def _weight(kept: Kept, view: LocalView, penalty: NDArray[np.float64]) -> float:
    """λ: how far what is kept agrees with what this round saw."""
    if not kept.rounds:
        return 0.0
    seen = view.gradient + penalty * view.values
    expected = view.noise**2 + kept.variance / kept.rounds**2
    square = expected * view.gradient_unit**2 * len(seen)
    return min(1.0, square / max(float(seen @ seen), 1e-300))
