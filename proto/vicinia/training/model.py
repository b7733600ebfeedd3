"""A model: named arrays, one spelling of them in bytes, and the hash by which the log and the manifests name it.

The bytes are a safetensors file (https://github.com/huggingface/safetensors, "Format"): eight bytes with the length
of the header, the header in JSON, the numbers little-endian. Of the many spellings that the format allows, one counts:
names ascending, the header canonical (RFC 8785), no padding, no metadata.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from vicinia.errors import InvalidInput, TooLarge
from vicinia.tlog.canonical import canonical, parse_canonical

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MAX_ARRAYS", "MAX_PARAMETERS", "Model", "megabytes", "too_large"]

MAX_PARAMETERS = 1_000_000
MAX_ARRAYS = 256
MAX_DIMENSIONS = 4
_MAX_HEADER = 64 * 1024
_NAME = re.compile(r"[a-z][a-z0-9_.]{0,59}", re.ASCII)
_TYPES: Mapping[str, str] = {"F32": "<f4", "F64": "<f8"}
_NAMES: Mapping[str, str] = {code: name for name, code in _TYPES.items()}


@dataclass(frozen=True)
class Model:
    """Arrays by name, ascending; float32 or float64, at most MAX_PARAMETERS numbers, all of them finite.

    Raises InvalidInput or TooLarge for anything else: a model that holds NaN never reaches a home.
    """

    arrays: tuple[tuple[str, NDArray[np.floating]], ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.arrays) <= MAX_ARRAYS:
            raise InvalidInput(f"A model has 1 to {MAX_ARRAYS} arrays, not {len(self.arrays)}.", where="model")
        names = [name for name, _ in self.arrays]
        if any(later <= earlier for earlier, later in pairwise(names)):
            raise InvalidInput("The arrays of a model have different names, in ascending order.", where="model")
        for name, array in self.arrays:
            _check(name, array)
        if self.size > MAX_PARAMETERS:
            raise TooLarge(f"The model has {self.size:,} numbers; {MAX_PARAMETERS:,} are allowed.", where="model")
        frozen = tuple((name, _frozen(array)) for name, array in self.arrays)
        object.__setattr__(self, "arrays", frozen)

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.floating]]) -> Model:
        """From a mapping in any order."""
        return cls(tuple(sorted(arrays.items())))

    def __getitem__(self, name: str) -> NDArray[np.floating]:
        for known, array in self.arrays:
            if known == name:
                return array
        raise InvalidInput(f"The model has no array {name!r}.", where="model")

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.arrays)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return sum(array.size for _, array in self.arrays)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the bytes."""
        return hashlib.sha256(self.to_bytes()).digest()

    def flat(self) -> NDArray[np.float64]:
        """All numbers in one row, float64[size], array by array."""
        return np.concatenate([array.reshape(-1).astype(np.float64) for _, array in self.arrays])

    def with_flat(self, numbers: NDArray[np.float64]) -> Model:
        """The same arrays with these numbers: the inverse of `flat`, in each array's own precision."""
        if numbers.shape != (self.size,):
            raise InvalidInput(f"{numbers.shape} numbers for a model of {self.size}.", where="model")
        parts, start = [], 0
        for name, array in self.arrays:
            part = numbers[start : start + array.size].reshape(array.shape).astype(array.dtype)
            parts.append((name, part))
            start += array.size
        return Model(tuple(parts))

    def same_shape(self, other: Model) -> bool:
        """Whether the other has the same arrays, but for their numbers."""
        return [(name, a.shape, a.dtype) for name, a in self.arrays] == [
            (name, a.shape, a.dtype) for name, a in other.arrays
        ]

    def to_bytes(self) -> bytes:
        """The safetensors file."""
        header: dict[str, object] = {}
        start = 0
        for name, array in self.arrays:
            kind = _NAMES[array.dtype.str]
            header[name] = {
                "dtype": kind,
                "shape": list(array.shape),
                "data_offsets": [start, start + array.nbytes],
            }
            start += array.nbytes
        head = canonical(header)
        return b"".join((struct.pack("<Q", len(head)), head, *(array.tobytes() for _, array in self.arrays)))

    @classmethod
    def from_bytes(cls, data: bytes) -> Model:
        """Read what `to_bytes` wrote; every other spelling of a model is refused (InvalidInput, TooLarge)."""
        if len(data) < 8:
            raise InvalidInput("This is no model: it is cut off.", where="model")
        (length,) = struct.unpack_from("<Q", data)
        if length > _MAX_HEADER or len(data) > 8 + _MAX_HEADER + 8 * MAX_PARAMETERS:
            raise TooLarge("The model, or its header, is too large.", where="model")
        header = parse_canonical(data[8 : 8 + length], where="model.header")
        numbers = memoryview(data)[8 + length :]
        model = cls(tuple((name, _read(name, header[name], numbers)) for name in sorted(header)))
        if model.to_bytes() != data:
            raise InvalidInput("The bytes are not the canonical form of this model.", where="model")
        return model


def too_large(numbers: int, sent: int, where: str, hint: str, most: int = MAX_PARAMETERS) -> TooLarge:
    """The refusal of what needs so many numbers, of which each home would send `sent`: it says what that would cost, at
    the four bytes that a number in the ring takes at most."""
    return TooLarge(
        f"A model of this size needs {numbers:,} numbers; {most:,} are allowed. Each home would upload "
        f"{megabytes(sent)} MB in every round.",
        where=where,
        hint=hint,
    )


def megabytes(numbers: int) -> str:
    """What so many numbers in the ring take at most."""
    return f"{4 * numbers / 1e6:,.3g}"


def _check(name: str, array: NDArray[np.floating]) -> None:
    where = f"model.{name}"
    if not _NAME.fullmatch(name):
        raise InvalidInput("An array's name has small letters, digits, dots and underscores.", where=where[:80])
    if array.dtype.newbyteorder("<").str not in _NAMES:
        raise InvalidInput(f"Numbers of the type {array.dtype} cannot travel; use float32 or float64.", where=where)
    if array.ndim > MAX_DIMENSIONS or array.size < 1:
        raise InvalidInput(f"An array of shape {array.shape} cannot be part of a model.", where=where)
    if not np.isfinite(array).all():
        raise InvalidInput(
            "The model holds numbers that are not finite, as after a training that has diverged.",
            where=where,
            hint="Use a smaller learning rate, or more regularisation.",
        )


def _frozen(array: NDArray[np.floating]) -> NDArray[np.floating]:
    """A copy that nobody can change, little-endian and in row order."""
    copied = np.array(array, dtype=array.dtype.newbyteorder("<"), order="C", copy=True)
    copied.flags.writeable = False
    return copied


def _read(name: str, entry: object, numbers: memoryview) -> NDArray[np.floating]:
    where = f"model.{name[:60]}"
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise InvalidInput("The entry of an array is not as it must be.", where=where)
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    whole = all(
        isinstance(part, list) and all(type(number) is int and 0 <= number <= 1 << 40 for number in part)
        for part in (shape, offsets)
    )
    if kind not in _TYPES or not whole or len(offsets) != 2 or len(shape) > MAX_DIMENSIONS:
        raise InvalidInput("The type, shape or place of an array is not as it must be.", where=where)
    start, end = offsets
    if end > len(numbers) or end - start != prod(shape) * int(_TYPES[kind][-1]):
        raise InvalidInput("The numbers of an array are not where its header says.", where=where)
    return np.frombuffer(numbers[start:end], _TYPES[kind]).reshape(shape)
