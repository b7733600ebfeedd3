"""What lies in the homes' own stores: the rows that a training learnt from, and what was sent for it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from vicinia.assembly import Job
from vicinia.node.store.departures import Departures
from vicinia.node.store.home import Home
from vicinia.privacy.stream import chacha_stream
from vicinia.training.compiled import Training
from vicinia.training.examples import Examples
from vicinia.training.reading import read_examples

from deploy.demo.homes import Homes
from deploy.demo.training.history import History

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["held_examples", "sent_vectors"]


def sent_vectors(stores: Path, history: History, homes: Homes) -> Mapping[str, list[NDArray[np.float64]]]:
    """What each home in a sum sent for it, before noise and mask; by run."""
    members = {one.run_id: homes.names(one.survivors) for one in history.rounds}
    vectors: dict[str, list[NDArray[np.float64]]] = {one.run_id: [] for one in history.rounds}
    for name in homes.everybody:
        if not any(name in there for there in members.values()):
            continue
        home = Home.open(stores / name)
        try:
            sent = Departures(home.database)
            for run_id, there in members.items():
                record = sent.of_run(bytes.fromhex(run_id)) if name in there else None
                if record is not None:
                    vectors[run_id].append(np.frombuffer(record.vector, "<f8"))
        finally:
            home.close()
    return vectors


def held_examples(stores: Path, training: Training, history: History, names: Sequence[str]) -> dict[str, Examples]:
    """The examples of these homes, read as each reads them; by home."""
    examples: dict[str, Examples] = {}
    for name in names:
        home = Home.open(stores / name)
        try:
            examples[name] = _read(home, name, training, history.job)
        finally:
            home.close()
    return examples


def _read(home: Home, name: str, training: Training, job: Job) -> Examples:
    reader = home.reader()
    try:
        return read_examples(
            training.design,
            {one.name: reader.connection for one in training.datasets},
            job.period,
            training.plan.examples,
            chacha_stream(hashlib.sha256(name.encode()).digest()).bytes,
            lambda: False,
            lambda _: None,
        )
    finally:
        reader.close()
