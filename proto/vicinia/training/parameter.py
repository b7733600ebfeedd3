"""A number in a training plan: decimal where people write it, a whole number of units in every statement."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from vicinia.errors import InvalidInput

__all__ = ["NANO", "Parameter", "decimal_text", "real", "whole"]

NANO = 10**9
_DECIMALS = 9
_MAX_DIGITS = 18  # before the decimal point; more cannot be within anybody's bounds
_LARGE = 10 ** (_MAX_DIGITS + _DECIMALS)


@dataclass(frozen=True, slots=True)
class Parameter:
    """Bounds and default in units of 10^-9, or of 1 where only `whole` numbers can be: `low` <= x <= `high`; a
    parameter without a default must be written. `of_model`: what a model's numbers mean depends on it, and not only how
    many there are."""

    low: int
    high: int
    default: int | None = None
    hint: str = ""
    whole: bool = False
    of_model: bool = False

    def check(self, value: Any, where: str) -> int:
        """A whole number of units as a statement holds it; InvalidInput outside the bounds."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidInput(f"This must be a whole number{'' if self.whole else ' of 10^-9'}.", where=where)
        if not self.low <= value <= self.high:
            raise self._outside(self._told(value) if abs(value) < _LARGE else "A number this large", where)
        return value

    def read(self, value: Any, where: str) -> int:
        """A number as TOML holds it (int or Decimal); more than nine decimals are refused, never rounded."""
        if self.whole:
            return self.check(value, where)
        if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
            raise InvalidInput("This must be a number.", where=where, hint=self.hint)
        number = Decimal(value)
        if number and number.adjusted() >= _MAX_DIGITS:
            raise self._outside("A number this large", where)
        exponent = number.as_tuple().exponent
        if not isinstance(exponent, int) or exponent < -_DECIMALS:
            raise InvalidInput(f"{number:.6g} has more than nine decimals.", where=where)
        return self.check(int(Fraction(number) * NANO), where)

    def text(self, value: int) -> str:
        """A value as people write it in a file."""
        return str(value) if self.whole else decimal_text(value)

    def _told(self, value: int) -> str:
        return f"{value:,}" if self.whole else decimal_text(value)

    def _outside(self, value: str, where: str) -> InvalidInput:
        bounds = f"{self._told(self.low)}..{self._told(self.high)}"
        return InvalidInput(f"{value} is outside {bounds}.", where=where, hint=self.hint)


def real(low: str, high: str, default: str) -> Parameter:
    """A real parameter, its bounds written as decimals."""
    least, most, usual = (int(Decimal(number) * NANO) for number in (low, high, default))
    return Parameter(least, most, usual)


def whole(low: int, high: int, default: int, *, of_model: bool = False) -> Parameter:
    """A parameter that counts something, or chooses among few."""
    return Parameter(low, high, default, whole=True, of_model=of_model)


def decimal_text(nano: int) -> str:
    """10^-9 units as people write them: 100000000 is 0.1."""
    whole, part = divmod(abs(nano), NANO)
    text = f"{whole}.{part:09}".rstrip("0").rstrip(".")
    return f"-{text}" if nano < 0 else text
