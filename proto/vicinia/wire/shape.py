"""Between a protobuf message and a frozen dataclass, with a stated limit for every field.

A `Shape` names, for each field, what it may be; reading refuses everything else and says which field it was, and
so does writing, so that a party cannot send what the other must refuse. Unknown fields are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet  # type: ignore[import-not-found]  # types-protobuf lacks it
from vicinia.errors import InvalidInput, TooLarge, ViciniaError
from vicinia.wire.field import Field, Scalar, Where

__all__ = ["MAX_MESSAGE_BYTES", "List", "Nested", "Shape", "parse", "refuse_unknown"]

MAX_MESSAGE_BYTES = 17 * 1024 * 1024
"""The longest message of all, a released result with its frame; for gRPC's own limit too."""

M = TypeVar("M", bound=Message)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class List(Field):
    """At most `most` values of one kind, a tuple in the dataclass."""

    entry: Scalar | Nested
    most: int

    def read(self, value: Any, where: Where) -> tuple[Any, ...]:
        self._check_count(len(value), where)
        read = self.entry.read
        if where is None:
            return tuple([read(one, None) for one in value])
        return tuple([read(one, f"{where}[{place}]") for place, one in enumerate(value)])

    def write(self, message: Message, name: str, value: Any, where: Where) -> None:
        if not isinstance(value, tuple | list):
            raise InvalidInput("A list is needed.", where=where or "")
        self._check_count(len(value), where)
        self.entry.extend(getattr(message, name), value, where)

    def _check_count(self, count: int, where: Where) -> None:
        if count > self.most:
            raise TooLarge(f"{count} entries, at most {self.most} are taken.", where=where or "")


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
        try:
            return self.take(message, None)
        except ViciniaError:  # most messages have nothing wrong in them, so places are made up only for those that have
            return self.take(message, where or self.name)

    def write(self, value: T) -> M:
        """The message of a dataclass, under the same limits."""
        message = self.message()
        self.fill(message, value)
        return message

    def fill(self, message: M, value: T) -> None:
        """As `write`, into an empty message."""
        try:
            self.put(message, value, None)
        except ViciniaError:
            self.put(message, value, self.name)

    def take(self, message: M, where: Where) -> T:
        """As `read`, for a message within another."""
        refuse_unknown(message, where)
        values: dict[str, Any] = {}
        for name, field in self.fields.items():
            place = _within(where, name)
            if field.may_be_absent and not message.HasField(name):
                values[name] = field.absent(place)
            else:
                values[name] = field.read(getattr(message, name), place)
        return self.value(**values)

    def put(self, message: M, value: T, where: Where) -> None:
        """As `fill`, for a message within another."""
        for name, field in self.fields.items():
            field.write(message, name, getattr(value, name), _within(where, name))

    def encode(self, value: T) -> bytes:
        """Bytes for a journal; the same value gives the same bytes."""
        return self.write(value).SerializeToString(deterministic=True)

    def decode(self, data: bytes) -> T:
        """The way back from untrusted bytes."""
        return self.read(parse(self.message, data))


@dataclass(frozen=True, slots=True)
class Nested(Field):
    """A message within a message; it must be there."""

    may_be_absent: ClassVar[bool] = True

    shape: Shape[Any, Any]

    def read(self, value: Any, where: Where) -> Any:
        return self.shape.take(value, where)

    def write(self, message: Message, name: str, value: Any, where: Where) -> None:
        self._require(value, where)
        part = getattr(message, name)
        part.SetInParent()
        self.shape.put(part, value, where)

    def extend(self, entries: Any, values: Sequence[Any], where: Where) -> None:
        for place, value in enumerate(values):
            at = None if where is None else f"{where}[{place}]"
            self._require(value, at)
            self.shape.put(entries.add(), value, at)

    def _require(self, value: Any, where: Where) -> None:
        if not isinstance(value, self.shape.value):
            raise InvalidInput(f"A {self.shape.name} is needed.", where=where or "")


def parse(message: type[M], data: bytes, most: int = MAX_MESSAGE_BYTES) -> M:
    """The message of bytes; InvalidInput when they are no such message, TooLarge above `most`."""
    name = message.DESCRIPTOR.name
    if len(data) > most:
        raise TooLarge(f"{len(data)} bytes, at most {most} are taken.", where=name)
    try:
        return message.FromString(data)
    except DecodeError as error:
        raise InvalidInput("These bytes are not such a message.", where=name) from error


def refuse_unknown(message: Message, where: Where) -> None:
    """InvalidInput when the message carries fields that this version does not know; looks at one level."""
    if len(UnknownFieldSet(message)):
        raise InvalidInput("The message has unknown fields.", where=where or "", hint="Is this program up to date?")


def _within(where: Where, name: str) -> Where:
    return None if where is None else f"{where}.{name}"
