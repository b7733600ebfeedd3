"""A trained model as its researcher has it: what `vicinia result` checked against the log, printed and saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vicinia.coordinator.client.saved import read_card, read_model
from vicinia.training.card import ModelCard
from vicinia.training.metrics import Metric
from vicinia.training.model import Model

__all__ = ["Published", "metrics_of"]


@dataclass(frozen=True, slots=True)
class Published:
    """The model and its card from the files of --out, and `told`, what --json printed."""

    model: Model
    card: ModelCard
    told: Mapping[str, Any]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Published:
        """Read the files that the console says it has written."""
        model, card, _job = map(Path, told["files"])
        return cls(read_model(model), read_card(card), told)

    @property
    def metrics(self) -> tuple[tuple[Metric, ...], ...]:
        """Of each round, in their order: the metrics of the model that it began with."""
        return tuple(metrics_of(one) for one in self.told["rounds"])

    @property
    def replayed(self) -> bool:
        """Whether the console computed the model again from the sums that the rounds released."""
        return bool(self.told["replayed"])


def metrics_of(of_round: Mapping[str, Any]) -> tuple[Metric, ...]:
    """The metrics of a round as the console's JSON has them."""
    return tuple(Metric(name, one["value"], one["stderr"]) for name, one in of_round["metrics"].items())
