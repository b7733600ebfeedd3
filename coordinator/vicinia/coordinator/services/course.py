"""The course of one training: from what its rounds released to the model of the next, by the recipe or by Flower.

Everything is computed again from the log and the released sums, so that a coordinator that was killed goes on where
it was, and so that whoever has the same sums comes to the same model.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

from vicinia.coordinator.services.frame import Arrays
from vicinia.coordinator.services.strategist import Finished, Strategist
from vicinia.errors import InternalFault
from vicinia.training.compiled import Training
from vicinia.training.model import Model
from vicinia.training.recipe import UpdateRecipe
from vicinia.training.replay import Released, own_step

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Course"]


class Course:
    """One training under way; `take` takes the rounds in their order. A context manager: it may hold a process."""

    def __init__(self, training: Training, first: Model) -> None:
        """`first`: the model before the first round (`vicinia.training.beginning`)."""
        self._training = training
        self._model = first
        self._taken = 0
        self._strategist: Strategist | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def model(self) -> Model:
        """The model after these rounds."""
        return self._model

    def take(self, released: Released) -> None:
        """Take the step of the next round; RoundFailed where the model has diverged, and then the course is lost."""
        self._model = self._step(released)
        self._taken += 1

    def close(self) -> None:
        """End Flower's process."""
        if self._strategist is not None:
            self._strategist.close()
            self._strategist = None

    def _step(self, released: Released) -> Model:
        training = self._training
        if training.strategy is None:
            return own_step(training, self._model, released)
        aggregate = released.aggregate(training)
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
