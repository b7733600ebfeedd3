"""What a recipe is: a computation that every home knows, named and versioned in the plan that members vote on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from vicinia.training.dimensions import Dimensions
    from vicinia.training.layout import VectorLayout
    from vicinia.training.model import Model

__all__ = ["Aggregate", "Recipe", "Reconstructing", "UpdateRecipe"]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What a round released: the noisy sum over homes, float64[layout.length], in vector units.

    `noise`: standard deviation of the noise (and of the rounding) in one slot of the sum; `cohort`: homes in the sum,
    rounded down to a multiple of ten, less the share that was held out; it counts homes that had no examples, too.
    """

    total: NDArray[np.float64]
    noise: float
    cohort: int


class Recipe(Protocol):
    """A recipe with its parameters, for a problem of some size.

    A home's vector of a round is `vicinia.node.training.<name>.statistic(recipe, model, examples, clip, stream)`, where
    `clip` is the round's clipping norm (1 where a recipe has none) and `stream` the home's own random stream.
    """

    name: ClassVar[str]
    version: ClassVar[int]

    @property
    def dimensions(self) -> Dimensions:
        """The size of the problem."""
        ...

    def layout(self) -> VectorLayout:
        """The vector of a round: it follows from the recipe alone, never from the model or from data."""
        ...

    def initial(self) -> Model:
        """The model before the first round: the same bytes on every machine."""
        ...

    def rounds(self) -> int | None:
        """How many rounds it takes, where that is fixed (linear regression: one); else None."""
        ...

    def step(self, model: Model, released: Aggregate) -> Model:
        """The next model. Deterministic, so that anybody can replay it from what was released."""
        ...

    def check(self, model: Model) -> None:
        """InvalidInput unless the model is one of this recipe."""
        ...

    def predict(self, model: Model, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Real and count: float64[n], in the target's standardised unit; classes: float64[n, k], probabilities;
        k-means: float64[n], the centre's place; PCA: float64[n, components], the scores."""
        ...


class Reconstructing(Recipe, Protocol):
    """A recipe without a target: it is measured by how well it gives its inputs back."""

    def reconstruct(self, model: Model, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n, p]: the inputs as the model knows them."""
        ...


class UpdateRecipe(Recipe, Protocol):
    """A recipe whose homes send an update of the model's own numbers, for a strategy to take the step."""

    def mean_update(self, released: Aggregate, clip: float) -> NDArray[np.float64]:
        """The mean update, float64[model.size], in the model's units; `clip`: the norm that updates were cut to."""
        ...

    def summed_weight(self, released: Aggregate) -> float:
        """What the mean was divided by: homes, or examples over m."""
        ...

    def below_clip(self, released: Aggregate) -> float:
        """The estimated share of homes whose update was not cut, for the adaptive clip."""
        ...
