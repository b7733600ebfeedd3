"""The closed list of recipes, loaded only when one is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from vicinia.errors import InvalidInput, nearest

if TYPE_CHECKING:
    from vicinia.training.dimensions import Dimensions
    from vicinia.training.recipe import Recipe
    from vicinia.training.settings import Settings

__all__ = ["RECIPES", "RecipeClass", "recipe_class"]

RECIPES: Mapping[str, str] = {
    "kmeans": "KMeans",
    "linear": "Linear",
    "logistic": "Logistic",
    "mlp": "Mlp",
    "pca": "PCA",
    "poisson": "Poisson",
    "trees": "Trees",
}
"""Name of a recipe -> its class in the module of the same name; the home's part is in `vicinia.node.training`."""


class RecipeClass(Protocol):
    """What every recipe's class has."""

    name: ClassVar[str]
    version: ClassVar[int]
    settings: ClassVar[Settings]

    def of(self, dimensions: Dimensions, parameters: Mapping[str, int]) -> Recipe:
        """The recipe with a plan's parameters; InvalidInput for what cannot be."""
        ...


def recipe_class(name: str, version: int | None = None, where: str = "training.recipe") -> Any:
    """The class of a recipe (a `RecipeClass`); InvalidInput for one that this program does not know."""
    if name not in RECIPES:
        hint = nearest(name, RECIPES, f"There are: {', '.join(RECIPES)}.")
        raise InvalidInput(f"There is no recipe {name[:60]!r}.", where=where, hint=hint)
    found = getattr(import_module(f"vicinia.training.recipes.{name}"), RECIPES[name])
    if version is not None and version != found.version:
        raise InvalidInput(
            f"Version {version} of the recipe {name!r} is not known here, but version {found.version}.", where=where
        )
    return found
