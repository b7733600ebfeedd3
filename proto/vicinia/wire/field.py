"""What one field of a message may hold, with a stated limit; where it is more, an error names the place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import isfinite
from typing import Any, ClassVar, TypeAlias

from google.protobuf.message import Message
from vicinia.errors import InvalidInput, TooLarge
from vicinia.tlog.characters import is_plain

__all__ = ["Bytes", "Choice", "Field", "Maybe", "Number", "Real", "Scalar", "Text", "Where", "exactly"]

Where: TypeAlias = str | None
"""The place that an error names; None while nobody has asked for one."""


class Field(ABC):
    """What one field may hold. `may_be_absent`: whether protobuf can tell that it is not there."""

    may_be_absent: ClassVar[bool] = False

    def absent(self, where: Where) -> Any:
        """What it is where it is not there; InvalidInput where it has to be."""
        raise InvalidInput("This part of the message is missing.", where=where or "")

    @abstractmethod
    def read(self, value: Any, where: Where) -> Any:
        """From what protobuf gives to what the dataclass takes; InvalidInput or TooLarge names `where`."""

    @abstractmethod
    def write(self, message: Message, name: str, value: Any, where: Where) -> None:
        """The way back, into a field of a message, under the same limits."""


class Scalar(Field):
    """A field that is the same on both sides."""

    @abstractmethod
    def check(self, value: Any, where: Where) -> None:
        """Raise unless the value is within the limits."""

    def read(self, value: Any, where: Where) -> Any:
        self.check(value, where)
        return value

    def write(self, message: Message, name: str, value: Any, where: Where) -> None:
        self.check(value, where)
        setattr(message, name, value)

    def extend(self, entries: Any, values: Sequence[Any], where: Where) -> None:
        for place, value in enumerate(values):
            self.check(value, None if where is None else f"{where}[{place}]")
        entries.extend(values)


@dataclass(frozen=True, slots=True)
class Bytes(Scalar):
    """Bytes of a length from `least` to `most`."""

    most: int
    least: int = 0

    def check(self, value: Any, where: Where) -> None:
        if not isinstance(value, bytes):
            raise InvalidInput("Bytes are needed.", where=where or "")
        if self.least == self.most != len(value):
            raise InvalidInput(f"{len(value)} bytes where {self.most} are needed.", where=where or "")
        if len(value) < self.least:
            raise InvalidInput(f"{len(value)} bytes where at least {self.least} are needed.", where=where or "")
        if len(value) > self.most:
            raise TooLarge(f"{len(value)} bytes, at most {self.most} are taken.", where=where or "")


def exactly(length: int) -> Bytes:
    """Bytes of one length: a key, a hash, a signature."""
    return Bytes(length, length)


@dataclass(frozen=True, slots=True)
class Number(Scalar):
    """A whole number from `least` to `most`."""

    most: int
    least: int = 0

    def check(self, value: Any, where: Where) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise InvalidInput("A whole number is needed.", where=where or "")
        if not self.least <= value <= self.most:
            raise InvalidInput(f"{value} is outside {self.least} to {self.most}.", where=where or "")


@dataclass(frozen=True, slots=True)
class Real(Scalar):
    """A finite number."""

    def check(self, value: Any, where: Where) -> None:
        if not isinstance(value, float) or not isfinite(value):
            raise InvalidInput("A finite number is needed.", where=where or "")


@dataclass(frozen=True, slots=True)
class Text(Scalar):
    """Printable text of at most `most` characters; it ends up on people's screens."""

    most: int

    def check(self, value: Any, where: Where) -> None:
        if not isinstance(value, str):
            raise InvalidInput("A text is needed.", where=where or "")
        if len(value) > self.most:
            raise TooLarge(f"{len(value)} characters, at most {self.most} are taken.", where=where or "")
        if not is_plain(value, breaks=True):
            raise InvalidInput("This text has control characters.", where=where or "")


@dataclass(frozen=True, slots=True)
class Choice(Field):
    """One of the allowed members of an enumeration."""

    allowed: tuple[IntEnum, ...]

    def read(self, value: Any, where: Where) -> IntEnum:
        for member in self.allowed:
            if member == value:
                return member
        raise InvalidInput(f"{int(value)} is none of the values that are known here.", where=where or "")

    def write(self, message: Message, name: str, value: Any, where: Where) -> None:
        if not isinstance(value, int):
            raise InvalidInput("A known value is needed.", where=where or "")
        setattr(message, name, int(self.read(value, where)))


@dataclass(frozen=True, slots=True)
class Maybe(Field):
    """A scalar whose absence means None; the shape asks protobuf whether it is there."""

    may_be_absent: ClassVar[bool] = True

    scalar: Scalar

    def absent(self, where: Where) -> Any:  # noqa: ARG002 - it may be anywhere
        return None

    def read(self, value: Any, where: Where) -> Any:
        return self.scalar.read(value, where)

    def write(self, message: Message, name: str, value: Any, where: Where) -> None:
        if value is not None:
            self.scalar.write(message, name, value, where)
