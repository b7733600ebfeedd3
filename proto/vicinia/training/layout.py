"""Where each number of a home's training vector stands, and the largest norm that the vector can have.

The vector is a row of *blocks*. Each block has an L2 norm of at most 1, whatever a home holds; the whole has a norm
of at most the root of `norm_squared`, which can be less than the number of blocks where blocks exclude each other (a
home trains or evaluates, never both) or are weighted down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from vicinia.errors import InvalidInput

__all__ = ["Block", "VectorLayout"]


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive slots with a norm of at most 1. `label` is what the household reads of them: `update of weights`.

    `parts`: finer labels with their lengths, where the block has layers of its own.
    """

    label: str
    length: int
    parts: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        if self.parts and sum(length for _, length in self.parts) != self.length:
            raise InvalidInput(f"The parts of the block {self.label!r} are not as long as it.", where="training layout")
        if self.length < 1:
            raise InvalidInput(f"The block {self.label!r} has no slots.", where="training layout")


@dataclass(frozen=True)
class VectorLayout:
    """The blocks in their order, and the largest squared norm of a home's whole vector (at least 1)."""

    blocks: tuple[Block, ...]
    norm_squared: Fraction

    def __post_init__(self) -> None:
        if not self.blocks or len({block.label for block in self.blocks}) != len(self.blocks):
            raise InvalidInput("A vector has blocks, each with a label of its own.", where="training layout")
        if not 1 <= self.norm_squared <= len(self.blocks):
            raise InvalidInput(f"The squared norm {self.norm_squared} cannot be.", where="training layout")

    @cached_property
    def length(self) -> int:
        """Slots of the vector."""
        return sum(block.length for block in self.blocks)

    @cached_property
    def group_lengths(self) -> Sequence[int]:
        """The lengths of the blocks: each is rounded by itself."""
        return [block.length for block in self.blocks]

    @cached_property
    def _places(self) -> dict[str, slice]:
        places, start = {}, 0
        for block in self.blocks:
            places[block.label] = slice(start, start + block.length)
            start += block.length
        return places

    def place(self, label: str) -> slice:
        """Where the block with that label stands in the vector."""
        return self._places[label]

    @property
    def legend(self) -> dict[str, object]:
        """The same form as a query's (`vicinia.query.legend`): what each slot is, in words."""
        labelled = [part for block in self.blocks for part in block.parts or ((block.label, block.length),)]
        groups = [{"label": label, "width": width} for label, width in labelled]
        return {"v": 1, "keys": [], "groups": groups}
