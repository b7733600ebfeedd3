"""Canonical JSON, the only form in which anything is signed or logged (RFC 8785).

Narrower than the RFC on purpose: numbers are integers of at most 53 bits (no float has two spellings that
anybody could confuse), the outermost value that is read is an object, and nesting is bounded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

import rfc8785
from vicinia.errors import InvalidInput, TooLarge

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_INTEGER", "canonical", "parse_canonical"]

MAX_BYTES: Final = 65_535
MAX_DEPTH: Final = 32
MAX_INTEGER: Final = 2**53 - 1


def canonical(value: object) -> bytes:
    """The one byte string of a value of None, bool, int, str, list and dict with str keys.

    InvalidInput for a float, a tuple, any other type, an integer beyond 53 bits or text that is not Unicode;
    TooLarge below 32 levels of nesting.
    """
    if _check(value, MAX_DEPTH):  # the same bytes, several times as fast
        return _ENCODER.encode(value).encode()
    return rfc8785.dumps(value)  # type: ignore[arg-type]  # _check has just narrowed it, recursively


def parse_canonical(data: bytes, *, where: str, limit: int = MAX_BYTES) -> dict[str, Any]:
    """Read an object from bytes that are exactly its canonical form, at most `limit` of them.

    InvalidInput (TooLarge for size and depth), naming `where`, for anything else: duplicate keys, floats, other
    spellings of the same value, values that are no object.
    """
    if len(data) > limit:
        raise TooLarge(f"{len(data)} bytes are more than the {limit} allowed.", where=where)
    try:
        value = _DECODER.decode(data.decode())
        again = canonical(value)
    except InvalidInput as error:
        raise type(error)(error.what, where=where) from error
    except RecursionError:
        raise TooLarge(_TOO_DEEP, where=where) from None
    except ValueError:
        raise InvalidInput("This is not JSON in UTF-8.", where=where) from None
    if again != data:
        raise InvalidInput("The JSON is not in its canonical form.", where=where, hint="See RFC 8785.")
    if not isinstance(value, dict):
        raise InvalidInput("The outermost JSON value is not an object.", where=where)
    return value


_TOO_DEEP: Final = f"The value is nested more than {MAX_DEPTH} levels deep."


def _check(value: object, levels: int) -> bool:
    """Refuse what has no canonical form; exact types only, since a subclass may serialise in its own way.

    Returns whether all keys are ASCII: then the RFC's order of keys, by UTF-16, is Python's, and so is everything else
    of these types in the standard library's encoder, which is written in C.
    """
    if value is None or type(value) is bool:
        return True
    if type(value) is str:
        _check_text(value)
    elif type(value) is int:
        if abs(value) > MAX_INTEGER:
            raise InvalidInput("An integer needs more than 53 bits.", where="JSON")
    elif type(value) is list:
        return _check_items(value, levels)
    elif type(value) is dict:
        return _check_keys(value) & _check_items(value.values(), levels)  # no `and`: both must be checked
    else:
        kind = type(value).__name__
        raise InvalidInput(f"A {kind} has no canonical form.", where="JSON", hint="Use integers, text, lists, dicts.")
    return True


def _check_keys(keys: Iterable[object]) -> bool:
    ascii_only = True
    for key in keys:
        if type(key) is not str:
            raise InvalidInput("A key of an object is not text.", where="JSON")
        if not key.isascii():
            _check_text(key)
            ascii_only = False
    return ascii_only


def _check_items(items: Iterable[object], levels: int) -> bool:
    if levels == 0:
        raise TooLarge(_TOO_DEEP, where="JSON")
    ascii_only = True
    for item in items:
        ascii_only &= _check(item, levels - 1)
    return ascii_only


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput("A text has half of a surrogate pair.", where="JSON") from None


def _refuse_float(text: str) -> None:
    raise InvalidInput(f"The number {text[:40]} is not an integer.", where="JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidInput("A key stands twice in one object.", where="JSON")
    return found


def _integer(text: str) -> int:
    if len(text) > 17:
        raise InvalidInput("An integer needs more than 53 bits.", where="JSON")
    return int(text)


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"), sort_keys=True)
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_refuse_float, parse_constant=_refuse_float, parse_int=_integer
)
