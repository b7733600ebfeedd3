"""The model card: what a model is, what went into it, what it cost, and where the log says that members accepted it.

Canonical JSON, whose hash is the `trained` statement's; numbers that are not whole are decimal text. After Mitchell et
al. 2019, "Model Cards for Model Reporting", as far as a program can write it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from vicinia.assembly.job import Job
from vicinia.assembly.learning import TrainingPlan
from vicinia.assembly.vote import Vote
from vicinia.errors import InvalidInput
from vicinia.privacy.conversion import rho_to_epsilon
from vicinia.tlog.canonical import canonical, parse_canonical
from vicinia.training.compiled import Training
from vicinia.training.design import Term
from vicinia.training.metrics import Bin
from vicinia.training.model import Model
from vicinia.training.rounds import RoundRelease
from vicinia.training.schedule import trained_runs
from vicinia.training.spread import Spread

__all__ = ["ModelCard", "seen_by"]

_LIMIT = 1024 * 1024
_FIELDS = {
    "v", "coop", "job", "title", "why", "purpose", "recipient", "datasets", "unit", "examples", "inputs", "target",
    "recipe", "strategy", "initial", "rounds", "planned", "cohorts", "rho_nano", "epsilon", "delta", "created_ms",
    "model", "parameters", "metrics", "calibration", "acceptance", "ended",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The card as it was written; `fields` as JSON has them."""

    body: bytes
    fields: dict[str, Any]

    @property
    def digest(self) -> bytes:
        """What the log names."""
        return hashlib.sha256(self.body).digest()

    @property
    def model(self) -> bytes:
        """The model's SHA-256."""
        return bytes.fromhex(self.fields["model"])

    @property
    def spreads(self) -> tuple[Spread, ...]:
        """Mean and deviation of every numeric input, in their order, where a first round has found them."""
        try:
            told = [one for one in self.fields["inputs"] if "sd" in one]
            return tuple(Spread(float(one["mean"]), float(one["sd"])) for one in told)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput("The mean or the deviation of an input is no number.", where="model card") from error

    @property
    def ended(self) -> str:
        """Why the training has fewer rounds than were planned; empty where it has them all."""
        return str(self.fields["ended"])

    @classmethod
    def of(
        cls,
        job: Job,
        training: Training,
        model: Model,
        releases: Sequence[RoundRelease],
        calibrated: Sequence[Bin],
        vote: Vote,
        delta: float,
        now_ms: int,
    ) -> Self:
        """Write the card of a training that has ended after these rounds, in their order; its inputs as they were
        standardised at last. `calibrated`: the calibration that the last round has found."""
        plan = training.plan
        rho_nano = job.rho_nano * len(vote.rosters)  # a round that failed after its roster may have been charged, too
        rounds = len(trained_runs(plan, range(len(releases))))
        fields: dict[str, Any] = {
            "v": 1,
            "coop": job.coop,
            "job": job.hash.hex(),
            "title": job.title,
            "why": job.why,
            "purpose": job.purpose,
            "recipient": job.recipient,
            "datasets": list(job.datasets),
            "unit": plan.unit,
            "examples": plan.examples,
            **seen_by(training),
            "recipe": plan.recipe.payload(),
            "strategy": None if plan.strategy is None else plan.strategy.payload(),
            "initial": plan.initial.hex() if plan.initial_given else None,
            "rounds": rounds,
            "planned": plan.rounds,
            "cohorts": [one.cohort for one in releases],
            "rho_nano": rho_nano,
            "epsilon": _text(rho_to_epsilon(rho_nano, delta)),
            "delta": _text(delta),
            "created_ms": now_ms,
            "model": model.digest.hex(),
            "parameters": model.size,
            "metrics": [
                {
                    one.name: [
                        None if one.value is None else _text(one.value),
                        None if one.stderr is None else _text(one.stderr),
                    ]
                    for one in release.metrics
                }
                for release in releases
            ],
            "calibration": [
                {
                    "low": _text(one.low),
                    "high": _text(one.high),
                    "observed": None if one.observed is None else _text(one.observed),
                    "stderr": None if one.stderr is None else _text(one.stderr),
                }
                for one in calibrated
            ],
            "acceptance": _acceptance(vote),
            "ended": _ended(plan, rounds, len(releases)),
        }
        return cls(canonical(fields), fields)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a card; InvalidInput for a form that this program does not know."""
        fields = parse_canonical(body, where="model card", limit=_LIMIT)
        if fields.keys() != _FIELDS or fields["v"] != 1:
            raise InvalidInput("The model card has a form that this program does not know.", where="model card")
        return cls(body, fields)


def seen_by(training: Training) -> dict[str, Any]:
    """The fields `inputs` and `target`: what a model of the training sees, in the order in which it sees it."""
    target = training.design.target
    return {
        "inputs": [_input(term) for term in training.design.terms],
        "target": None if target is None else _input(target),
    }


def _input(term: Term) -> dict[str, Any]:
    """How a raw value becomes a model's input: a category's value, or (value - middle) / radius, cut to [-1, 1].

    Where mean and deviation were found privately, they are there, too: the middle is the mean, the radius 3 deviations.
    """
    found: dict[str, Any] = {"label": term.label, "dataset": term.dataset.name}
    if term.category is not None:
        return found | {"values": list(term.values)}
    found |= {"middle": _text(term.middle), "radius": _text(term.radius)}
    return found if term.spread is None else found | {"mean": _text(term.spread.mean), "sd": _text(term.spread.sd)}


def _ended(plan: TrainingPlan, rounds: int, released: int) -> str:
    """What is missing, in words."""
    if rounds < plan.rounds:
        return f"The training ended after {rounds} of {plan.rounds} rounds."
    if released < plan.scaling + plan.rounds + plan.closing:
        return "The closing round, which measures the last model, did not take place."
    return ""


def _acceptance(vote: Vote) -> dict[str, Any]:
    """Where anybody can check in the log that the members accepted this plan."""
    counts = vote.result.counts if vote.result is not None else None
    return {
        "proposal": vote.digest.hex(),
        "proposal_leaf": vote.leaf,
        "certificate_leaf": vote.certificate_leaf,
        "electorate": vote.electorate,
        "yes": counts.yes if counts is not None else 0,
        "no": counts.no if counts is not None else 0,
        "abstain": counts.abstain if counts is not None else 0,
    }


def _text(value: float) -> str:
    """The shortest decimal that reads back as the same number."""
    return repr(float(value))
