"""The parameters of a recipe: declared once with their bounds, whole numbers in the plan, decimals in a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from vicinia.errors import InvalidInput, nearest
from vicinia.training.parameter import NANO, Parameter

__all__ = ["NANO", "Setting", "from_file", "from_payload", "real"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One parameter. `scale` is 1 for whole numbers and NANO for real ones, of which the plan holds 10^-9 units;
    `low`, `high` and `default` are in the plan's units; without a default it must be given. `of_model`: what a model's
    numbers mean depends on it, and not only how many there are."""

    name: str
    low: int
    high: int
    default: int | None = None
    scale: int = 1
    of_model: bool = False


def real(name: str, low: str, high: str, default: str | None = None) -> Setting:
    """A real parameter, its bounds written as decimals."""
    usual = None if default is None else int(Decimal(default) * NANO)
    return Setting(name, int(Decimal(low) * NANO), int(Decimal(high) * NANO), usual, NANO)


def from_payload(settings: Iterable[Setting], payload: object, where: str) -> dict[str, int]:
    """The plan's own form: every parameter is there, none that is unknown, each a whole number within its bounds."""
    declared = {setting.name: setting for setting in settings}
    if not isinstance(payload, Mapping) or payload.keys() != declared.keys():
        odd = sorted(set(map(str, payload)) ^ declared.keys()) if isinstance(payload, Mapping) else []
        raise InvalidInput(f"Missing or unknown parameters: {', '.join(odd)[:200]}.", where=where)
    return {name: _within(declared[name], payload[name], where) for name in sorted(declared)}


def from_file(settings: Iterable[Setting], table: Mapping[str, object], where: str) -> dict[str, int]:
    """What a person wrote (whole numbers and Decimals), with the defaults filled in."""
    declared = {setting.name: setting for setting in settings}
    for name in table:
        if name not in declared:
            known = ", ".join(sorted(declared)) or "none"
            hint = nearest(name, declared, f"Known parameters: {known}.")
            raise InvalidInput(f"The parameter {name!r} is unknown.", where=where, hint=hint)
    return {name: _read(declared[name], table.get(name), where) for name in sorted(declared)}


def _read(setting: Setting, value: object, where: str) -> int:
    place = f"{where}.{setting.name}"
    if value is None:
        if setting.default is None:
            raise InvalidInput(f"The parameter {setting.name!r} is missing.", where=where)
        return setting.default
    if setting.scale == NANO:
        return Parameter(setting.low, setting.high).read(value, place)
    return _within(setting, value, where)


def _within(setting: Setting, value: object, where: str) -> int:
    place = f"{where}.{setting.name}"
    if setting.scale == NANO:
        return Parameter(setting.low, setting.high).check(value, place)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidInput("This must be a whole number.", where=place)
    if not setting.low <= value <= setting.high:
        raise InvalidInput(f"{value:,} is outside {setting.low:,}..{setting.high:,}.", where=place)
    return value
