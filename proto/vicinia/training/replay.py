"""The steps of a training taken again, from what its rounds released: by the coordinator, and by whoever checks it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from vicinia.assembly.vote import Vote
from vicinia.errors import InvalidInput, ProofInvalid
from vicinia.training.beginning import beginning
from vicinia.training.compiled import Training
from vicinia.training.metrics import Bin, calibration, metrics
from vicinia.training.model import Model
from vicinia.training.recipe import Aggregate
from vicinia.training.rounds import RoundRelease
from vicinia.training.schedule import trained_runs

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Released", "own_step", "replayed"]

_CLOSE = 1e-6
"""How far, relative to the largest number of an array, another machine's linear algebra may come out elsewhere."""


@dataclass(frozen=True, slots=True)
class Released:
    """A round that was released, and the noisy sum that it released (float64, little-endian)."""

    release: RoundRelease
    vector: bytes

    def __post_init__(self) -> None:
        if hashlib.sha256(self.vector).digest() != self.release.vector:
            raise ProofInvalid(
                f"The sum of round {self.release.run + 1} is not the one that was released.", where="round"
            )

    def aggregate(self, training: Training) -> Aggregate:
        """The recipe's part of the sum."""
        return training.aggregate(self._numbers(training), self.release.sigma, self.release.cohort)

    def check_metrics(self, training: Training) -> None:
        """ProofInvalid unless the metrics that were told are those of the sum, or none: too few homes evaluated, where
        not all of them do."""
        part, told = self._numbers(training)[training.evaluation_slots], self.release.metrics
        if not told and not training.plan.only_evaluates:
            return
        measured = training.evaluation is not None and self.release.moments is None
        found = metrics(training.design.dimensions, part, self.release.sigma) if measured else ()
        if [one.name for one in found] != [one.name for one in told] or any(
            not _same(this, that)
            for one, other in zip(found, told, strict=True)
            for this, that in ((one.value, other.value), (one.stderr, other.stderr))
        ):
            raise ProofInvalid(f"The metrics of round {self.release.run + 1} are not those of its sum.", where="round")

    def calibration(self, training: Training) -> tuple[Bin, ...]:
        """How often it was so where the model said so, of the model that the round began with; none but for classes
        that somebody has evaluated."""
        if training.evaluation is None or not self.release.metrics:
            return ()
        part = self._numbers(training)[training.evaluation_slots]
        return calibration(training.design.dimensions, part, self.release.sigma)

    def check_moments(self, training: Training) -> None:
        """ProofInvalid unless the sums that inputs are standardised by, if it told any, are those in the sum."""
        told = self.release.moments
        if told is not None and told != tuple(self._numbers(training)[training.scaling_slots].tolist()):
            raise ProofInvalid(
                f"Round {self.release.run + 1} has told other sums than its own to standardise by.",
                where="round.moments",
            )

    def _numbers(self, training: Training) -> NDArray[np.float64]:
        if len(self.vector) != 8 * training.layout.length:
            raise InvalidInput("The sum of a round has another length than the plan says.", where="round.vector")
        return np.frombuffer(self.vector, "<f8")


def own_step(training: Training, model: Model, released: Released) -> Model:
    """The next model, of a recipe that takes its own step.

    InvalidInput where there is none: the numbers of a model that a researcher brought may be anything.
    """
    with np.errstate(all="ignore"):
        try:
            return training.recipe.step(model, released.aggregate(training))
        except (ArithmeticError, np.linalg.LinAlgError) as error:
            raise InvalidInput("No step can be taken from a model with such numbers.", where="model") from error


def replayed(
    training: Training,
    vote: Vote,
    load: Callable[[int], Released],
    final: bytes,
    fetch: Callable[[bytes], Model],
) -> Model:
    """The final model, computed from the released sums alone; ProofInvalid where a model in the log does not follow.

    load: what a released run has released. final: the hash of the model that the card names. fetch: the model with a
    hash, checked against it; asked for only where the researcher brought the first one, and where this machine's
    arithmetic comes out at slightly other numbers than the coordinator's did.
    """
    model = beginning(training, fetch)
    moved = trained_runs(training.plan, vote.releases)
    runs = sorted(vote.models)
    following = [*(vote.models[run].model.digest for run in runs), final]
    for place, run in enumerate(runs):
        _check_logged(model, following[place], run)
        if run in moved:
            model = _settled(own_step(training, model, load(run)), following[place + 1], run, fetch)
    if model.digest != final:
        raise ProofInvalid("The card names another model than the rounds have led to.", where="model card")
    return model


def _settled(model: Model, digest: bytes, run: int, fetch: Callable[[bytes], Model]) -> Model:
    """The model that the log names, if what was computed here is the same but for rounding."""
    if model.digest == digest:
        return model
    told = fetch(digest)
    if not told.same_shape(model) or not all(_close(mine, told[name]) for name, mine in model.arrays):
        raise ProofInvalid(
            f"The model after round {run + 1} does not follow from what the rounds released.", where="model"
        )
    return told


def _check_logged(model: Model, digest: bytes, run: int) -> None:
    if model.digest != digest:
        raise ProofInvalid(f"Round {run + 1} began with another model than the rounds before it led to.", where="model")


def _close(mine: NDArray[np.floating], told: NDArray[np.floating]) -> bool:
    return bool(np.abs(mine - told).max() <= _CLOSE * max(float(np.abs(mine).max()), 1e-300))


def _same(this: float | None, that: float | None) -> bool:
    if this is None or that is None:
        return this is that
    return abs(this - that) <= _CLOSE * max(abs(this), 1.0)
