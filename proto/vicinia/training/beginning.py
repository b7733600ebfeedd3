"""What a training begins with: the recipe's own first model, or one that the researcher brings.

The plan names it by its hash either way. Everybody makes the recipe's own by themselves; the researcher's comes as
bytes, and counts under that hash alone and with the recipe's arrays. Its numbers are the researcher's to choose: what
bounds a home's vector must hold whatever they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from vicinia.errors import InvalidInput
from vicinia.training.model import Model

if TYPE_CHECKING:
    from vicinia.assembly.learning import TrainingPlan
    from vicinia.training.compiled import Training
    from vicinia.training.recipe import Recipe

__all__ = ["BUILT_UPON", "beginning", "bytes_expected", "given_model", "require_arrays", "require_beginning"]

BUILT_UPON = frozenset({"kmeans", "logistic", "mlp", "poisson"})
"""Recipes whose rounds move a model on, wherever it came from."""
_LISTED = 12


def require_beginning(plan: TrainingPlan, recipe: Recipe, template: Model) -> None:
    """InvalidInput unless the plan begins with the recipe's own model, or says that it is another and can be: to be
    built upon, or to be evaluated.

    template: the recipe's own.
    """
    if not plan.initial_given:
        if plan.initial != template.digest:
            raise InvalidInput("The initial weights are not the recipe's.", where="training.initial")
    elif not plan.only_evaluates and recipe.name not in BUILT_UPON:
        why = (
            "takes one round, and what comes of it does not depend on where it begins"
            if recipe.rounds() == 1
            else "learns everything from its own first round on, and builds upon no other model"
        )
        raise InvalidInput(f"The recipe {recipe.name!r} {why}.", where="training.initial", hint="Leave `initial` out.")


def require_arrays(template: Model, model: Model, where: str = "model") -> None:
    """InvalidInput, saying which array is other than in the template, unless the two differ in their numbers alone."""
    if template.same_shape(model):
        return
    wanted, found = dict(template.arrays), dict(model.arrays)
    for name in sorted(wanted.keys() | found.keys()):
        what = ""
        if name not in found:
            what = f"The model has no array {name!r}, which a model of this recipe has."
        elif name not in wanted:
            what = f"The model has an array {name!r}, which no model of this recipe has."
        elif found[name].shape != wanted[name].shape:
            what = f"The array {name!r} has the shape {found[name].shape}; here it has {wanted[name].shape}."
        elif found[name].dtype != wanted[name].dtype:
            what = f"The array {name!r} holds {found[name].dtype}; here it holds {wanted[name].dtype}."
        if what:
            raise InvalidInput(what, where=where, hint=f"Here a model has {_listed(template)}.")


def bytes_expected(training: Training) -> int:
    """How long the researcher's model is, in bytes: its arrays fix that; 0 where the recipe's own is the first."""
    return len(training.template.to_bytes()) if training.plan.initial_given else 0


def given_model(training: Training, body: bytes) -> Model:
    """The researcher's model from its bytes; InvalidInput unless it is the one that the plan names, of this recipe."""
    if hashlib.sha256(body).digest() != training.plan.initial:
        raise InvalidInput("The model that came is not the one that the job names by its hash.", where="model")
    model = Model.from_bytes(body)
    require_arrays(training.template, model)
    return model


def beginning(training: Training, fetch: Callable[[bytes], Model]) -> Model:
    """The model before the first round. fetch: the model with a hash, checked against it."""
    return fetch(training.plan.initial) if training.plan.initial_given else training.template


def _listed(model: Model) -> str:
    """The arrays in words: `layer0.bias float32 (16,), …`."""
    named = [f"{name} {array.dtype} {array.shape}" for name, array in model.arrays]
    return ", ".join(named if len(named) <= _LISTED else [*named[:_LISTED], f"and {len(named) - _LISTED} more"])
