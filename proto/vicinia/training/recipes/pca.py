"""Principal components in one round, from the sums of squares and products of the inputs.

A home sends the upper triangle of the sum of z zᵀ over its examples, z = (1, x) shortened to √(R² + 1) and divided by
it (Dwork, Talwar, Thakurta, Zhang 2014, "Analyze Gauss"); mean and covariance follow from the sum.
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
from vicinia.training.parameter import NANO, real, whole
from vicinia.training.settings import Settings, from_payload
from vicinia.training.symmetric import unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.training.recipe import Aggregate

__all__ = ["MOMENTS", "PCA"]

MOMENTS = "sums of squares and products"


@dataclass(frozen=True, slots=True)
class PCA:
    """`components`: how many; `radius` (10^-9·√p): examples whose inputs are longer are shortened to it.

    The model: `components` float64[c, p], unit rows, the largest element of each positive; `mean` float64[p];
    `explained_variance` float64[c] in squared standardised units and `explained_variance_ratio` float64[c];
    `eigenvalue_noise` float64[1]: the standard deviation of the noise along any fixed direction.
    """

    name: ClassVar[str] = "pca"
    version: ClassVar[int] = 1
    settings: ClassVar[Settings] = {
        "components": whole(1, 100, 2),
        "radius": real("0.05", "1", "1"),
    }

    dimensions: Dimensions
    components: int
    radius: int

    @classmethod
    def of(cls, dimensions: Dimensions, parameters: Mapping[str, int]) -> PCA:
        """From the plan's parameters; InvalidInput or TooLarge where they are none for it, or there is a target."""
        if dimensions.target is not TargetKind.NONE:
            raise InvalidInput(
                "Principal components have no target.",
                where="training.target",
                hint="Leave it out, or take another recipe.",
            )
        made = cls(dimensions, **from_payload(cls.settings, parameters, "training.parameters"))
        if made.components > dimensions.inputs:
            what = f"{dimensions.inputs} inputs have no {made.components} components."
            raise InvalidInput(what, where="training.parameters.components")
        if made.slots > MAX_PARAMETERS:
            raise too_large(made.slots, made.slots, "training.features", "Use fewer inputs.")
        return made

    @property
    def slots(self) -> int:
        """Slots of the triangle."""
        return (self.dimensions.inputs + 1) * (self.dimensions.inputs + 2) // 2

    @property
    def bound(self) -> float:
        """R² + 1: the squared length of the longest (1, x)."""
        return (self.radius / NANO) ** 2 * self.dimensions.inputs + 1.0

    def layout(self) -> VectorLayout:
        """One block with a norm of at most 1."""
        return VectorLayout((Block(MOMENTS, self.slots),), Fraction(1))

    def initial(self) -> Model:
        """The first axes, and no variance."""
        return _model(
            np.eye(self.components, self.dimensions.inputs),
            np.zeros(self.dimensions.inputs),
            np.zeros(self.components),
            np.zeros(self.components),
            0.0,
        )

    def rounds(self) -> int | None:
        """One."""
        return 1

    def step(self, model: Model, released: Aggregate) -> Model:
        """Mean, components and variances from one round's moments; the covariance loses its negative eigenvalues."""
        moments = unpack(released.total, self.dimensions.inputs + 1) * self.bound
        deviation = released.noise * self.bound
        count = float(moments[0, 0])
        if count <= max(3.0 * deviation, 1e-9):
            return model
        mean = moments[0, 1:] / count
        covariance = moments[1:, 1:] / count - np.outer(mean, mean)
        values, vectors = np.linalg.eigh((covariance + covariance.T) / 2.0)
        values = np.maximum(values[::-1], 0.0)
        components = _signed(vectors[:, ::-1].T[: self.components])
        whole = float(values.sum())
        ratio = values / whole if whole > 0.0 else np.zeros_like(values)
        kept = slice(self.components)
        return _model(components, np.clip(mean, -1.0, 1.0), values[kept], ratio[kept], deviation / count)

    def predict(self, model: Model, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores float64[n, components]: how far along each component an example lies from the mean."""
        scores: NDArray[np.float64] = (inputs - model["mean"]) @ model["components"].T
        return scores

    def reconstruct(self, model: Model, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """The examples moved onto the components, float64[n, p]."""
        found: NDArray[np.float64] = np.asarray(
            model["mean"] + self.predict(model, inputs) @ model["components"], dtype=np.float64
        )
        return found


def _signed(components: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row so that its element of the largest magnitude (of equal ones the first) is positive."""
    largest = np.argmax(np.abs(components), axis=1)
    signs = np.where(components[np.arange(len(components)), largest] < 0.0, -1.0, 1.0)
    return components * signs[:, None]


def _model(
    components: NDArray[np.float64],
    mean: NDArray[np.float64],
    variance: NDArray[np.float64],
    ratio: NDArray[np.float64],
    noise: float,
) -> Model:
    return Model.of(
        {
            "components": components,
            "eigenvalue_noise": np.array([noise]),
            "explained_variance": variance,
            "explained_variance_ratio": ratio,
            "mean": mean,
        }
    )
