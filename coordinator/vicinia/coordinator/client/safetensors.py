"""Reading the arrays of a safetensors file as any program writes it; our own spelling of a model is stricter.

https://github.com/huggingface/safetensors, "Format": eight bytes with the length of the header, the header in JSON,
perhaps padded with spaces, the numbers little-endian.
"""

from __future__ import annotations

import json
import struct
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from vicinia.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read_arrays"]

_MOST_HEADER = 1024 * 1024
_TYPES = {"F32": "<f4", "F64": "<f8"}


def read_arrays(data: bytes, where: str) -> dict[str, NDArray[np.floating]]:
    """The arrays by name; InvalidInput for bytes that are none, or numbers of another type than F32 and F64."""
    length = struct.unpack_from("<Q", data)[0] if len(data) >= 8 else _MOST_HEADER + 1
    try:
        header = json.loads(data[8 : 8 + length]) if length <= min(_MOST_HEADER, len(data) - 8) else None
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise InvalidInput("This is no safetensors file.", where=where)
    numbers = memoryview(data)[8 + length :]
    header.pop("__metadata__", None)
    return {name: _array(name, entry, numbers, where) for name, entry in header.items()}


def _array(name: str, entry: Any, numbers: memoryview, where: str) -> NDArray[np.floating]:
    place = f"{where}, array {name[:60]!r}"
    try:
        kind, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        whole = all(type(number) is int and number >= 0 for number in (start, end, *shape))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput("What the header says of this array cannot be read.", where=place) from error
    type_ = _TYPES.get(str(kind))
    if type_ is None:
        raise InvalidInput(f"Numbers of the type {kind!s:.20} cannot travel; use F32 or F64.", where=place)
    if not whole or end > len(numbers) or end - start != prod(shape) * int(type_[-1]):
        raise InvalidInput("The numbers of this array are not where the header says.", where=place)
    return np.frombuffer(numbers[start:end], type_).reshape(shape)
