"""Frozen payloads: declared once, read strictly, written canonically.

A payload is a frozen dataclass whose fields are annotated with codecs. `from_payload` refuses unknown fields,
missing fields and bad values by name; `payload` is its exact inverse.
"""

from __future__ import annotations

from typing import Annotated, Any, Self, get_type_hints

from vicinia.assembly.codec import Codec, Hexadecimal, Integer, Key, Text
from vicinia.errors import InvalidInput
from vicinia.identity import VerifyingKey

__all__ = ["Digest", "Household", "Identity", "Millis", "Payload", "Slug", "decode_field"]

Slug = Annotated[str, Text(40, "[a-z0-9-]{3,40}", "a short name of a-z, 0-9 and hyphens, 3 to 40 long")]
Household = Annotated[str, Text(32, "[0-9a-f]{32}", "the 32 hexadecimal digits of a household or a researcher")]
Identity = Annotated[VerifyingKey, Key()]
Digest = Annotated[bytes, Hexadecimal(32)]
Millis = Annotated[int, Integer()]


_CODECS: dict[type[Any], dict[str, tuple[str, Codec]]] = {}


def _codecs(kind: type[Any]) -> dict[str, tuple[str, Codec]]:
    """Field name -> (name in JSON, codec); a trailing underscore keeps a Python keyword apart and is not written."""
    if kind not in _CODECS:  # reading the annotations is slow, so once a class
        hints = get_type_hints(kind, include_extras=True)
        _CODECS[kind] = {
            name: (name.rstrip("_"), hint.__metadata__[0]) for name, hint in hints.items() if name != "KIND"
        }
    return _CODECS[kind]


class Payload:
    """Base of every payload; subclasses are dataclasses (frozen, slots)."""

    __slots__ = ()

    @classmethod
    def from_payload(cls, value: Any, where: str = "") -> Self:
        """Parse a JSON object; InvalidInput names the field that is unknown, missing or wrong."""
        where = where or str(getattr(cls, "KIND", cls.__name__.lower()))
        if not isinstance(value, dict):
            raise InvalidInput("This must be an object.", where=where)
        codecs = _codecs(cls)
        known = {json for json, _ in codecs.values()}
        for name in value:
            if name not in known:
                raise InvalidInput(f"The field {name!r} is unknown.", where=where)
        for name in known:
            if name not in value:
                raise InvalidInput(f"The field {name!r} is missing.", where=where)
        return cls(**{name: codec.decode(value[json], f"{where}.{json}") for name, (json, codec) in codecs.items()})

    def payload(self) -> dict[str, Any]:
        """The JSON object: integers, text, true, false, null, lists and objects only."""
        return {json: codec.encode(getattr(self, name)) for name, (json, codec) in _codecs(type(self)).items()}


def decode_field(kind: type[Payload], name: str, value: Any, where: str = "") -> Any:
    """One value under the limits of one field of a payload, where a person's file names the same thing."""
    json, codec = _codecs(kind)[name]
    return codec.decode(value, where or json)
