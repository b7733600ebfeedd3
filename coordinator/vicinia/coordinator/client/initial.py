"""The model that a JOB.toml names: what its training is to begin with, or what is to be evaluated."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import Any

from vicinia.assembly.toml import TomlFile
from vicinia.coordinator.client.saved import beside, read_card, read_model
from vicinia.errors import InvalidInput, ViciniaError
from vicinia.training.card import seen_by
from vicinia.training.compiled import Training
from vicinia.training.model import Model

__all__ = ["initial_model", "require_same_inputs"]

_TRAINING, _EVALUATION = "training", "evaluation"
_KEYS = {_TRAINING: "initial", _EVALUATION: "model"}


def initial_model(file: TomlFile, folder: Path) -> Model | None:
    """The model of the file that the job names, its path from `folder`, where the JOB.toml stands; None where it
    names none. NotFound, InvalidInput or TooLarge, with the line of the JOB.toml, where it cannot be read."""
    for section, key in _KEYS.items():
        path = _path(file, section)
        if path:
            try:
                return read_model(folder / path)
            except ViciniaError as error:
                error.where = f"{file.where(key, section)}, {error.where}"
                raise
    return None


def require_same_inputs(file: TomlFile, folder: Path, training: Training) -> None:
    """InvalidInput where the card of the model that is to be evaluated stands beside it, and says that the model sees
    other inputs, or the same on another scale: it would come out worse than it is, and nobody would know why."""
    path = _path(file, _EVALUATION)
    if not path:
        return
    try:
        card = read_card(beside(folder / path, "card"))
    except ViciniaError:
        return  # there is none, or it is something else's
    here = seen_by(training)
    if card.fields["model"] != training.plan.initial.hex() or all(card.fields[name] == here[name] for name in here):
        return
    of_model, asked = ([*fields["inputs"], fields["target"]] for fields in (card.fields, here))
    differing = next((pair for pair in zip_longest(of_model, asked) if pair[0] != pair[1]), (None, None))
    raise InvalidInput(
        f"The model was trained on {_told(differing[0])} where this job has {_told(differing[1])}: so says its card.",
        where=file.where(_KEYS[_EVALUATION], _EVALUATION),
        hint="Name the features and the target as in the job that trained it.",
    )


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
