"""Plain Flower, in memory: a strategy that sees each home's own reply, to compare with what sees one average."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from vicinia.coordinator.flower import load_flower

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    load_flower()
    from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
    from flwr.serverapp import Grid
    from flwr.serverapp import strategy as strategies

__all__ = [
    "HOMES", "MemoryGrid", "Model", "averaged", "build", "distance", "local_step", "model_of", "record", "run",
    "strategies",
]  # fmt: skip

if TYPE_CHECKING:
    from flwr.supercore.run import Run

Model = Mapping[str, NDArray[np.float64]]
Update = Callable[[int, int, Model], tuple[Model, float, float]]
"""(home, round, model) -> (the home's model, its weight, its loss)"""

HOMES = 7


def record(model: Model) -> ArrayRecord:
    return ArrayRecord({name: Array(array) for name, array in model.items()})


def model_of(arrays: ArrayRecord) -> dict[str, NDArray[np.float64]]:
    return {name: array.numpy() for name, array in arrays.items()}


def local_step(home: int, number: int, model: Model) -> tuple[Model, float, float]:
    """Every home pulls the model towards a point of its own, by a step that changes with the round."""
    stream = np.random.default_rng([home, number])
    step = {name: stream.normal(1.0 + home, 2.0, array.shape) - array for name, array in model.items()}
    weight = float(stream.integers(1, 400))
    loss = sum(float(np.square(one).sum()) for one in step.values()) / 100
    return {name: np.asarray(array + 0.2 * step[name]) for name, array in model.items()}, weight, loss


def averaged(update: Update) -> Update:
    """The homes of `update` as one home: the weighted mean of their models, the sum of weights, the mean loss."""

    def as_one(_: int, number: int, model: Model) -> tuple[Model, float, float]:
        replies = [update(home, number, model) for home in range(1, HOMES + 1)]
        total = sum(weight for _, weight, _ in replies)
        mean = {
            name: np.asarray(sum(weight * np.asarray(own[name]) for own, weight, _ in replies) / total)
            for name in model
        }
        return mean, total, sum(weight / total * loss for _, weight, loss in replies)

    return as_one


class MemoryGrid(Grid):
    """`homes` nodes that answer at once; remembers the models that were sent to them."""

    def __init__(self, homes: int, update: Update) -> None:
        self.homes, self.update = homes, update
        self.sent: list[Model] = []

    def set_run(self, run: Run) -> None:
        raise NotImplementedError

    @property
    def run(self) -> Run:
        raise NotImplementedError

    def create_message(self, *args: Any, **kwargs: Any) -> Message:
        raise NotImplementedError

    def get_node_ids(self) -> Iterable[int]:
        return list(range(1, self.homes + 1))

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        raise NotImplementedError

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        raise NotImplementedError

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        replies = []
        for message in sorted(messages, key=lambda one: one.metadata.dst_node_id):
            number = int(str(message.content.config_records["config"]["server-round"]))
            model = model_of(message.content.array_records["arrays"])
            if len(self.sent) < number:
                self.sent.append(model)
            own, weight, loss = self.update(message.metadata.dst_node_id, number, model)
            metrics = MetricRecord({"num-examples": weight, "train_loss": loss})
            replies.append(Message(RecordDict({"arrays": record(own), "metrics": metrics}), reply_to=message))
        return replies


def build(name: str, homes: int, **parameters: Any) -> Any:
    """A strategy of Flower for so many nodes, without its evaluation."""
    return getattr(strategies, name)(
        min_train_nodes=homes, min_available_nodes=homes, fraction_evaluate=0.0, **parameters
    )


def run(strategy: Any, grid: MemoryGrid, initial: Model, rounds: int) -> dict[str, NDArray[np.float64]]:
    """The final model."""
    return model_of(strategy.start(grid=grid, initial_arrays=record(initial), num_rounds=rounds).arrays)


def distance(one: Model, other: Model) -> float:
    """The largest difference, relative to the largest number."""
    assert list(one) == list(other)
    assert all(one[name].shape == other[name].shape for name in one)
    scale = max(float(np.abs(array).max()) for array in other.values())
    return max(float(np.abs(one[name] - other[name]).max()) for name in other) / scale
