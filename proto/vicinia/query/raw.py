"""Values as files hold them, before they are cleaned: text, numbers, dates, nothing.

Loaded by the home's daemon: neither numpy nor sqlglot here.
"""

from __future__ import annotations

import math
from datetime import date

__all__ = ["Raw", "Stored", "enum_spellings", "missing", "real", "shown", "whole"]

Raw = str | float | int | date | None
Stored = str | float | int | None

_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})


def missing(value: Raw) -> bool:
    """Whether a file says nothing there: an empty cell, NA, NaN and the like."""
    if isinstance(value, str):
        return value.strip().lower() in _MISSING
    return value is None or (isinstance(value, float) and math.isnan(value))


def real(value: Raw) -> float:
    """A raw value as a finite number; ValueError otherwise."""
    try:
        number = float(value)  # type: ignore[arg-type]  # dates are refused by float() itself
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{shown(value)} is not a number") from None
    if not math.isfinite(number):
        raise ValueError(f"{shown(value)} is not a finite number")
    return number


def whole(value: Raw) -> int:
    """A raw value as a whole number (2.0 and "2" are 2); ValueError otherwise."""
    if isinstance(value, int):
        return int(value)
    number = real(value)
    if number != int(number):
        raise ValueError(f"{shown(value)} is not a whole number")
    return int(number)


def enum_spellings(value: Raw) -> tuple[Stored, ...]:
    """How a raw value may stand in a list: 2.0 and "2" are 2, and 2 is "2"."""
    if isinstance(value, bool):
        return (str(value), str(value).lower(), int(value))
    if isinstance(value, str):
        text = value.strip()
        try:
            return (text, whole(text))
        except ValueError:
            return (text,)
    if isinstance(value, int | float):
        try:
            number = whole(value)
        except ValueError:
            return (str(value),)
        return (number, str(number))
    return (str(value),)


def shown(value: Raw) -> str:
    """The value in quotes, as far as a sentence can hold it."""
    return repr(str(value)[:40])
