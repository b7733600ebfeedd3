"""The model that a JOB.toml names: what its training is to begin with, or what is to be evaluated."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import Any

from vicinia.assembly.learning import Chosen
from vicinia.assembly.toml import TomlFile
from vicinia.coordinator.client.saved import beside, read_card, read_model
from vicinia.errors import InvalidInput, ViciniaError
from vicinia.training.card import ModelCard, seen_by
from vicinia.training.compiled import Training
from vicinia.training.model import Model
from vicinia.training.registry import recipe_class

__all__ = ["initial_model", "require_as_trained"]

_TRAINING, _EVALUATION = "training", "evaluation"
_KEYS = {_TRAINING: "initial", _EVALUATION: "model"}
_ALL_THE_SAME = "To start from its numbers all the same, move its card to another folder."


def initial_model(file: TomlFile, folder: Path) -> Model | None:
    """The model of the file that the job names, its path from `folder`, where the JOB.toml stands; None where it
    names none. NotFound, InvalidInput or TooLarge, with the line of the JOB.toml, where it cannot be read, or where its
    card is at hand and names another recipe."""
    for section, key in _KEYS.items():
        path = _path(file, section)
        if path:
            try:
                model = read_model(folder / path)
            except ViciniaError as error:
                error.where = f"{file.where(key, section)}, {error.where}"
                raise
            _require_recipe(file, section, _card(folder / path, model.digest))
            return model
    return None


def require_as_trained(file: TomlFile, folder: Path, training: Training) -> None:
    """InvalidInput where the card of the model that the job names is at hand, and says that its numbers mean something
    else than they would here: another recipe's, of other inputs, or of the same on another scale. It would come out, or
    start off, worse than it is, and nobody would know why."""
    section = next((one for one in _KEYS if _path(file, one)), "")
    card = _card(folder / _path(file, section), training.plan.initial) if section else None
    if card is None:
        return
    what, hint = _differing(card, training)
    if what:
        more = f" {_ALL_THE_SAME}" if section == _TRAINING else ""
        raise InvalidInput(f"{what}: so says its card.", where=file.where(_KEYS[section], section), hint=hint + more)


def _require_recipe(file: TomlFile, section: str, card: ModelCard | None) -> None:
    """What is wrong with a model of another recipe is told before which of its arrays do not fit."""
    asked = file.table[section].get("recipe")
    if card is not None and isinstance(asked, str) and asked != (trained := _recipe(card).name):
        raise InvalidInput(
            f"The model is one of the recipe {trained!r}, not {asked[:60]!r}: so says its card.",
            where=file.where("recipe", section),
            hint=f'Write recipe = "{trained}".',
        )


def _differing(card: ModelCard, training: Training) -> tuple[str, str]:
    """What the card says that is not so in the job, and what to do; empty where all is the same."""
    here, trained = seen_by(training), _recipe(card)
    for name, parameter in recipe_class(training.recipe.name).settings.items():
        asked = training.plan.recipe.values[name]
        mine = trained.values.get(name, asked)
        if parameter.of_model and mine != asked:
            hint = f"Write {name} = {mine} under the recipe's parameters."
            return f"The model was trained with {name} = {mine}, and this job has {asked}", hint
    found = "mean and deviation, which that training has found"
    own = "mean and deviation, which this training has to find yet"
    if card.spreads:
        scale = own if training.plan.scaling else "their bounds"
        what = (
            f'The model was trained with standardise = "private": its inputs are measured by {found}, here by {scale}'
        )
        return what, 'Only a model of a training with standardise = "bounds" is of use in another job.'
    if training.plan.scaling:
        return f"The inputs of the model are measured by their bounds, here by {own}", "Leave `standardise` out."
    of_model, asked_for = ([*fields["inputs"], fields["target"]] for fields in (card.fields, here))
    differing = next((pair for pair in zip_longest(of_model, asked_for) if pair[0] != pair[1]), None)
    if differing is None:
        return "", ""
    return (
        f"The model was trained on {_told(differing[0])} where this job has {_told(differing[1])}",
        "Name the features and the target as in the job that trained it.",
    )


def _card(path: Path, model: bytes) -> ModelCard | None:
    """The card of the model with this hash: beside its file, or under another name in the same folder."""
    for one in (beside(path, "card"), *sorted(path.parent.glob("*card.json"))):
        try:
            card = read_card(one)
            _recipe(card)
        except ViciniaError:
            continue  # there is none, or it is something else
        if card.fields["model"] == model.hex() and isinstance(card.fields["inputs"], list):
            return card
    return None


def _recipe(card: ModelCard) -> Chosen:
    return Chosen.from_payload(card.fields["recipe"], "model card")


def _path(file: TomlFile, section: str) -> str:
    """What stands there where it is a path; what else it may be is told with the rest of the section."""
    table = file.table.get(section)
    path = table.get(_KEYS[section]) if isinstance(table, dict) else None
    return path if isinstance(path, str) else ""


def _told(input_: Any) -> str:
    """An input or a target of a card, with its scale."""
    if not isinstance(input_, dict):
        return "nothing"
    scale = f", {input_['middle']} ± {input_['radius']}" if {"middle", "radius"} <= input_.keys() else ""
    return f"{input_.get('label')!s:.80} of {input_.get('dataset')!s:.40}{scale}"
