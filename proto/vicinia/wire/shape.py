"""Between a protobuf message and a frozen dataclass, with a stated limit for every field.

A `Shape` names, for each field, what it may be; reading refuses everything else and says which field it was, and
so does writing, so that a party cannot send what the other must refuse. Unknown fields are refused.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from math import isfinite
from typing import Any, Generic, TypeVar

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet  # type: ignore[import-not-found]  # types-protobuf lacks it
from vicinia.errors import InvalidInput, TooLarge
from vicinia.tlog.characters import is_plain

__all__ = [
    "MAX_MESSAGE_BYTES",
    "Bytes",
    "Choice",
    "Field",
    "List",
    "Maybe",
    "Nested",
    "Number",
    "Real",
    "Shape",
    "Text",
    "exactly",
]

MAX_MESSAGE_BYTES = 17 * 1024 * 1024
"""The longest message of all, a released result with its frame; for gRPC's own limit too."""

M = TypeVar("M", bound=Message)
T = TypeVar("T")


class Field(ABC):
    """What one field may hold."""

    @abstractmethod
    def read(self, value: Any, where: str) -> Any:
        """From what protobuf gives to what the dataclass takes; InvalidInput or TooLarge names `where`."""

    @abstractmethod
    def write(self, value: Any, where: str) -> Any:
        """The way back, under the same limits."""


class Scalar(Field):
    """A field that is the same on both sides."""

    @abstractmethod
    def check(self, value: Any, where: str) -> None:
        """Raise unless the value is within the limits."""

    def read(self, value: Any, where: str) -> Any:
        self.check(value, where)
        return value

    def write(self, value: Any, where: str) -> Any:
        self.check(value, where)
        return value


@dataclass(frozen=True, slots=True)
class Bytes(Scalar):
    """Bytes of a length from `least` to `most`."""

    most: int
    least: int = 0

    def check(self, value: Any, where: str) -> None:
        if not isinstance(value, bytes):
            raise InvalidInput("Bytes are needed.", where=where)
        if self.least == self.most != len(value):
            raise InvalidInput(f"{len(value)} bytes where {self.most} are needed.", where=where)
        if len(value) < self.least:
            raise InvalidInput(f"{len(value)} bytes where at least {self.least} are needed.", where=where)
        if len(value) > self.most:
            raise TooLarge(f"{len(value)} bytes, at most {self.most} are taken.", where=where)


def exactly(length: int) -> Bytes:
    """Bytes of one length: a key, a hash, a signature."""
    return Bytes(length, length)


@dataclass(frozen=True, slots=True)
class Number(Scalar):
    """A whole number from `least` to `most`."""

    most: int
    least: int = 0

    def check(self, value: Any, where: str) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise InvalidInput("A whole number is needed.", where=where)
        if not self.least <= value <= self.most:
            raise InvalidInput(f"{value} is outside {self.least} to {self.most}.", where=where)


@dataclass(frozen=True, slots=True)
class Real(Scalar):
    """A finite number."""

    def check(self, value: Any, where: str) -> None:
        if not isinstance(value, float) or not isfinite(value):
            raise InvalidInput("A finite number is needed.", where=where)


@dataclass(frozen=True, slots=True)
class Text(Scalar):
    """Printable text of at most `most` characters; it ends up on people's screens."""

    most: int

    def check(self, value: Any, where: str) -> None:
        if not isinstance(value, str):
            raise InvalidInput("A text is needed.", where=where)
        if len(value) > self.most:
            raise TooLarge(f"{len(value)} characters, at most {self.most} are taken.", where=where)
        if not is_plain(value, breaks=True):
            raise InvalidInput("This text has control characters.", where=where)


@dataclass(frozen=True, slots=True)
class Choice(Field):
    """One of the allowed members of an enumeration."""

    allowed: tuple[IntEnum, ...]

    def read(self, value: Any, where: str) -> IntEnum:
        for member in self.allowed:
            if member == value:
                return member
        raise InvalidInput(f"{int(value)} is none of the values that are known here.", where=where)

    def write(self, value: Any, where: str) -> int:
        if not isinstance(value, int):
            raise InvalidInput("A known value is needed.", where=where)
        return int(self.read(value, where))


@dataclass(frozen=True, slots=True)
class Maybe(Field):
    """A scalar whose absence means None; the shape asks protobuf whether it is there."""

    scalar: Scalar

    def read(self, value: Any, where: str) -> Any:
        return self.scalar.read(value, where)

    def write(self, value: Any, where: str) -> Any:
        return None if value is None else self.scalar.write(value, where)


@dataclass(frozen=True, slots=True)
class List(Field):
    """At most `most` values of one kind, a tuple in the dataclass."""

    entry: Field
    most: int

    def read(self, value: Any, where: str) -> tuple[Any, ...]:
        self._check_count(len(value), where)
        return tuple(self.entry.read(one, f"{where}[{place}]") for place, one in enumerate(value))

    def write(self, value: Any, where: str) -> list[Any]:
        if not isinstance(value, tuple | list):
            raise InvalidInput("A list is needed.", where=where)
        self._check_count(len(value), where)
        return [self.entry.write(one, f"{where}[{place}]") for place, one in enumerate(value)]

    def _check_count(self, count: int, where: str) -> None:
        if count > self.most:
            raise TooLarge(f"{count} entries, at most {self.most} are taken.", where=where)


@dataclass(frozen=True)
class Shape(Generic[M, T]):
    """The conversion between one message type and one dataclass.

    fields: by name, the same on both sides. apart: fields of the message that the caller reads by itself.
    """

    message: type[M]
    value: type[T]
    fields: Mapping[str, Field]
    apart: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        declared = {field.name for field in self.message.DESCRIPTOR.fields}
        if declared != set(self.fields) | self.apart:  # a field without a limit would slip through unchecked
            raise TypeError(f"{self.name}: {declared ^ (set(self.fields) | self.apart)}")

    @property
    def name(self) -> str:
        """The message's name, with which the place of an error begins."""
        return str(self.message.DESCRIPTOR.name)

    def read(self, message: M, where: str = "") -> T:
        """The dataclass of a received message; InvalidInput or TooLarge names the field."""
        where = where or self.name
        refuse_unknown(message, where)
        return self.value(**{name: _read_field(message, name, field, where) for name, field in self.fields.items()})

    def write(self, value: T, where: str = "") -> M:
        """The message of a dataclass, under the same limits."""
        where = where or self.name
        written = {name: field.write(getattr(value, name), f"{where}.{name}") for name, field in self.fields.items()}
        return self.message(**{name: content for name, content in written.items() if content is not None})

    def encode(self, value: T) -> bytes:
        """Bytes for a journal; the same value gives the same bytes."""
        return self.write(value).SerializeToString(deterministic=True)

    def decode(self, data: bytes) -> T:
        """The way back from untrusted bytes."""
        return self.read(parse(self.message, data))


@dataclass(frozen=True, slots=True)
class Nested(Field):
    """A message within a message; it must be there."""

    shape: Shape[Any, Any]

    def read(self, value: Any, where: str) -> Any:
        return self.shape.read(value, where)

    def write(self, value: Any, where: str) -> Any:
        if not isinstance(value, self.shape.value):
            raise InvalidInput(f"A {self.shape.name} is needed.", where=where)
        return self.shape.write(value, where)


def parse(message: type[M], data: bytes, most: int = MAX_MESSAGE_BYTES) -> M:
    """The message of bytes; InvalidInput when they are no such message, TooLarge above `most`."""
    name = message.DESCRIPTOR.name
    if len(data) > most:
        raise TooLarge(f"{len(data)} bytes, at most {most} are taken.", where=name)
    try:
        return message.FromString(data)
    except DecodeError as error:
        raise InvalidInput("These bytes are not such a message.", where=name) from error


def refuse_unknown(message: Message, where: str) -> None:
    """InvalidInput when the message carries fields that this version does not know; looks at one level."""
    if len(UnknownFieldSet(message)):
        raise InvalidInput("The message has unknown fields.", where=where, hint="Is this program up to date?")


def _read_field(message: Message, name: str, field: Field, where: str) -> Any:
    place = f"{where}.{name}"
    if isinstance(field, Maybe | Nested) and not message.HasField(name):
        if isinstance(field, Maybe):
            return None
        raise InvalidInput("This part of the message is missing.", where=place)
    return field.read(getattr(message, name), place)
