"""The model that a JOB.toml names: what its training is to begin with."""

from __future__ import annotations

from pathlib import Path

from vicinia.assembly.toml import TomlFile
from vicinia.coordinator.client.saved import read_model
from vicinia.errors import ViciniaError
from vicinia.training.model import Model

__all__ = ["initial_model"]

_SECTION, _KEY = "training", "initial"


def initial_model(file: TomlFile, folder: Path) -> Model | None:
    """The model of the file that the job names, its path from `folder`, where the JOB.toml stands; None where it
    names none. NotFound, InvalidInput or TooLarge, with the line of the JOB.toml, where it cannot be read."""
    section = file.table.get(_SECTION)
    path = section.get(_KEY) if isinstance(section, dict) else None
    if not isinstance(path, str) or not path:
        return None  # what stands there instead of a path, if anything, is told with the rest of the section
    try:
        return read_model(folder / path)
    except ViciniaError as error:
        error.where = f"{file.where(_KEY, _SECTION)}, {error.where}"
        raise
