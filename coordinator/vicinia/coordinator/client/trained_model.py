"""A trained model that was checked against the public log: what it is, what it cost, and what it says of new rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vicinia.assembly.job import Job
from vicinia.coordinator.client.predictor import Predictor
from vicinia.coordinator.client.result import Proof
from vicinia.coordinator.client.saved import Saved
from vicinia.query.dataset import DataSet
from vicinia.query.raw import Raw
from vicinia.training.card import ModelCard
from vicinia.training.coefficients import Coefficient, coefficients
from vicinia.training.compiled import Training
from vicinia.training.metrics import Bin
from vicinia.training.model import Model
from vicinia.training.prediction import Predictions
from vicinia.training.rounds import RoundRelease

__all__ = ["TrainedModel"]


@dataclass(frozen=True)
class TrainedModel:
    """A model whose card, rounds and hashes are those of the confirmed log; of an evaluation the one that was brought.

    `replayed`: the model was also computed again from the sums that the rounds released. Where it was not, the steps
    were those of a Flower strategy; the models between them are the logged ones. `calibration`: as the last round has
    found it, where there are classes and somebody has evaluated.
    """

    job: Job
    definitions: Mapping[str, DataSet]
    training: Training
    model: Model
    card: ModelCard
    releases: tuple[RoundRelease, ...]
    calibration: tuple[Bin, ...]
    proof: Proof

    @property
    def replayed(self) -> bool:
        """Whether the client has computed the model itself."""
        return self.training.strategy is None

    @property
    def provenance(self) -> str:
        """How the model came about, and how much of it was computed again here, in a sentence."""
        strategy = self.training.strategy
        if self.training.plan.only_evaluates:
            return "The metrics were computed again here, from the sum that the run released."
        if strategy is None:
            return "Replayed: this model was computed again here, from the sums that the rounds released."
        return (
            f"The steps between the rounds were Flower's ({strategy.name}): the models and the released sums are those "
            "in the log; the steps themselves were not computed again here."
        )

    @property
    def beginning(self) -> str:
        """What was done with a model that the researcher brought, in a sentence; empty where there is none."""
        plan = self.training.plan
        return f"The job {plan.beginning}." if plan.beginning else ""

    @property
    def epsilon(self) -> float:
        """What each home that was in every round paid, at `delta`."""
        return float(self.card.fields["epsilon"])

    @property
    def delta(self) -> float:
        """The delta of `epsilon`."""
        return float(self.card.fields["delta"])

    @property
    def coefficients(self) -> tuple[Coefficient, ...]:
        """Of a regression, in the units of the data set, with standard errors that include the noise; else none.

        Those of a model that was only evaluated are the researcher's own: nothing here vouches for them.
        """
        return () if self.training.plan.only_evaluates else coefficients(self.training, self.model)

    @property
    def citation(self) -> str:
        """A permanent name: cooperative, leaf of its log, and hash of the model card."""
        return f"vicinia:{self.job.coop}, log entry {self.proof.index}, sha256:{self.card.digest.hex()}"

    def predict(self, rows: Iterable[Mapping[str, Raw]]) -> Predictions:
        """What the model says of rows keyed by the data set's column names, each of them an example by itself."""
        return Predictor(self.training, self.model).predict(rows)

    def save(self, path: Path) -> tuple[Path, ...]:
        """Write the model as `.safetensors` or `.npz`, with its card and its job beside it; the paths written."""
        return Saved(self.job, self.definitions, self.model, self.card).write(path)

    def payload(self) -> dict[str, Any]:
        """For programs."""
        return {
            "job": self.job.hash.hex(),
            "title": self.job.title,
            "model": self.model.digest.hex(),
            "parameters": self.model.size,
            "coefficients": [
                {
                    "outcome": one.outcome,
                    "name": one.name,
                    "value": one.value,
                    "stderr": one.stderr,
                    "noise": one.noise,
                }
                for one in self.coefficients
            ],
            "rounds": [
                {
                    "run": release.run,
                    "cohort": release.cohort,
                    "metrics": {one.name: {"value": one.value, "stderr": one.stderr} for one in release.metrics},
                }
                for release in self.releases
            ],
            "planned": self.training.plan.rounds,
            "ended": self.card.ended,
            "rho": self.card.fields["rho_nano"] / 1e9,
            "epsilon": self.epsilon,
            "delta": self.delta,
            "replayed": self.replayed,
            "card": self.card.fields,
            "citation": self.citation,
            "log": {"index": self.proof.index, "size": self.proof.size, "root": self.proof.root.hex()},
        }

    def csv(self) -> str:
        """A line a coefficient where there are any, else a line a metric of a round; rounds that train begin at 1."""
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        if self.coefficients:
            writer.writerow(["outcome", "name", "value", "stderr", "noise"])
            for one in self.coefficients:
                writer.writerow([one.outcome, one.name, repr(one.value), repr(one.stderr), repr(one.noise)])
            return table.getvalue()
        writer.writerow(["round", "cohort", "metric", "value", "stderr"])
        scaling = self.training.plan.scaling
        for place, release in enumerate(self.releases):
            for metric in release.metrics:
                numbers = ["" if number is None else repr(number) for number in (metric.value, metric.stderr)]
                writer.writerow([place + 1 - scaling, release.cohort, metric.name, *numbers])
        return table.getvalue()
