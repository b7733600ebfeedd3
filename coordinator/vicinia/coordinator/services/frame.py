"""Frames between the coordinator and its Flower process: a JSON header and raw arrays, under explicit limits.

A frame is 4 + 8 bytes of lengths (little-endian), the header, then every array as little-endian float64 in C order.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from vicinia.errors import InvalidInput, ProtocolViolation, TooLarge

__all__ = ["MAX_PARAMETERS", "Arrays", "Frame", "Shapes", "check_finite", "read_frame", "shapes_of", "write"]

Arrays = Mapping[str, NDArray[np.float64]]
"""A model: arrays by name, in an order that counts."""

Shapes = dict[str, tuple[int, ...]]

MAX_HEADER = 256 * 1024
MAX_ARRAYS = 256
MAX_RANK = 4
MAX_PARAMETERS = 10**7
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,63}")
_LENGTHS = struct.Struct("<IQ")
_FLOAT = np.dtype("<f8")


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What kind of message it is, its facts as JSON, and its arrays."""

    kind: str
    facts: Mapping[str, Any]
    arrays: Arrays = field(default_factory=dict)


def shapes_of(arrays: Arrays) -> Shapes:
    """Name -> shape, in order; InvalidInput where the arrays cannot go into a frame."""
    for name, array in arrays.items():
        if array.dtype != _FLOAT:
            raise InvalidInput(f"These numbers are {array.dtype}, not float64.", where=name)
    shapes = {name: array.shape for name, array in arrays.items()}
    _check_shapes(shapes)
    return shapes


def check_finite(arrays: Arrays, what: str) -> None:
    """InvalidInput when a number is NaN or infinite."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise InvalidInput(f"{what} has numbers that are not finite.", where=name)


def write(frame: Frame, sink: Callable[[memoryview], None]) -> None:
    """Hand the frame to `sink` piece by piece, arrays without a copy."""
    shapes = shapes_of(frame.arrays)
    fields = {"kind": frame.kind, "facts": frame.facts, "arrays": [[name, *shape] for name, shape in shapes.items()]}
    header = json.dumps(fields, allow_nan=False, separators=(",", ":")).encode()
    if len(header) > MAX_HEADER:
        raise TooLarge(f"The header is larger than {MAX_HEADER} bytes.", where=frame.kind)
    sink(memoryview(_LENGTHS.pack(len(header), _FLOAT.itemsize * sum(map(prod, shapes.values()))) + header))
    for array in frame.arrays.values():
        sink(_bytes_of(np.ascontiguousarray(array, dtype=_FLOAT)))


def read_frame(source: Callable[[memoryview], None]) -> Frame:
    """The next frame; `source` fills what it is given. ProtocolViolation for anything that `write` would not write."""
    start = bytearray(_LENGTHS.size)
    source(memoryview(start))
    header_bytes, body_bytes = _LENGTHS.unpack(start)
    if header_bytes > MAX_HEADER or body_bytes > MAX_PARAMETERS * _FLOAT.itemsize:
        raise ProtocolViolation("A frame is larger than the limit.", where="frame")
    header = bytearray(header_bytes)
    source(memoryview(header))
    kind, facts, shapes = _header(bytes(header))
    if body_bytes != _FLOAT.itemsize * sum(map(prod, shapes.values())):
        raise ProtocolViolation("A frame's length does not fit its arrays.", where="frame")
    return Frame(kind, facts, dict(_filled(shapes, source)))


def _filled(shapes: Shapes, source: Callable[[memoryview], None]) -> Iterator[tuple[str, NDArray[np.float64]]]:
    for name, shape in shapes.items():
        array = np.empty(shape, dtype=_FLOAT)
        source(_bytes_of(array))
        yield name, array


def _bytes_of(array: NDArray[np.float64]) -> memoryview:
    """The memory of a contiguous array; its last axis is never empty."""
    return array.reshape(-1).view(np.uint8).data


def _header(raw: bytes) -> tuple[str, dict[str, Any], Shapes]:
    try:
        fields = json.loads(raw)
        kind, facts, arrays = fields["kind"], fields["facts"], fields["arrays"]
        shapes: Shapes = {item[0]: tuple(item[1:]) for item in arrays}
        well_formed = isinstance(kind, str) and isinstance(facts, dict) and len(shapes) == len(arrays)
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ProtocolViolation("A frame's header cannot be read.", where="frame") from error
    if not well_formed:
        raise ProtocolViolation("A frame's header is malformed.", where="frame")
    try:
        _check_shapes(shapes)
    except InvalidInput as error:
        raise ProtocolViolation(error.what, where=error.where) from error
    return kind, facts, shapes


def _check_shapes(shapes: Mapping[Any, tuple[Any, ...]]) -> None:
    """Names, ranks, sizes and counts within the limits."""
    if len(shapes) > MAX_ARRAYS:
        raise TooLarge(f"A model has at most {MAX_ARRAYS} arrays.", where="arrays")
    for name, shape in shapes.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InvalidInput("An array is named with letters, digits, '_', '.', '/' and '-'.", where=f"{name!r:.80}")
        if len(shape) > MAX_RANK or not all(type(size) is int and size >= 1 for size in shape):
            raise InvalidInput(f"An array has at most {MAX_RANK} axes, none of them empty.", where=name)
    if sum(map(prod, shapes.values())) > MAX_PARAMETERS:
        raise TooLarge(f"A model has at most {MAX_PARAMETERS} parameters.", where="arrays")
