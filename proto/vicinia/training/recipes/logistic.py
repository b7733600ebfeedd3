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
from vicinia.training.likelihood import Likelihood
from vicinia.training.model import Model

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Logistic", "contrasts", "probabilities"]

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
class Logistic(Likelihood):
    """Classes by their logits. The model shows one row for two classes (the second against the first), else k.

    It begins with zeros: every class is equally likely.
    """

    name: ClassVar[str] = "logistic"
    version: ClassVar[int] = 1

    @classmethod
    def of(cls, dimensions: Dimensions, parameters: Mapping[str, int]) -> Logistic:
        """From the plan's parameters; InvalidInput or TooLarge where they, or the target, are none for it."""
        if dimensions.target is not TargetKind.CLASSES:
            raise InvalidInput(
                "Logistic regression is for a target that is a class.",
                where="training.target",
                hint="Take an enum column by its bare name; for a number take the recipe 'linear'.",
            )
        hint = "Use fewer inputs, or the recipe mlp without hidden layers."
        return cls.within_limits(dimensions, parameters, hint)

    @property
    def rows(self) -> int:
        """k - 1."""
        return self.dimensions.classes - 1

    @property
    def outward(self) -> NDArray[np.float64]:
        """K; for two classes the second one's logit alone."""
        return np.ones((1, 1)) if self.dimensions.classes == 2 else contrasts(self.dimensions.classes)

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

    @property
    def norm_squared(self) -> Fraction:
        """1 (two classes) or 5/4."""
        return Fraction(1) if self.dimensions.classes == 2 else Fraction(5, 4)

    def predict(self, model: Model, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n, k]: the probability of each class."""
        with np.errstate(over="ignore", invalid="ignore"):
            logits = inputs @ model["coef"].T + model["intercept"]
        if self.dimensions.classes == 2:
            logits = np.column_stack((np.zeros(len(inputs)), logits))
        return probabilities(logits)
