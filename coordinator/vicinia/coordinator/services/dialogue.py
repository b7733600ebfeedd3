"""What the coordinator and its Flower process say to each other, one frame each.

coordinator: Start                    Reply             Reply or Stop
Flower:             Request (round 1)       Request (2) …              Finished, or Failure at any time
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any

from vicinia.coordinator.services.frame import Arrays, Frame, read_frame, write
from vicinia.errors import InvalidInput, ProtocolViolation
from vicinia.training.strategy import Strategy

__all__ = ["MAX_ROUNDS", "Failure", "Finished", "Reply", "Request", "Start", "Stop", "receive", "send"]

MAX_ROUNDS = 10_000
MAX_NUMBERS = 256
MAX_TEXT = 2_000


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """The strategy, how many rounds it is to take, and the initial model."""

    strategy: Mapping[str, Any]
    rounds: int
    arrays: Arrays


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """Train on this model; `config` is what the strategy tells the homes, under Flower's names (`proximal-mu`)."""

    round: int
    config: Mapping[str, float]
    arrays: Arrays


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """The weighted mean of the homes' models, the sum of their weights, and metrics of the round."""

    weight: float
    metrics: Mapping[str, float]
    arrays: Arrays


@dataclass(frozen=True, slots=True, eq=False)
class Stop:
    """Instead of a reply: training ends with what it has."""


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """The final model, after so many completed rounds."""

    completed: int
    arrays: Arrays


@dataclass(frozen=True, slots=True, eq=False)
class Failure:
    """An error of the Flower process: a code of `vicinia.errors` and its words."""

    code: int
    what: str
    where: str
    hint: str


Message = Start | Request | Reply | Stop | Finished | Failure

_KINDS: dict[str, type[Message]] = {kind.__name__: kind for kind in (Start, Request, Reply, Stop, Finished, Failure)}


def send(message: Message, sink: Callable[[memoryview], None]) -> None:
    """Write one message; InvalidInput, before anything is written, where it holds what a frame cannot."""
    values = {field.name: getattr(message, field.name) for field in fields(message)}
    arrays = values.pop("arrays", {})
    facts = {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}
    _check(facts)
    write(Frame(type(message).__name__, facts, arrays), sink)


def receive(source: Callable[[memoryview], None]) -> Message:
    """Read one message; ProtocolViolation for anything that `send` would not have written."""
    frame = read_frame(source)
    kind: Callable[..., Message] | None = _KINDS.get(frame.kind)
    if kind is None:
        raise ProtocolViolation("There is no such message.", where=frame.kind[:40])
    expected = {field.name for field in fields(_KINDS[frame.kind])}
    arrays = {"arrays": frame.arrays} if frame.arrays else {}
    if "arrays" in frame.facts or frame.facts.keys() | arrays.keys() != expected:
        raise ProtocolViolation("A message has not the fields of its kind.", where=frame.kind)
    try:
        _check(frame.facts)
    except InvalidInput as error:
        raise ProtocolViolation(error.what, where=error.where) from error
    return kind(**frame.facts, **arrays)


def _check(facts: Mapping[str, Any]) -> None:
    """Every fact by its name; InvalidInput."""
    for name, value in facts.items():
        _CHECKS[name](value, name)


def _rounds(value: Any, where: str) -> None:
    _whole(value, where)
    if value < 1:
        raise InvalidInput("A training run has at least one round.", where=where)


def _whole(value: Any, where: str) -> None:
    if type(value) is not int or not 0 <= value <= MAX_ROUNDS:
        raise InvalidInput(f"This must be a whole number of 0..{MAX_ROUNDS}.", where=where)


def _number(value: Any, where: str) -> None:
    if type(value) not in (int, float) or not isfinite(value):
        raise InvalidInput("This must be a finite number.", where=where)


def _numbers(value: Any, where: str) -> None:
    if not isinstance(value, dict) or len(value) > MAX_NUMBERS:
        raise InvalidInput(f"These must be at most {MAX_NUMBERS} named numbers.", where=where)
    for name, number in value.items():
        _text(name, where)
        _number(number, f"{where}.{name}")


def _text(value: Any, where: str) -> None:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise InvalidInput(f"This must be text of at most {MAX_TEXT} characters.", where=where)


_CHECKS: dict[str, Callable[[Any, str], object]] = {
    "strategy": Strategy.from_payload,
    "rounds": _rounds,
    "completed": _whole,
    "round": _whole,
    "config": _numbers,
    "weight": _number,
    "metrics": _numbers,
    "code": _whole,
    "what": _text,
    "where": _text,
    "hint": _text,
}
