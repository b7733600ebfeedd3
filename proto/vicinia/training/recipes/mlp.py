"""Multilayer perceptron: each home takes a few steps of gradient descent and sends how far its weights moved.

The server's step is a Flower strategy's (FedAvg, FedProx, FedAvgM, FedAdam, FedYogi, FedAdagrad), taken from the mean
update; McMahan et al. 2018, "Learning differentially private recurrent language models", section 3. Without hidden
layers it is linear, Poisson, logistic or softmax regression.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from vicinia.errors import InvalidInput
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.layout import Block, VectorLayout
from vicinia.training.model import MAX_PARAMETERS, Model, too_large
from vicinia.training.parameter import NANO, real, whole
from vicinia.training.settings import Settings, from_payload

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.training.recipe import Aggregate

__all__ = ["BELOW", "BELOW_SHARE", "UPDATE", "WEIGHT", "WEIGHT_SHARE", "Mlp"]

UPDATE, WEIGHT, BELOW = "update", "weight", "below clip"
# A weight of 1 is sent as 1/8 and "cut or not" as ±1/8: both together make the noise of every slot 1.6 % larger. In
# return the noise moves the length of the mean update by 8σ/n at most, less than its direction (σ√d/n) from d = 64 on.
WEIGHT_SHARE = Fraction(1, 8)
BELOW_SHARE = Fraction(1, 4)
_NORM_SQUARED = 1 + WEIGHT_SHARE**2 + (BELOW_SHARE / 2) ** 2

_ACTIVATIONS = ("relu", "tanh")
# A count's rate is never taken for more than e^5 times the count's upper bound.
_MAX_LOG_RATE = 5.0
# Where a count's rate starts: at e^-2 of the upper bound, since the bound itself is seldom near the mean.
_FIRST_LOG_RATE = -2.0
_DOMAIN = b"vicinia/training/mlp/1"


@dataclass(frozen=True)
class Mlp:
    """The network and how a home trains it.

    `hidden`: sizes of the hidden layers, none to three; `by_examples`: a home with n of at most m examples counts n/m,
    otherwise each home with examples counts 1; `l2`: ½·l2·|weights|² is added to the mean loss of a batch, biases
    left out; `proximal`: so is ½·proximal·|moved|² (Li et al. 2020, FedProx). Losses: ½(y - ŷ)², Poisson's,
    cross-entropy. Two classes have one output, the logit of the second.
    """

    name: ClassVar[str] = "mlp"
    version: ClassVar[int] = 1
    settings: ClassVar[Settings] = {
        "activation": whole(0, 1, 0, of_model=True),  # 0 relu, 1 tanh
        "batch": whole(1, 10_000, 8),
        "by_examples": whole(0, 1, 0),
        "epochs": whole(1, 100, 2),
        "hidden_1": whole(0, 100_000, 16),
        "hidden_2": whole(0, 100_000, 0),
        "hidden_3": whole(0, 100_000, 0),
        "l2": real("0", "10", "0"),
        "learning_rate": real("0.000001", "10", "0.1"),
        "proximal": real("0", "10", "0"),
        "seed": whole(0, 2**31 - 1, 0),
    }

    dimensions: Dimensions
    hidden: tuple[int, ...]
    activation: str
    epochs: int
    batch: int
    learning_rate: float
    l2: float
    proximal: float
    by_examples: bool
    seed: int

    @classmethod
    def of(cls, dimensions: Dimensions, parameters: Mapping[str, int]) -> Mlp:
        """From a plan's parameters; InvalidInput, or TooLarge with the cost of what was asked for."""
        values = from_payload(cls.settings, parameters, "training.recipe")
        if dimensions.target is TargetKind.NONE:
            raise InvalidInput("A perceptron needs a target to predict.", where="training.target")
        sizes = [values[f"hidden_{place}"] for place in (1, 2, 3)]
        hidden = tuple(size for size in sizes if size)
        if hidden != tuple(sizes[: len(hidden)]):
            raise InvalidInput("A hidden layer without units stands before one with units.", where="training.recipe")
        recipe = cls(
            dimensions=dimensions,
            hidden=hidden,
            activation=_ACTIVATIONS[values["activation"]],
            epochs=values["epochs"],
            batch=values["batch"],
            learning_rate=values["learning_rate"] / NANO,
            l2=values["l2"] / NANO,
            proximal=values["proximal"] / NANO,
            by_examples=bool(values["by_examples"]),
            seed=values["seed"],
        )
        if recipe.size > MAX_PARAMETERS:
            raise too_large(recipe.size, recipe.size, "training.recipe", "Use fewer or smaller hidden layers.")
        return recipe

    @property
    def outputs(self) -> int:
        """Numbers that the last layer gives: the classes, but one for two of them; else one."""
        return self.dimensions.classes if self.dimensions.classes > 2 else 1

    @cached_property
    def shapes(self) -> Sequence[tuple[int, int]]:
        """(inputs, outputs) of each layer."""
        sizes = (self.dimensions.inputs, *self.hidden, self.outputs)
        return list(pairwise(sizes))

    @cached_property
    def arrays(self) -> list[tuple[str, tuple[int, ...]]]:
        """(name, shape) of the model's arrays, in their order."""
        return [
            (f"layer{place}.{part}", shape)
            for place, (inputs, outputs) in enumerate(self.shapes)
            for part, shape in (("bias", (outputs,)), ("weight", (inputs, outputs)))
        ]

    @property
    def size(self) -> int:
        """Weights and biases."""
        return sum((inputs + 1) * outputs for inputs, outputs in self.shapes)

    def layout(self) -> VectorLayout:
        """The update in units of the clipping norm, the home's weight, and whether the update was cut."""
        layers = tuple((f"{UPDATE} of {name}", math.prod(shape)) for name, shape in self.arrays)
        return VectorLayout((Block(UPDATE, self.size, layers), Block(WEIGHT, 1), Block(BELOW, 1)), _NORM_SQUARED)

    def initial(self) -> Model:
        """Weights uniform by He et al. 2015 (relu) or Glorot and Bengio 2010 (tanh, last layer); zeros without hidden
        layers. From SHAKE-256 of the seed by exact operations and one square root: the same bytes everywhere."""
        arrays: dict[str, NDArray[np.floating]] = {}
        last = len(self.shapes) - 1
        for place, (inputs, outputs) in enumerate(self.shapes):
            bias = np.zeros(outputs, np.float32)
            if place == last and self.dimensions.target is TargetKind.COUNT:
                bias += np.float32(_FIRST_LOG_RATE)
            he = self.activation == "relu" and place < last
            limit = math.sqrt(6 / inputs) if he else math.sqrt(6 / (inputs + outputs))
            weights = _uniform(self.seed, place, inputs * outputs) * (limit if self.hidden else 0.0)
            arrays[f"layer{place}.bias"] = bias
            arrays[f"layer{place}.weight"] = weights.reshape(inputs, outputs).astype(np.float32)
        return Model.of(arrays)

    def check(self, model: Model) -> None:
        """InvalidInput unless the model is one of this network."""
        if [(name, array.shape) for name, array in model.arrays] != self.arrays or any(
            array.dtype != np.float32 for _, array in model.arrays
        ):
            raise InvalidInput("The model is none of this network.", where="model")

    def layers(self, flat: NDArray[Any]) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        """(bias, weight) of each layer as views into a model's numbers in one row."""
        views, start = [], 0
        for inputs, outputs in self.shapes:
            middle, end = start + outputs, start + outputs + inputs * outputs
            views.append((flat[start:middle], flat[middle:end].reshape(inputs, outputs)))
            start = end
        return views

    def rounds(self) -> int | None:
        """As many as the plan says."""
        return None

    def step(self, model: Model, released: Aggregate, clip: float = 1.0) -> Model:
        """FedAvg with a server's rate of 1: the model moved by the mean update."""
        return model.with_flat(model.flat() + self.mean_update(released, clip))

    def mean_update(self, released: Aggregate, clip: float) -> NDArray[np.float64]:
        """The mean update, float64[size], in the model's units.

        No mean of updates that were cut to the clip is longer than it; what noise has made longer is shortened.
        """
        mean = released.total[self.layout().place(UPDATE)] / self.summed_weight(released)
        length = math.sqrt(float(mean @ mean))
        return mean * (clip / max(1.0, length))

    def summed_weight(self, released: Aggregate) -> float:
        """Homes with examples, or examples over m: at most the cohort.

        Where it is less than two standard deviations of its noise, it is those, or the cohort when they exceed it: a
        mean of next to nothing is small, never anything.
        """
        share = float(WEIGHT_SHARE)
        estimate = float(released.total[self.layout().place(WEIGHT)][0]) / share
        least = min(2 * released.noise / share, max(float(released.cohort), 1.0))
        return max(min(estimate, released.cohort + 10.0), least, 1e-6)

    def below_clip(self, released: Aggregate) -> float:
        """The share of homes whose update was not cut, in [0, 1]; homes without examples count as half."""
        told = float(released.total[self.layout().place(BELOW)][0]) / float(BELOW_SHARE)
        return min(1.0, max(0.0, told / max(released.cohort, 1) + 0.5))

    def respond(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """What the last layer's numbers say, [n, outputs]: mean, rate or probabilities. Written over `outputs`.

        Each is its loss's canonical link: the loss's gradient by the outputs is this less the target.
        """
        kind = self.dimensions.target
        if kind is TargetKind.COUNT:
            np.minimum(outputs, _MAX_LOG_RATE, out=outputs)
            np.exp(outputs, out=outputs)
        elif kind is TargetKind.CLASSES and self.outputs == 1:
            np.exp(np.negative(outputs, out=outputs), out=outputs)
            outputs += 1
            np.reciprocal(outputs, out=outputs)
        elif kind is TargetKind.CLASSES:
            outputs -= outputs.max(axis=1, keepdims=True)
            np.exp(outputs, out=outputs)
            outputs /= outputs.sum(axis=1, keepdims=True)
        return outputs

    def activate(self, sums: NDArray[Any]) -> NDArray[Any]:
        """A hidden layer's units from their weighted sums, written over them."""
        if self.activation == "relu":
            np.maximum(sums, 0, out=sums)
        else:
            np.tanh(sums, out=sums)
        return sums

    def predict(self, model: Model, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Real: float64[n]; count: the rate in units of the upper bound, float64[n]; classes: probabilities,
        float64[n, k]. Numbers that overflow are NaN or infinite."""
        self.check(model)
        layers = self.layers(model.flat())
        units: NDArray[np.float64] = np.asarray(inputs, dtype=np.float64)
        with np.errstate(all="ignore"):
            for bias, weight in layers[:-1]:
                units = self.activate(units @ weight + bias)
            bias, weight = layers[-1]
            answer: NDArray[np.float64] = self.respond(units @ weight + bias)
        if self.dimensions.target is not TargetKind.CLASSES:
            return answer[:, 0]
        return np.hstack((1 - answer, answer)) if self.outputs == 1 else answer


def _uniform(seed: int, place: int, count: int) -> NDArray[np.float64]:
    """Numbers in (-1, 1), odd multiples of 2^-24."""
    stream = hashlib.shake_256(_DOMAIN + seed.to_bytes(8, "big") + place.to_bytes(1, "big")).digest(4 * count)
    whole = np.frombuffer(stream, "<u4").astype(np.float64) // 256
    numbers: NDArray[np.float64] = (2 * whole + (1 - 2**24)) * 2.0**-24
    return numbers
