"""A model in files: the numbers, the card that names them by their hash, and the job that says what the inputs are."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from vicinia.assembly.job import Job
from vicinia.coordinator.client.safetensors import read_arrays
from vicinia.errors import InvalidInput, NotFound, ProofInvalid, StorageFault
from vicinia.query.dataset import DataSet
from vicinia.tlog.canonical import canonical, parse_canonical
from vicinia.training.card import ModelCard
from vicinia.training.compiled import Training
from vicinia.training.computation import compile_job
from vicinia.training.model import Model

__all__ = ["Saved", "beside", "read_card", "read_job", "read_model"]

FORMATS = (".safetensors", ".npz")
_LARGEST = 64 * 1024 * 1024


@dataclass(frozen=True)
class Saved:
    """What is written, and read again."""

    job: Job
    definitions: Mapping[str, DataSet]
    model: Model
    card: ModelCard

    def write(self, path: Path) -> tuple[Path, ...]:
        """The model in the format of the path's ending, its card and its job beside it; the paths written."""
        if path.suffix not in FORMATS:
            raise InvalidInput(f"A model is saved as {' or '.join(FORMATS)}.", where=str(path))
        card, job = beside(path, "card"), beside(path, "job")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".npz":
                np.savez(path, **dict(self.model.arrays))  # type: ignore[arg-type]  # its own option's name is no array's
            else:
                path.write_bytes(self.model.to_bytes())
            card.write_bytes(self.card.body)
            definitions = [self.definitions[name].payload() for name in self.job.datasets]
            job.write_bytes(canonical({"v": 1, "job": self.job.payload(), "datasets": definitions}))
        except OSError as error:
            raise StorageFault(f"The model cannot be written: {error.strerror}.", where=str(path)) from error
        return path, card, job

    def training(self) -> Training:
        """The plan, compiled, its inputs standardised as the card says; ProofInvalid where the files do not belong
        together."""
        if self.model.digest != self.card.model:
            raise ProofInvalid(
                "The model is not the one that its card names.", where="model", hint="Is it the card of another model?"
            )
        if self.job.hash.hex() != self.card.fields["job"]:
            raise ProofInvalid("The job is not the one that the card names.", where="job")
        found = compile_job(self.job, self.definitions)
        if not isinstance(found, Training):
            raise InvalidInput("The job of this model trains none.", where="job")
        return found.standardised(self.card.spreads) if found.plan.scaling else found


def beside(path: Path, kind: str) -> Path:
    """Where the card or the job of a model in that file stands: card.json beside model.safetensors, x.card.json beside
    x.safetensors."""
    return path.with_name(f"{kind}.json" if path.stem == "model" else f"{path.stem}.{kind}.json")


def read_model(path: Path) -> Model:
    """From a file of either format, whatever program wrote it: the same arrays are the same model."""
    if path.suffix not in FORMATS:
        raise InvalidInput(f"A model is a file that ends in {' or '.join(FORMATS)}.", where=str(path))
    if path.suffix == ".safetensors":
        return Model.of(read_arrays(_read(path), str(path)))
    _read(path)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return Model.of(dict(arrays))
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise InvalidInput("This is no file of arrays that can be read.", where=str(path)) from error


def read_card(path: Path) -> ModelCard:
    """A model card; InvalidInput for anything else."""
    return ModelCard.parse(_read(path))


def read_job(path: Path) -> tuple[Job, dict[str, DataSet]]:
    """The job of a saved model, with the definitions of its data sets."""
    fields = parse_canonical(_read(path), where=str(path), limit=_LARGEST)
    if fields.keys() != {"v", "job", "datasets"} or fields["v"] != 1 or not isinstance(fields["datasets"], list):
        raise InvalidInput("This is not the job of a saved model.", where=str(path))
    definitions = [DataSet.from_payload(one) for one in fields["datasets"]]
    return Job.from_payload(fields["job"]), {one.name: one for one in definitions}


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise InvalidInput("The file is too large to be part of a model.", where=str(path))
        return path.read_bytes()
    except OSError as error:
        raise NotFound(f"The file cannot be read: {error.strerror}.", where=str(path)) from error
