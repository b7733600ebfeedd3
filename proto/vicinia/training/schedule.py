"""The order in which a training's rounds are released: one that standardises, those that train, one that closes.

A round that fails is no step in it: the next run of the training does the same again.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vicinia.assembly.learning import TrainingPlan

__all__ = ["Kind", "kind_after", "trained_runs"]


class Kind(StrEnum):
    """What a round is for."""

    SCALES = "scales"  # it finds mean and deviation of the inputs; the model stays as it is
    TRAINS = "trains"
    CLOSES = "closes"  # it measures the last model


def kind_after(plan: TrainingPlan, released: int) -> Kind:
    """What the round is for that comes after so many released ones."""
    if released < plan.scaling:
        return Kind.SCALES
    return Kind.TRAINS if released < plan.scaling + plan.rounds else Kind.CLOSES


def trained_runs(plan: TrainingPlan, released: Iterable[int]) -> list[int]:
    """Of the runs that were released, those that took the model a step on, ascending."""
    return sorted(released)[plan.scaling : plan.scaling + plan.rounds]
