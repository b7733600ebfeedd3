"""Showing what came of a job: the numbers of a query, or a trained model."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from vicinia.coordinator.console import show, show_evaluation, show_training
from vicinia.coordinator.console.picture import svg
from vicinia.errors import InvalidInput, StorageFault

if TYPE_CHECKING:
    from vicinia.coordinator.client import Client
    from vicinia.coordinator.client.trained_model import TrainedModel

__all__ = ["Wanted", "show_result"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to print, and which files to write; `directory` and `picture` are for trained models."""

    as_json: bool = False
    as_csv: bool = False
    directory: Path | None = None
    picture: Path | None = None

    def __post_init__(self) -> None:
        if self.as_json and self.as_csv:
            raise InvalidInput("--json and --csv exclude each other.", where="result", hint="Choose one.")


def show_result(client: Client, job_hash: str, wanted: Wanted, out: Console) -> None:
    """The result of a job, checked against the public log."""
    waiting = Console(stderr=True).status("Waiting for the witnesses to confirm the release")
    if client.trains(job_hash):
        with waiting:
            model = client.model(job_hash)
        return _model(model, wanted, out)
    if wanted.directory is not None or wanted.picture is not None:
        option = "--out" if wanted.directory is not None else "--svg"
        raise InvalidInput(f"{option} is for trained models, and this job has none.", where="result", hint="Use --csv.")
    with waiting:
        found = client.result(job_hash)
    if wanted.as_json:
        return _print_json(found.payload())
    if wanted.as_csv:
        sys.stdout.write(found.csv())
        return None
    return show.result(out, found)


def _model(found: TrainedModel, wanted: Wanted, out: Console) -> None:
    written = [] if wanted.directory is None else [*found.save(wanted.directory / "model.safetensors")]
    if wanted.picture is not None:
        _write(wanted.picture, svg(found.job.title, show_training.curves_of(found)))
        written.append(wanted.picture)
    if wanted.as_json:
        return _print_json(found.payload() | {"files": [str(path) for path in written]})
    if wanted.as_csv:
        sys.stdout.write(found.csv())
        return None
    if found.training.plan.only_evaluates:
        show_evaluation.evaluation(out, found)
    else:
        show_training.model(out, found)
    for path in written:
        out.print(f"Written: {path}", markup=False, soft_wrap=True)
    if wanted.directory is not None:
        words = f"Predict with: vicinia predict {wanted.directory / 'model.safetensors'} DATA.csv"
        out.print(words, markup=False, soft_wrap=True)
    return None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise StorageFault(f"The file cannot be written: {error.strerror}.", where=str(path)) from error


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False), flush=True)
