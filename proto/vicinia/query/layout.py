"""Where each number of a household's vector stands, and the largest norm that the vector can have.

The vector is cells x slots. A *group* is what one (kind, expression) contributes to a cell: one slot in [-1, 1], or a
one-hot row of bins; either way its L2 norm is at most 1, whatever the home holds. Equal groups are one group, so a
cell's squared norm is at most the number of distinct groups, a household's at most L0 times that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from math import prod

from vicinia.query.expression import Expression, number_text

__all__ = ["MAX_ELEMENTS", "Group", "GroupKind", "Layout"]

MAX_ELEMENTS = 1_000_000
"""The longest vector: cells x slots of a cell."""
MAX_LABEL_PART = 60
"""Characters of an expression or of a key's value in the label of a slot."""


class GroupKind(StrEnum):
    """What a group of slots says of a household in a cell."""

    COUNT = "count"  # min(rows, cap) / cap; cap 1: the household has a row
    PRESENT = "present"  # the household has a value of the expression
    MEAN = "mean"  # u = (local mean, clamped - middle) / half-width
    SQUARE = "square"  # 2u^2 - 1
    TOTAL = "total"  # local sum, clamped, over the larger bound
    BINS = "bins"  # one-hot: the bin of the local mean, clamped


@dataclass(frozen=True, slots=True)
class Group:
    """A group's key: equal groups share their slots. `low`, `high`: the bounds it is clamped to and scaled by."""

    kind: GroupKind
    expression: Expression | None = None
    low: Fraction = Fraction(0)
    high: Fraction = Fraction(1)
    cap: int = 1
    width: int = 1

    @property
    def middle(self) -> Fraction:
        """The middle of the bounds."""
        return (self.low + self.high) / 2

    @property
    def radius(self) -> Fraction:
        """Half the width of the bounds."""
        return (self.high - self.low) / 2

    @property
    def scale(self) -> Fraction:
        """What a TOTAL is divided by: the larger magnitude of its bounds."""
        return max(abs(self.low), abs(self.high))

    def label(self, number: int) -> str:
        """The group in words that fit a table's head; `number`: its place among the groups, from 1."""
        text = short(self.expression.text, number) if self.expression is not None else ""
        bounds = f"{short(number_text(self.low), number)}..{short(number_text(self.high), number)}"
        return {
            GroupKind.COUNT: "has rows" if self.cap == 1 else f"rows, capped at {self.cap}",
            GroupKind.PRESENT: f"has {text}",
            GroupKind.MEAN: f"mean of {text} in {bounds}",
            GroupKind.SQUARE: f"squared mean of {text} in {bounds}",
            GroupKind.TOTAL: f"sum of {text} in {bounds}",
            GroupKind.BINS: f"bin of the mean of {text} in {bounds}",
        }[self.kind]


def short(text: str, number: int) -> str:
    """The text, cut where it is long, then with its number: labels stay apart, and short however long a query is."""
    return text if len(text) <= MAX_LABEL_PART else f"{text[: MAX_LABEL_PART - 10]}… (#{number})"


@dataclass(frozen=True)
class Layout:
    """The vector of a plan. `cells`: key values by cell, in the order of the vector; `l0`: cells a home may touch."""

    key_names: tuple[str, ...]
    domains: tuple[tuple[str | int, ...], ...]
    groups: tuple[Group, ...]
    l0: int

    @cached_property
    def cells(self) -> tuple[tuple[str | int, ...], ...]:
        """The key values of each cell; one empty tuple without keys."""
        cells: list[tuple[str | int, ...]] = [()]
        for domain in self.domains:
            cells = [(*cell, value) for cell in cells for value in domain]
        return tuple(cells)

    @property
    def _cell_count(self) -> int:
        return prod(map(len, self.domains))

    @cached_property
    def cell_width(self) -> int:
        """Slots of one cell."""
        return sum(group.width for group in self.groups)

    @cached_property
    def length(self) -> int:
        """Slots of the vector."""
        return self._cell_count * self.cell_width

    @property
    def norm_squared(self) -> Fraction:
        """The largest squared L2 norm of a household's vector: L0 times the groups of a cell, each at most 1."""
        return Fraction(self.l0 * len(self.groups))

    @property
    def group_lengths(self) -> Sequence[int]:
        """The lengths of the consecutive L2 groups, each of norm at most 1: for rounding each by itself."""
        return [group.width for group in self.groups] * self._cell_count

    @cached_property
    def _offsets(self) -> dict[Group, int]:
        offsets, place = {}, 0
        for group in self.groups:
            offsets[group] = place
            place += group.width
        return offsets

    def offset(self, cell: int, group: Group) -> int:
        """Where the group's first slot of that cell stands in the vector."""
        return cell * self.cell_width + self._offsets[group]

    @property
    def legend(self) -> dict[str, object]:
        """What `legend.slot_labels` needs to say of every slot what it is: its size does not grow with the vector's."""
        return {
            "v": 1,
            "keys": [
                {"name": name, "values": [short(str(value), place) for place, value in enumerate(domain, start=1)]}
                for name, domain in zip(self.key_names, self.domains, strict=True)
            ],
            "groups": [
                {"label": group.label(number), "width": group.width}
                for number, group in enumerate(self.groups, start=1)
            ],
        }
