"""Trainings that have ended with a model, and their researcher's client."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from simulator_researcher import VillageLink, logged_in, researcher
from simulator_whole import Whole
from training.jobs import BYLAWS, LOGISTIC, every_other, training
from vicinia.assembly import Job
from vicinia.coordinator.client.connection import Client
from vicinia.coordinator.store import database
from vicinia.coordinator.store.jobs import Stage
from vicinia.training import evaluation

__all__ = ["EVALUATED", "client_of", "trained_in"]

database.SYNCHRONOUS = "OFF"  # no power cut happens in here, and the disk is shared

Lot = Callable[[bytes, int, int], bool]
EVALUATED = LOGISTIC.replace("spare = 1", "spare = 1\nholdout = 0.5")


def trained_in(path: Path, text: str = EVALUATED, rho: int = 40, lot: Lot = every_other) -> tuple[Whole, Job]:
    """A cooperative of its own in which a training with this section has ended, under the witnesses' eyes; `lot` says
    who is held out."""
    whole = Whole(path, 10, bylaws=BYLAWS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "held_out", lot)
        job = whole.accepted_job(**training(text, rho))
        whole.until(job, Stage.RELEASED, rounds=600)
    whole.tick()
    whole.tick()
    return whole, job


def client_of(whole: Whole, path: Path, patch: pytest.MonkeyPatch) -> tuple[Client, VillageLink]:
    """The researcher's client, and the link by which the coordinator answers it."""
    link = VillageLink(whole)
    return researcher(logged_in(whole, path / "researcher"), link, patch), link
