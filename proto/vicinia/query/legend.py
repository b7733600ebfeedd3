"""The labels of a vector's slots, one after the other, from the legend that a home keeps beside the vector.

Loaded by the home's commands: neither numpy nor sqlglot here.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from vicinia.errors import StorageFault

__all__ = ["slot_labels"]


def slot_labels(legend: object) -> Iterator[str]:
    """The labels of all slots in the order of the vector, from `Layout.legend`; StorageFault if it is none.

    Lazy: a vector can have a million slots.
    """
    try:
        keys, groups = _read(legend)
    except (KeyError, TypeError, ValueError):
        raise StorageFault("The legend of a vector cannot be read.", where="left") from None
    slots = [f"{label}, bin {place} of {width}" if width > 1 else label
             for label, width in groups for place in range(1, width + 1)]  # fmt: skip
    names = [name for name, _values in keys]
    for cell in product(*(values for _name, values in keys)):
        pairs = ", ".join(f"{name} = {value}" for name, value in zip(names, cell, strict=True))
        for slot in slots:
            yield f"{slot} [{pairs}]" if pairs else slot


def _read(legend: Any) -> tuple[list[tuple[str, list[str]]], list[tuple[str, int]]]:
    if legend["v"] != 1:
        raise ValueError
    keys = [(str(key["name"]), [str(value) for value in key["values"]]) for key in legend["keys"]]
    return keys, [(str(group["label"]), int(group["width"])) for group in legend["groups"]]
