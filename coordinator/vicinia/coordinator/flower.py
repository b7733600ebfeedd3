"""Runs one unmodified strategy of Flower, as a process of its own: `python -m vicinia.coordinator.flower`.

Flower's `Grid` is what a strategy sees of the homes. Here it shows one home, which stands for all of them: a round's
request goes out through a pipe, and the securely aggregated mean that comes back is the one reply, so that Flower's
weighted average of replies is that mean itself. A process trains one model, for Flower's task identity belongs to
the whole process. Same start and same replies, same requests: that is how a training run is resumed.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from vicinia.coordinator.services.dialogue import Failure, Finished, Reply, Request, Start, Stop, receive, send
from vicinia.coordinator.services.frame import Arrays, check_finite, shapes_of
from vicinia.errors import Incompatible, InternalFault, InvalidInput, ProtocolViolation, RoundFailed, ViciniaError
from vicinia.training.strategy import Strategy

if TYPE_CHECKING:
    from flwr.app import ArrayRecord, Message
    from flwr.serverapp import Grid

__all__ = ["FLWR_VERSION", "Homes", "Pipe", "load_flower", "main", "one_node_grid", "train"]

FLWR_VERSION = "1.41.0"
_ALL_HOMES = 1  # the id of the one node that stands for every home
_WEIGHT = "num-examples"
_ROUND = "server-round"


@dataclass(frozen=True, slots=True)
class Pipe:
    """The two ends that are left of standard input and output; EOFError when the coordinator has gone."""

    source: BinaryIO
    sink: BinaryIO

    @classmethod
    def take_over(cls) -> Pipe:
        """Keep the pipe for frames alone: whatever else is printed goes to standard error, and input is empty."""
        source, sink = os.dup(0), os.dup(1)
        os.dup2(2, 1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        return cls(os.fdopen(source, "rb"), os.fdopen(sink, "wb"))

    def fill(self, target: memoryview) -> None:
        """Read exactly as much as there is room for."""
        while target:
            count = self.source.readinto(target)  # type: ignore[attr-defined]
            if not count:
                raise EOFError
            target = target[count:]

    def say(self, message: Request | Finished | Failure) -> None:
        """Send one message now."""
        send(message, self._put)
        self.sink.flush()

    def _put(self, piece: memoryview) -> None:
        self.sink.write(piece)

    def hear(self) -> Start | Reply | Stop:
        """The coordinator's next message."""
        message = receive(self.fill)
        if not isinstance(message, Start | Reply | Stop):
            raise ProtocolViolation("This message does not come from a coordinator.", where=type(message).__name__)
        return message


class Homes:
    """All homes as one: asked once a round, until the coordinator says that training ends."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self.rounds = 0
        self.stopped = False

    def train(self, number: int, config: dict[str, Any], arrays: Arrays) -> Reply | None:
        """One round, or None when there are no more. RoundFailed when the model is no longer finite."""
        if self.stopped:
            return None
        _check_converges(arrays, number - 1)
        self._pipe.say(Request(number, config, arrays))
        answer = self._pipe.hear()
        if isinstance(answer, Reply):
            if list(shapes_of(answer.arrays).items()) != list(shapes_of(arrays).items()):  # FedAvgM goes by order
                raise ProtocolViolation("A reply has other arrays than its request.", where=f"round {number}")
            self.rounds += 1
            return answer
        self.stopped = True
        return None


def _check_converges(arrays: Arrays, after: int) -> None:
    """RoundFailed when the model that round `after` left is no longer finite."""
    try:
        check_finite(arrays, "The model")
    except InvalidInput as error:
        raise RoundFailed(
            f"After round {after} the model has numbers that are not finite: training diverged.",
            where=error.where,
            hint="Take a smaller step: of the strategy, or of the recipe.",
        ) from error


def load_flower() -> None:
    """Import Flower, silent and without telemetry. Incompatible when it is another version."""
    os.environ["FLWR_TELEMETRY_ENABLED"] = "0"  # is read when Flower is imported
    found = version("flwr")
    if found != FLWR_VERSION:
        raise Incompatible(f"Flower is {found} here; {FLWR_VERSION} is needed.", hint="Install vicinia[training].")
    from flwr.supercore.task_identity import TaskIdentity

    logging.getLogger("flwr").setLevel(logging.ERROR)
    TaskIdentity.task_id = TaskIdentity.run_id = 0  # `Message` wants an identity; nobody reads it here
    TaskIdentity.node_id = 0


def one_node_grid(homes: Homes) -> Grid:
    """Flower's public Grid over `homes`."""
    from flwr.app import Message, RecordDict
    from flwr.serverapp import Grid

    class OneNodeGrid(Grid):
        """One node; one reply a round; no messages to single nodes."""

        def set_run(self, run: Any) -> None:  # noqa: ARG002 (Flower's signature, as below)
            raise InternalFault("A training run has no Flower run.", where="Grid.set_run")

        @property
        def run(self) -> Any:
            raise InternalFault("A training run has no Flower run.", where="Grid.run")

        def create_message(
            self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
        ) -> Message:
            return Message(content, dst_node_id, message_type, group_id=group_id, ttl=ttl)

        def get_node_ids(self) -> Iterable[int]:
            return [_ALL_HOMES]

        def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:  # noqa: ARG002
            raise InternalFault("No message goes to a single home here.", where="Grid.push_messages")

        def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:  # noqa: ARG002
            raise InternalFault("There are no replies of single homes here.", where="Grid.pull_messages")

        def send_and_receive(
            self,
            messages: Iterable[Message],
            *,
            timeout: float | None = None,  # noqa: ARG002
        ) -> Iterable[Message]:
            return [reply for message in messages if (reply := _answer(message, homes)) is not None]

    return OneNodeGrid()


def _answer(message: Message, homes: Homes) -> Message | None:
    """One secure aggregation round for one message of a strategy."""
    from flwr.app import Message, MessageType, MetricRecord, RecordDict

    if message.metadata.message_type != MessageType.TRAIN:
        raise InternalFault("Only training is asked of homes.", where=message.metadata.message_type)
    config: dict[str, Any] = dict(message.content.config_records["config"])
    reply = homes.train(int(config.pop(_ROUND)), config, _arrays(message.content.array_records["arrays"]))
    if reply is None:
        return None
    metrics = MetricRecord({**reply.metrics, _WEIGHT: float(reply.weight)})
    return Message(RecordDict({"arrays": _record(reply.arrays), "metrics": metrics}), reply_to=message)


def _record(arrays: Arrays) -> ArrayRecord:
    from flwr.app import Array, ArrayRecord

    return ArrayRecord({name: Array(array) for name, array in arrays.items()})


def _arrays(record: ArrayRecord) -> Arrays:
    return {name: array.numpy().astype(np.float64, copy=False) for name, array in record.items()}


def _build(strategy: Strategy) -> Any:
    """The strategy of that name as Flower wrote it, asked for one node and without Flower's evaluation."""
    from flwr.serverapp import strategy as strategies

    kind: Callable[..., Any] = getattr(strategies, strategy.name)
    sampling = {"fraction_train": 1.0, "fraction_evaluate": 0.0, "min_train_nodes": 1, "min_available_nodes": 1}
    return kind(**sampling, **strategy.numbers())


def train(pipe: Pipe) -> None:
    """One training run from Start to Finished."""
    start = pipe.hear()
    if not isinstance(start, Start):
        raise ProtocolViolation("A training run begins with Start.", where=type(start).__name__)
    load_flower()
    homes = Homes(pipe)
    strategy = _build(Strategy.from_payload(start.strategy))
    result = strategy.start(grid=one_node_grid(homes), initial_arrays=_record(start.arrays), num_rounds=start.rounds)
    arrays = _arrays(result.arrays) if homes.rounds else start.arrays
    _check_converges(arrays, homes.rounds)
    pipe.say(Finished(homes.rounds, arrays))


def main() -> int:
    """Entry of the process; what goes wrong is said through the pipe, and its traceback to standard error."""
    pipe = Pipe.take_over()
    try:
        train(pipe)
    except (EOFError, BrokenPipeError):
        return 0
    except ViciniaError as error:
        logging.getLogger("vicinia").exception("the training run ends")
        with suppress(BrokenPipeError):
            pipe.say(Failure(int(error.code), error.what, error.where, error.hint))
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
