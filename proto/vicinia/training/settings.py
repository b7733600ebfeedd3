"""A recipe's parameters by name: out of a plan, where all are there, and out of a file, which may leave some out."""

from __future__ import annotations

from collections.abc import Mapping

from vicinia.errors import InvalidInput, nearest
from vicinia.training.parameter import Parameter

__all__ = ["Settings", "from_file", "from_payload"]

Settings = Mapping[str, Parameter]
"""What a recipe declares."""


def from_payload(declared: Settings, payload: object, where: str) -> dict[str, int]:
    """The plan's own form: every parameter is there, none that is unknown, each a whole number within its bounds."""
    if not isinstance(payload, Mapping) or payload.keys() != declared.keys():
        odd = sorted(set(map(str, payload)) ^ declared.keys()) if isinstance(payload, Mapping) else []
        raise InvalidInput(f"Missing or unknown parameters: {', '.join(odd)[:200]}.", where=where)
    return {name: declared[name].check(payload[name], f"{where}.{name}") for name in sorted(declared)}


def from_file(declared: Settings, table: Mapping[str, object], where: str) -> dict[str, int]:
    """What a person wrote (whole numbers and Decimals), with the defaults filled in."""
    for name in table:
        if name not in declared:
            known = ", ".join(sorted(declared)) or "none"
            hint = nearest(name, declared, f"Known parameters: {known}.")
            raise InvalidInput(f"The parameter {name!r} is unknown.", where=where, hint=hint)
    return {name: _read(name, declared[name], table.get(name), where) for name in sorted(declared)}


def _read(name: str, parameter: Parameter, value: object, where: str) -> int:
    if value is not None:
        return parameter.read(value, f"{where}.{name}")
    if parameter.default is None:
        raise InvalidInput(f"The parameter {name!r} is missing.", where=where)
    return parameter.default
