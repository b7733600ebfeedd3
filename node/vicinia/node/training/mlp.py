"""A home's part in training a multilayer perceptron: gradient descent on its own examples, and a bounded update."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import numpy as np
from vicinia.errors import InvalidInput
from vicinia.training.clipping import MAX_CLIP_NANO
from vicinia.training.dimensions import TargetKind
from vicinia.training.parameter import NANO
from vicinia.training.recipes.mlp import BELOW, BELOW_SHARE, UPDATE, WEIGHT, WEIGHT_SHARE

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.training.examples import Examples
    from vicinia.training.model import Model
    from vicinia.training.recipes.mlp import Mlp

__all__ = ["Network", "Words", "statistic"]

# A block's norm, computed once more after it was divided by itself, may come out an ulp above 1.
_WITHIN = 1 - 2.0**-40


class Words(Protocol):
    """A stream of uniform 64-bit words (`vicinia.privacy.stream.Stream`)."""

    def words(self, count: int, /) -> NDArray[np.uint64]:
        """The next `count` words."""
        ...


def _never() -> bool:
    return False


def statistic(
    recipe: Mlp,
    model: Model,
    examples: Examples,
    clip: float,
    stream: Words,
    out_of_time: Callable[[], bool] = _never,
    measured: Callable[[float], None] = lambda _: None,
) -> NDArray[np.float64]:
    """The home's vector, float64[recipe.layout().length], within the layout's norms whatever model came.

    `stream` shuffles the examples; `out_of_time` is asked before every step; `measured` is told the update's norm
    before it is cut. Zeros where there are no examples, time ran out, or the numbers left the finite ones.
    InvalidInput for a model of another network or a clip that is none.
    """
    recipe.check(model)
    if not 1 / NANO <= clip <= MAX_CLIP_NANO / NANO:
        raise InvalidInput(f"An update cannot be cut to a norm of {clip}.", where="training.clip")
    layout = recipe.layout()
    vector = np.zeros(layout.length)
    if not len(examples):
        return vector
    received = np.concatenate([array.reshape(-1) for _, array in model.arrays])
    network = Network(recipe, received.copy())
    with np.errstate(all="ignore"):
        if not _train(network, received, examples, stream, out_of_time):
            return vector
        update = vector[layout.place(UPDATE)]
        np.subtract(network.numbers, received, out=update)
        norm = math.sqrt(float(update @ update))
    if not math.isfinite(norm):
        return np.zeros(layout.length)
    measured(norm)
    weight = examples.weight if recipe.by_examples else 1.0
    cut = norm > clip
    update *= weight * (_WITHIN / norm if cut else _WITHIN / clip)
    vector[layout.place(WEIGHT)] = float(WEIGHT_SHARE) * weight
    vector[layout.place(BELOW)] = float(BELOW_SHARE) * (-0.5 if cut else 0.5)
    return vector


class Network:
    """A network's numbers in one row, and its gradient in another: every pass goes over them in place."""

    def __init__(self, recipe: Mlp, numbers: NDArray[np.floating]) -> None:
        """`numbers`: those of a model, [recipe.size], float32 or float64; they are changed by training."""
        self.recipe = recipe
        self.numbers = numbers
        self.gradient = np.empty_like(numbers)
        self.layers = recipe.layers(numbers)
        self._slopes = recipe.layers(self.gradient)

    def differentiate(self, inputs: NDArray[np.floating], wanted: NDArray[np.floating], factor: float) -> None:
        """Fill `gradient` with factor × the gradient of the batch's mean loss, without its penalties.

        inputs: [n, p]; wanted: [n, outputs], targets or one-hot classes; both of the numbers' type.
        """
        units = [inputs]
        for bias, weight in self.layers[:-1]:
            sums = units[-1] @ weight
            sums += bias
            units.append(self.recipe.activate(sums))
        bias, weight = self.layers[-1]
        error = units[-1] @ weight
        error += bias
        error = self.recipe.respond(error)
        error -= wanted
        error *= factor / len(inputs)
        for place in range(len(self.layers) - 1, -1, -1):
            slope_of_bias, slope_of_weight = self._slopes[place]
            np.sum(error, axis=0, out=slope_of_bias)
            np.matmul(units[place].T, error, out=slope_of_weight)
            if place:
                error = error @ self.layers[place][1].T
                self._through(units[place], error)

    def _through(self, units: NDArray[np.floating], error: NDArray[np.floating]) -> None:
        """The error behind the activation whose result was `units` (which it overwrites)."""
        if self.recipe.activation == "relu":
            error *= units > 0
        else:
            np.multiply(units, units, out=units)
            np.subtract(1, units, out=units)
            error *= units


def _train(
    network: Network,
    received: NDArray[np.floating],
    examples: Examples,
    stream: Words,
    out_of_time: Callable[[], bool],
) -> bool:
    """Steps of gradient descent, `network.numbers` changed in place; False when time ran out."""
    recipe, rate, numbers = network.recipe, network.recipe.learning_rate, network.numbers
    inputs, wanted = examples.inputs.astype(numbers.dtype), _wanted(recipe, examples).astype(numbers.dtype)
    pull = received * (rate * recipe.proximal) if recipe.proximal else None
    for _ in range(recipe.epochs):
        order = np.argsort(stream.words(len(inputs)), kind="stable")
        for start in range(0, len(order), recipe.batch):
            if out_of_time():
                return False
            chosen = order[start : start + recipe.batch]
            network.differentiate(inputs[chosen], wanted[chosen], rate)
            if recipe.l2 or recipe.proximal:
                _shrink(network, rate * recipe.proximal, rate * recipe.l2)
            if pull is not None:
                numbers += pull
            numbers -= network.gradient
    return True


def _shrink(network: Network, proximal: float, l2: float) -> None:
    """The penalties' part of a step, but for the pull towards the received numbers."""
    for bias, weight in network.layers:
        np.multiply(bias, 1 - proximal, out=bias)
        np.multiply(weight, 1 - proximal - l2, out=weight)


def _wanted(recipe: Mlp, examples: Examples) -> NDArray[np.floating]:
    """What the outputs should respond, [n, outputs]."""
    if recipe.dimensions.target is TargetKind.CLASSES and recipe.outputs > 1:
        return np.equal(examples.target[:, None], np.arange(recipe.outputs)).astype(np.float32)
    return examples.target[:, None]
