"""Asks Flower for the server's step: the coordinator's side of one training run's Flower process.

The run alternates: `next_request` gives the model of a round, `reply` takes what the homes made of it, until Finished.
A run that was interrupted is resumed by a new process, which hears the released replies again (`replay`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from typing import NoReturn, Self, TypeVar

from vicinia.coordinator.services.child import Child
from vicinia.coordinator.services.dialogue import Failure, Finished, Reply, Request, Start, Stop, receive, send
from vicinia.coordinator.services.frame import Arrays, check_finite, shapes_of
from vicinia.errors import Incompatible, InternalFault, InvalidInput, ProtocolViolation, Unavailable, error_from_wire
from vicinia.training.strategy import Strategy

__all__ = ["Finished", "Reply", "Request", "Strategist"]

_MODULE = "vicinia.coordinator.flower"
_ENVIRONMENT = {"FLWR_TELEMETRY_ENABLED": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_PATIENCE_SECONDS = 180.0
_GRACE_SECONDS = 5.0
_RESUME = "No round is lost: started again, the run goes on after the last round that was released."
_log = logging.getLogger("vicinia.coordinator.training")
_T = TypeVar("_T")


class Strategist:
    """One training run of an unmodified Flower strategy in a child process; a context manager, for one thread.

    `patience` is how many seconds the process may take for one message, the first with its start. An error of the
    process ends it. This side keeps no arrays.
    """

    def __init__(
        self, strategy: Strategy, initial: Arrays, rounds: int, *, patience: float = _PATIENCE_SECONDS
    ) -> None:
        """Raises InvalidInput for a model that is not finite float64 or is too large, Incompatible without Flower."""
        if not initial:
            raise InvalidInput("A model has at least one array.", where="arrays")
        self._shapes = shapes_of(initial)
        check_finite(initial, "The initial model")
        if find_spec("flwr") is None:
            raise Incompatible("Model training is not installed here.", hint="Install vicinia[training].")
        self._owes = True  # whether the next message is the process's
        self._finished: Finished | None = None
        self._child = Child(_MODULE, _ENVIRONMENT, patience)
        self._open = True
        try:
            self._say(Start(strategy.payload(), rounds, initial))
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The child process, as an operator sees it."""
        return self._child.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def next_request(self) -> Request | Finished:
        """The next round's model and what the strategy tells homes, or the final model.

        RoundFailed when training diverged, Unavailable when the process died or took too long.
        """
        if self._finished is not None:
            return self._finished
        if not self._owes:
            raise InternalFault("The last request has had no reply.", where="strategist")
        message = self._hear()
        self._owes = False
        if isinstance(message, Finished):
            self._finished = message
            self.close()
        return message

    def reply(self, mean: Arrays, weight: float, metrics: Mapping[str, float] | None = None) -> None:
        """What the homes made of the last request: the mean of their models, the sum of their weights, metrics.

        InvalidInput when the arrays are not the request's (names, order, shapes), when a number is not finite or the
        weight is not above zero; the request is then still open.
        """
        if self._owes or self._finished is not None:
            raise InternalFault("There is no request to reply to.", where="strategist")
        if list(shapes_of(mean).items()) != list(self._shapes.items()):
            raise InvalidInput("The mean has other arrays than the model.", where="mean")
        check_finite(mean, "The mean")
        if not 0 < weight < float("inf"):
            raise InvalidInput("The sum of the homes' weights is not above zero.", where="weight")
        self._say(Reply(weight, dict(metrics or {}), mean))
        self._owes = True

    def replay(self, replies: Iterable[Reply]) -> None:
        """Give again the replies of the rounds that were released before, in order."""
        for reply in replies:
            if isinstance(self.next_request(), Finished):
                raise InvalidInput("There are more replies than the run has rounds.", where="replay")
            self.reply(reply.arrays, reply.weight, reply.metrics)

    def stop(self) -> Finished:
        """End training with what it has: the model of the open request, or of the next one."""
        if self._finished is None and self._owes:
            self.next_request()
        if self._finished is None:
            self._say(Stop())
            self._owes = True
        end = self.next_request()
        if isinstance(end, Request):
            self._fail("The Flower process went on after it was told to stop.")
        return end

    def close(self) -> None:
        """End the process and wait until it is gone; may be called twice."""
        self._open = False
        self._child.close(_GRACE_SECONDS if self._finished is not None else 0.0)
        self._child.forget()

    def _say(self, message: Start | Reply | Stop) -> None:
        self._exchange(lambda: send(message, self._child.write))

    def _hear(self) -> Request | Finished:
        message = self._exchange(lambda: receive(self._child.fill))
        if isinstance(message, Failure):
            self._end()
            raise error_from_wire(message.code, message.what, message.where, message.hint)
        if not isinstance(message, Request | Finished):
            self._fail("The Flower process sent a message that is not its own to send.")
        if list(shapes_of(message.arrays).items()) != list(self._shapes.items()):
            self._fail("The Flower process changed the shape of the model.")
        return message

    def _exchange(self, action: Callable[[], _T]) -> _T:
        """The action; every way in which the process can let it down is said in one sentence."""
        if not self._open:
            raise InternalFault("This training run is over.", where="strategist")
        self._child.begin()
        try:
            return action()
        except TimeoutError:
            self._fail("The Flower process did not answer in time.")
        except (EOFError, BrokenPipeError):
            self._fail("The Flower process ended in the middle of a training run.")
        except ProtocolViolation as error:
            self._fail(f"The Flower process sent a message that cannot be read ({error}).")

    def _fail(self, what: str) -> NoReturn:
        status = self._end()
        _log.error("%s (process %d, status %d)", what, self._child.pid, status)
        raise Unavailable(what, where="training", hint=_RESUME)

    def _end(self) -> int:
        """Kill the process, log its last words; its exit status."""
        self._open = False
        status = self._child.close()
        for line in self._child.last_words():
            _log.warning("flower: %s", line)
        self._child.forget()
        return status
