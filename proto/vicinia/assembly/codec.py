"""How one field of a payload is written in canonical JSON, and what is refused when it is read.

A codec is an annotation: `key: Annotated[VerifyingKey, KEY]`. `vicinia.assembly.payload` does the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from vicinia.errors import InvalidInput, TooLarge, ViciniaError
from vicinia.identity import VerifyingKey
from vicinia.tlog.characters import is_plain

MAX_INTEGER = 2**53 - 1  # what every reader of JSON agrees on (RFC 8785, RFC 7493)
MAX_ITEMS = 10_000


class Codec(Protocol):
    """`decode` turns a JSON value into a Python one or raises InvalidInput; `encode` is its inverse."""

    def decode(self, value: Any, where: str) -> Any: ...

    def encode(self, value: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Text:
    """A string of at most `limit` characters; without line breaks and control characters unless `prose`."""

    limit: int
    pattern: str = ""
    expected: str = ""
    prose: bool = False
    empty: bool = False

    def decode(self, value: Any, where: str) -> str:
        if not isinstance(value, str):
            raise InvalidInput("This must be text.", where=where)
        if len(value) > self.limit:
            raise TooLarge(f"This text has {len(value)} characters; {self.limit} are allowed.", where=where)
        if not value.strip() and not self.empty:
            raise InvalidInput("This text is empty.", where=where)
        if not is_plain(value, breaks=self.prose):
            raise InvalidInput("This text has control characters.", where=where)
        if self.pattern and not re.fullmatch(self.pattern, value):
            raise InvalidInput(f"{value!r} is not {self.expected}.", where=where)
        return value

    def encode(self, value: str) -> str:
        return value


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a closed list of words."""

    options: tuple[str, ...]

    def decode(self, value: Any, where: str) -> str:
        if not isinstance(value, str) or value not in self.options:
            raise InvalidInput(f"{value!r} is not one of {', '.join(self.options)}.", where=where)
        return value

    def encode(self, value: str) -> str:
        return value


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number, `low` <= x <= `high`; True and False are not numbers."""

    low: int = 0
    high: int = MAX_INTEGER

    def decode(self, value: Any, where: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise InvalidInput("This must be a whole number.", where=where)
        if not self.low <= value <= self.high:
            raise InvalidInput(f"{value} is outside {self.low}..{self.high}.", where=where)
        return value

    def encode(self, value: int) -> int:
        return value


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    def decode(self, value: Any, where: str) -> bool:
        if not isinstance(value, bool):
            raise InvalidInput("This must be true or false.", where=where)
        return value

    def encode(self, value: bool) -> bool:
        return value


@dataclass(frozen=True, slots=True)
class Hexadecimal:
    """`size` bytes as lower-case hexadecimal digits."""

    size: int

    def decode(self, value: Any, where: str) -> bytes:
        if not isinstance(value, str) or not re.fullmatch(f"[0-9a-f]{{{2 * self.size}}}", value):
            raise InvalidInput(f"This must be {self.size} bytes as lower-case hexadecimal digits.", where=where)
        return bytes.fromhex(value)

    def encode(self, value: bytes) -> str:
        return value.hex()


@dataclass(frozen=True, slots=True)
class Key:
    """An Ed25519 public key, 32 bytes as hexadecimal digits; low-order points are refused."""

    def decode(self, value: Any, where: str) -> VerifyingKey:
        raw = Hexadecimal(32).decode(value, where)
        try:
            return VerifyingKey.from_bytes(raw)
        except ViciniaError as error:
            raise InvalidInput(error.what, where=where, hint=error.hint) from error

    def encode(self, value: VerifyingKey) -> str:
        return value.raw.hex()


@dataclass(frozen=True, slots=True)
class Ratio:
    """A fraction as a pair [numerator, denominator] in lowest terms, `low` <= x <= `high`."""

    low: Fraction
    high: Fraction

    def decode(self, value: Any, where: str) -> Fraction:
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            raise InvalidInput("This must be a fraction.", where=where, hint='Write it as a text such as "1/5".')
        pair = Items(Integer(0, 10**9), low=2, high=2).decode(value, where)
        if pair[1] == 0:
            raise InvalidInput("The denominator is zero.", where=where)
        ratio = Fraction(pair[0], pair[1])
        if (ratio.numerator, ratio.denominator) != tuple(pair):
            raise InvalidInput("The fraction is not in lowest terms.", where=where)
        if not self.low <= ratio <= self.high:
            raise InvalidInput(f"{ratio} is outside {self.low}..{self.high}.", where=where)
        return ratio

    def encode(self, value: Fraction) -> list[int]:
        return [value.numerator, value.denominator]


@dataclass(frozen=True, slots=True)
class Items:
    """A list of `low`..`high` items, each of its own codec; with `distinct`, none twice."""

    item: Codec
    low: int = 0
    high: int = MAX_ITEMS
    distinct: bool = False

    def decode(self, value: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            raise InvalidInput("This must be a list.", where=where)
        if not self.low <= len(value) <= self.high:
            raise InvalidInput(f"This list has {len(value)} items; {self.low}..{self.high} are allowed.", where=where)
        items = tuple(self.item.decode(item, f"{where}[{at}]") for at, item in enumerate(value))
        if self.distinct and len(set(items)) != len(items):
            raise InvalidInput("This list names something twice.", where=where)
        return items

    def encode(self, value: Sequence[Any]) -> list[Any]:
        return [self.item.encode(item) for item in value]


@dataclass(frozen=True, slots=True)
class Maybe:
    """The other codec's value, or null."""

    item: Codec

    def decode(self, value: Any, where: str) -> Any:
        return None if value is None else self.item.decode(value, where)

    def encode(self, value: Any) -> Any:
        return None if value is None else self.item.encode(value)


@dataclass(frozen=True, slots=True)
class Table:
    """A JSON object that another package defines; here it only has to be one, with text for keys."""

    def decode(self, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
            raise InvalidInput("This must be an object.", where=where)
        return value

    def encode(self, value: dict[str, Any]) -> dict[str, Any]:
        return value


@dataclass(frozen=True, slots=True)
class Nested:
    """A payload inside a payload."""

    parse: Callable[[Any, str], Any]

    def decode(self, value: Any, where: str) -> Any:
        return self.parse(value, where)

    def encode(self, value: Any) -> Any:
        return value.payload()
