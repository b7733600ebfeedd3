"""Plain Flower on the same data, in memory: every home is a node of its own, whose whole model the server sees."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from vicinia.coordinator.flower import load_flower
from vicinia.node.training.mlp import statistic
from vicinia.privacy.stream import chacha_stream
from vicinia.training.compiled import Training
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.examples import Examples
from vicinia.training.model import Model
from vicinia.training.parameter import NANO
from vicinia.training.recipes.mlp import UPDATE, Mlp
from vicinia.training.strategy import Strategy

__all__ = ["PlainFlower", "plain_flower"]

ROUNDS = 10  # where the training itself is none of Flower's
UNCUT = 1e6


@dataclass(frozen=True, slots=True)
class PlainFlower:
    """What it came to: the model, of this recipe, after so many rounds."""

    name: str
    recipe: Mlp
    model: Model
    rounds: int


def plain_flower(training: Training, homes: Sequence[Examples], first: Model) -> PlainFlower | None:
    """The same recipe and strategy, from the same first model, where the training has one; else FedAvg of the smallest
    network that fits.

    Nothing is cut and nothing is blurred. None where no home has examples, or there is nothing to predict.
    """
    present = [one for one in homes if len(one)]
    dimensions = training.design.dimensions
    if not present or dimensions.target is TargetKind.NONE:
        return None
    strategy, recipe, rounds = training.strategy, training.recipe, training.plan.rounds
    if strategy is None or not isinstance(recipe, Mlp):
        hidden = 16 if recipe.name == "trees" else 0
        defaults = {name: one.default for name, one in Mlp.settings.items() if one.default is not None}
        recipe = Mlp.of(dimensions, defaults | _steps(dimensions) | {"hidden_1": hidden})
        strategy, rounds, first = Strategy("FedAvg"), ROUNDS, recipe.initial()
    model = _run(strategy, recipe, present, rounds, first)
    return PlainFlower(f"plain Flower {strategy.name}, {rounds} rounds", recipe, model, rounds)


def _steps(dimensions: Dimensions) -> dict[str, int]:
    """Long steps for classes. Of numbers the loss has a curvature of up to 1 + p, and longer steps than 2/(1 + p) lead
    away: shorter ones, then, and more."""
    if dimensions.target is TargetKind.CLASSES:
        return {"batch": 32, "epochs": 5, "learning_rate": NANO}
    return {"batch": 32, "epochs": 20, "learning_rate": NANO // (1 + dimensions.inputs)}


def _run(strategy: Strategy, recipe: Mlp, homes: Sequence[Examples], rounds: int, initial: Model) -> Model:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what Flower itself imports
        load_flower()
        from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
        from flwr.serverapp import Grid
        from flwr.serverapp import strategy as strategies
    logging.getLogger("flwr").setLevel(logging.ERROR)

    def packed(model: Model) -> Any:
        return ArrayRecord({name: Array(np.array(array)) for name, array in model.arrays})

    def unpacked(arrays: Any) -> Model:
        numbers = {name: array.numpy() for name, array in arrays.items()}
        return Model(tuple((name, numbers[name].astype(old.dtype)) for name, old in initial.arrays))

    class Homes(Grid):
        """The homes as Flower's nodes, numbered from 1."""

        def set_run(self, run: Any) -> None:
            raise NotImplementedError

        @property
        def run(self) -> Any:
            raise NotImplementedError

        def create_message(self, *args: Any, **kwargs: Any) -> Any:
            raise NotImplementedError

        def get_node_ids(self) -> Iterable[int]:
            return list(range(1, len(homes) + 1))

        def push_messages(self, messages: Any) -> Any:
            raise NotImplementedError

        def pull_messages(self, message_ids: Any) -> Any:
            raise NotImplementedError

        def send_and_receive(self, messages: Any, *, timeout: float | None = None) -> Any:  # noqa: ARG002
            return [self._answer(message) for message in messages]

        @staticmethod
        def _answer(message: Any) -> Any:
            place = message.metadata.dst_node_id - 1
            number = int(str(message.content.config_records["config"]["server-round"]))
            model, weight = _trained(recipe, unpacked(message.content.array_records["arrays"]), homes, place, number)
            metrics = MetricRecord({"num-examples": weight})
            return Message(RecordDict({"arrays": packed(model), "metrics": metrics}), reply_to=message)

    settings: Mapping[str, Any] = {name: value / NANO for name, value in strategy.parameters}
    known = getattr(strategies, strategy.name)(
        min_train_nodes=len(homes),
        min_available_nodes=len(homes),
        fraction_evaluate=0.0,
        weighted_by_key="num-examples",
        **settings,
    )
    return unpacked(known.start(grid=Homes(), initial_arrays=packed(initial), num_rounds=rounds).arrays)


def _trained(recipe: Mlp, model: Model, homes: Sequence[Examples], place: int, number: int) -> tuple[Model, float]:
    """A home's own model after its steps of a round, and its weight."""
    examples = homes[place]
    stream = chacha_stream((number * len(homes) + place).to_bytes(32, "big"))
    weight = examples.weight if recipe.by_examples else 1.0
    update = statistic(recipe, model, examples, UNCUT, stream)[recipe.layout().place(UPDATE)]
    return model.with_flat(model.flat() + update * (UNCUT / weight)), weight
