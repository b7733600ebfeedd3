"""The course of one training: from what its rounds released to the model of the next, by the recipe or by Flower.

Everything is computed again from the log and the released sums, so that a coordinator that was killed goes on where
it was, and so that whoever has the same sums comes to the same model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

import numpy as np
from vicinia.coordinator.services.frame import Arrays
from vicinia.coordinator.services.strategist import Finished, Strategist
from vicinia.errors import InternalFault
from vicinia.training.compiled import Training
from vicinia.training.model import Model
from vicinia.training.recipe import Aggregate, UpdateRecipe
from vicinia.training.rounds import RoundRelease

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Course", "Released"]


@dataclass(frozen=True, slots=True)
class Released:
    """A round that was released, and the noisy sum that it released (float64, little-endian)."""

    release: RoundRelease
    vector: bytes

    def aggregate(self, training: Training) -> Aggregate:
        """The recipe's part of the sum."""
        return training.aggregate(np.frombuffer(self.vector, "<f8"), self.release.sigma, self.release.cohort)


class Course:
    """One training under way; `advance` takes the rounds in their order. A context manager: it may hold a process."""

    def __init__(self, training: Training) -> None:
        self._training = training
        self._model = training.recipe.initial()
        self._taken = 0
        self._strategist: Strategist | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def taken(self) -> int:
        """How many rounds went into the model."""
        return self._taken

    @property
    def model(self) -> Model:
        """The model after these rounds."""
        return self._model

    def advance(self, rounds: Iterator[Released]) -> Model:
        """The model after these further rounds; RoundFailed where it has diverged."""
        for released in rounds:
            self._model = self._step(released)
            self._taken += 1
        return self._model

    def close(self) -> None:
        """End Flower's process."""
        if self._strategist is not None:
            self._strategist.close()
            self._strategist = None

    def _step(self, released: Released) -> Model:
        training = self._training
        aggregate = released.aggregate(training)
        if training.strategy is None:
            return training.recipe.step(self._model, aggregate)
        recipe = cast("UpdateRecipe", training.recipe)
        update = recipe.mean_update(aggregate, released.release.clip_nano / 1e9)
        moved = self._model.flat() + update
        strategist = self._flower()
        strategist.reply(_arrays(self._model, moved), recipe.summed_weight(aggregate))
        return _model(self._model, strategist.next_request().arrays)

    def _flower(self) -> Strategist:
        """Flower's process, at the request that the next reply answers."""
        if self._strategist is None:
            if self._training.strategy is None:
                raise InternalFault("This recipe takes its own steps.", where="training")
            if self._taken:
                raise InternalFault("Flower's process was lost in the middle of a course.", where="training")
            initial = _arrays(self._model, self._model.flat())
            self._strategist = Strategist(self._training.strategy, initial, self._training.plan.rounds)
            if isinstance(self._strategist.next_request(), Finished):
                raise InternalFault("Flower ended before its first round.", where="training")
        return self._strategist


def _arrays(like: Model, flat: NDArray[np.float64]) -> Arrays:
    """The numbers by array, in the model's order."""
    found: dict[str, NDArray[np.float64]] = {}
    start = 0
    for name, array in like.arrays:
        found[name] = flat[start : start + array.size].reshape(array.shape)
        start += array.size
    return found


def _model(like: Model, arrays: Arrays) -> Model:
    """The model of these numbers, in its own precision."""
    return Model(tuple((name, arrays[name].astype(array.dtype)) for name, array in like.arrays))
