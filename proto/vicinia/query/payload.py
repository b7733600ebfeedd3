"""The fields of a definition that came over the wire or out of the log, read strictly: text, lists, flags, decimals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation

from vicinia.errors import InvalidInput

__all__ = ["MAX_ENUM_VALUES", "MAX_TEXT", "decimal_of", "fields_of", "flag_of", "list_of", "text_of", "values_of"]

MAX_ENUM_VALUES = 1000
MAX_TEXT = 1000


def fields_of(payload: object, what: str, needed: Iterable[str], known: Iterable[str]) -> Mapping[str, object]:
    if not isinstance(payload, dict):
        raise InvalidInput(f"The definition of a {what} must be an object.", where=what)
    missing, unknown = set(needed) - payload.keys(), payload.keys() - set(known)
    if missing or unknown:
        names = ", ".join(sorted(str(name)[:60] for name in (missing or unknown)))
        raise InvalidInput(f"{'Missing' if missing else 'Unknown'} field: {names}.", where=what)
    return payload


def text_of(value: object, where: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise InvalidInput(f"A string of at most {MAX_TEXT} characters is expected.", where=where)
    return value


def list_of(value: object, where: str) -> list[object]:
    if not isinstance(value, list) or len(value) > MAX_ENUM_VALUES:
        raise InvalidInput(f"A list of at most {MAX_ENUM_VALUES} elements is expected.", where=where)
    return value


def values_of(value: object, where: str) -> tuple[int, ...] | tuple[str, ...]:
    items = list_of(value, where)
    if all(isinstance(item, str) for item in items):
        return tuple(str(item) for item in items)
    whole = tuple(item for item in items if isinstance(item, int) and not isinstance(item, bool))
    if len(whole) != len(items):
        raise InvalidInput("The values must be all whole numbers or all strings.", where=where)
    return whole


def flag_of(value: object, where: str) -> bool:
    if type(value) is not int or value not in (0, 1):
        raise InvalidInput("A flag must be 1 or be left out.", where=where)
    return bool(value)


def decimal_of(value: object, where: str) -> Decimal | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > 32:
        raise InvalidInput("A number must be written as a decimal string.", where=where)
    try:
        return Decimal(value)
    except InvalidOperation:
        raise InvalidInput(f"{value!r} is no decimal number.", where=where) from None
