"""Logistic and multinomial regression by Newton's method on noisy gradients and curvatures; about four rounds.

An example of weight w (`vicinia.training.regression`) and class y adds w·Kᵀ(p - e_y)·(1, x)ᵀ to the gradient and
w·Kᵀ(diag p - ppᵀ)K ⊗ (1, x)(1, x)ᵀ to the curvature, where p are the probabilities that the model gives it. K spans
the logits that matter: for two classes that of the second one, as in scikit-learn's binary `LogisticRegression`; for
more an orthonormal basis of the logits that sum to zero, where the symmetric solution of scikit-learn's multinomial
one lies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
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

__all__ = ["CURVATURE", "GRADIENT", "Logistic", "contrasts", "probabilities"]

GRADIENT = "gradient"
CURVATURE = "curvature"
_LARGEST_LOGIT = 500.0


def contrasts(classes: int) -> NDArray[np.float64]:
    """K, float64[classes, classes - 1]."""
    if classes == 2:
        return np.array([[0.0], [1.0]])
    basis = np.zeros((classes, classes - 1))
    for column in range(classes - 1):
        basis[: column + 1, column] = 1.0
        basis[column + 1, column] = -(column + 1.0)
        basis[:, column] /= sqrt((column + 1) * (column + 2))
    return basis


def probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Softmax, float64[n, k]; logits are cut to ±500 first, so that nothing overflows."""
    logits = np.clip(logits, -_LARGEST_LOGIT, _LARGEST_LOGIT)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares


@dataclass(frozen=True, slots=True)
class Logistic:
    """Maximum likelihood with a ridge penalty. `l2`: per home, 10^-9; `radius`: R, 10^-9·√p; `trust`: 10^-9.

    The model: `coef` float64[r, p] and `intercept` float64[r], r = 1 (the second class against the first) for two
    classes, else k; each with `_noise` and `_sampling` (deviations, the latter times √m); and what `Kept` keeps.
    """

    name: ClassVar[str] = "logistic"
    version: ClassVar[int] = 1
    settings: ClassVar[tuple[Setting, ...]] = (L2, RADIUS, TRUST)

    dimensions: Dimensions
    l2: int
    radius: int
    trust: int

    @classmethod
    def of(cls, dimensions: Dimensions, parameters: Mapping[str, int]) -> Logistic:
        """From the plan's parameters; InvalidInput or TooLarge where they, or the target, are none for it."""
        if dimensions.target is not TargetKind.CLASSES:
            raise InvalidInput(
                "Logistic regression is for a target that is a class.",
                where="training.target",
                hint="Take an enum column by its bare name; for a number take the recipe 'linear'.",
            )
        recipe = cls(dimensions, **from_payload(cls.settings, parameters, "training.parameters"))
        if (numbers := recipe.initial_size()) > MAX_PARAMETERS:
            hint = "Use fewer inputs, or the recipe mlp without hidden layers."
            raise too_large(numbers, recipe.layout().length, "training.features", hint)
        return recipe

    @property
    def shape(self) -> tuple[int, int]:
        """Parameters: (k - 1, p + 1), the intercepts first in each row."""
        return self.dimensions.classes - 1, self.dimensions.inputs + 1

    @property
    def bound(self) -> float:
        """R² + 1: the squared length of the longest (1, x) once weighted."""
        return length_squared(self.dimensions.inputs, self.radius, 1)

    @property
    def gradient_unit(self) -> float:
        """What a slot of the gradient is multiplied by: |Kᵀ(p - e_y)| is at most 1, with more than two classes √2."""
        return sqrt(self.bound) * (1.0 if self.dimensions.classes == 2 else sqrt(2))

    @property
    def curvature_unit(self) -> float:
        """What a slot of the curvature is multiplied by: |Kᵀ(diag p - ppᵀ)K| is at most 1/4, or 1/2.

        Slots are shortened once more, by √.69 or √½, so that the whole vector is hardly longer than its gradient:
        (1-q)² + .69·(4q(1-q))² <= 1, and |p - e_y|²/2 + ½·(2|diag p - ppᵀ|)² <= 5/4.
        """
        return self.bound * (0.25 / sqrt(0.69) if self.dimensions.classes == 2 else 0.5 / sqrt(0.5))

    def layout(self) -> VectorLayout:
        """Two blocks, of which the squared norms add up to at most 1 (two classes) or 5/4."""
        rows, columns = self.shape
        blocks = (Block(GRADIENT, rows * columns), Block(CURVATURE, triangle(rows) * triangle(columns)))
        return VectorLayout(blocks, Fraction(1) if rows == 1 else Fraction(5, 4))

    def initial_size(self) -> int:
        """Numbers of the model."""
        rows, columns = self.shape
        printed = 1 if rows == 1 else rows + 1
        return 3 * printed * columns + Kept.size(rows * columns)

    def initial(self) -> Model:
        """Zeros: every class is equally likely."""
        rows, columns = self.shape
        zeros = np.zeros((1 if rows == 1 else rows + 1, columns))
        return Model.of(Estimate(zeros, zeros, zeros).arrays() | Kept.empty(rows * columns).arrays())

    def rounds(self) -> int | None:
        """As many as the plan says; four are usual."""
        return None

    def step(self, model: Model, released: Aggregate) -> Model:
        """Newton's step (`vicinia.training.newton`)."""
        rows, columns = self.shape
        basis = contrasts(self.dimensions.classes)
        shown = np.column_stack((model["intercept"], model["coef"]))
        values = shown if rows == 1 else basis.T @ shown
        layout = self.layout()
        view = LocalView(
            values=values.reshape(-1),
            gradient=released.total[layout.place(GRADIENT)] * self.gradient_unit,
            curvature=self._curvature(released.total[layout.place(CURVATURE)]),
            gradient_noise=released.noise * self.gradient_unit,
            curvature_noise=released.noise * self.curvature_unit,
            slots=layout.blocks[1].length,
        )
        penalty = np.full(self.shape, self.l2 / NANO * released.cohort)
        penalty[:, 0] = 0.0
        taken = newton(Kept.of(model), view, penalty.reshape(-1), self.trust / NANO)
        outward = np.ones((1, 1)) if rows == 1 else basis
        estimate = Estimate(
            outward @ taken.values.reshape(self.shape),
            _outward(outward, taken.noise, columns),
            _outward(outward, taken.sampling, columns),
        )
        return Model.of(estimate.arrays() | taken.kept.arrays())

    def predict(self, model: Model, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n, k]: the probability of each class."""
        with np.errstate(over="ignore", invalid="ignore"):
            logits = inputs @ model["coef"].T + model["intercept"]
        if self.dimensions.classes == 2:
            logits = np.column_stack((np.zeros(len(inputs)), logits))
        return probabilities(logits)

    def _curvature(self, slots: NDArray[np.float64]) -> NDArray[np.float64]:
        rows, columns = self.shape
        inner = unpack(slots.reshape(triangle(rows), triangle(columns)), columns)
        whole = unpack(np.moveaxis(inner, 0, -1), rows).transpose(2, 0, 3, 1)
        return whole.reshape(rows * columns, rows * columns) * self.curvature_unit


def _outward(basis: NDArray[np.float64], covariance: NDArray[np.float64], columns: int) -> NDArray[np.float64]:
    """Variances of basis·θ, float64[len(basis), columns], from the covariance of θ's rows."""
    rows = basis.shape[1]
    blocks = covariance.reshape(rows, columns, rows, columns)
    variances: NDArray[np.float64] = np.maximum(np.einsum("ka,aibi,kb->ki", basis, blocks, basis), 0.0)
    return variances
