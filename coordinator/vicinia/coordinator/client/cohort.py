"""How many homes a job needs, and whether this cooperative has them: the secure sum's bounds, in a person's words."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from vicinia.assembly.bylaws import ByLaws
from vicinia.secagg.parameters import corrupt_bound
from vicinia.secagg.sizes import sizes, works

__all__ = ["Cohort"]

LARGEST = 100_000
"""No cooperative with more members is looked for."""
STEPS = 100
"""How far above the least that the floor alone needs a working number of members is looked for."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """The homes that a job needs of `members`, with `floor` honest ones in the sum.

    `needed`, `most`: the fewest and the most homes that may compute it, 0 where no number of them may;
    `members_needed`: the members that a cooperative must have for it; `possible_floor`: the largest floor that works
    with these members. 0 where there is none.
    """

    members: int
    floor: int
    least_floor: int
    corrupt: int
    silent: Fraction
    needed: int
    most: int
    members_needed: int
    possible_floor: int

    @classmethod
    def of(cls, floor: int, bylaws: ByLaws, members: int) -> Cohort:
        """What a job with this floor needs under the by-laws, in a cooperative of so many members."""
        needed, most = _sizes(floor, bylaws, members)
        corrupt = corrupt_bound(members, bylaws.gamma) if members else 0
        floors = range(min(floor, members) - 1, bylaws.floor - 1, -1) if not needed else range(0)
        return cls(
            members=members,
            floor=floor,
            least_floor=bylaws.floor,
            corrupt=corrupt,
            silent=bylaws.delta,
            needed=needed,
            most=most,
            members_needed=_members_needed(floor, bylaws, 1 if needed else members + 1),
            possible_floor=next((lower for lower in floors if works(members, corrupt, bylaws.delta, lower)), 0),
        )

    @property
    def sentence(self) -> str:
        """How many homes must take part and why, or why no number of them suffices."""
        if self.needed:
            upper = f" and at most {self.most:,}" if self.most < self.members else ""
            homes = f"at least {self.needed:,}{upper} of the {_members(self.members)}"
            return f"{homes} must consent and take part: {self._why}"
        more = f" takes at least {self.members_needed:,} members, all of them consenting" if self.members_needed else ""
        return (
            f"No number of consenting homes suffices: the cooperative has {_members(self.members)}, and {self._why}"
            f"{more or ' is more than the by-laws can ever give'}."
        )

    @property
    def hint(self) -> str:
        """What would help where no number of homes suffices; empty where one does."""
        if self.needed:
            return ""
        ways = []
        if self.possible_floor:
            least = f"the by-laws ask for {self.least_floor} at least"
            ways.append(f"set floor = {self.possible_floor} or less in the job ({least})")
        if self.members_needed:
            more = self.members_needed - self.members
            ways.append(f"wait until {more:,} more household{'s have' if more > 1 else ' has'} joined")
        text = ", or ".join(ways) or "choose a smaller floor, if the by-laws allow it"
        return f"{text[0].upper()}{text[1:]}."

    @property
    def _why(self) -> str:
        """The bounds that lead to the number."""
        share = f"{self.silent.numerator} in {self.silent.denominator}"
        return (
            f"keeping {self.floor:,} honest homes in every sum even if {self.corrupt:,} "
            f"{'is' if self.corrupt == 1 else 'are'} dishonest and {share} fall silent"
        )


def _members(count: int) -> str:
    return f"{count:,} member{'' if count == 1 else 's'}"


def _sizes(floor: int, bylaws: ByLaws, members: int) -> tuple[int, int]:
    """The fewest and the most of the members whose sum is allowed; (0, 0) where none is."""
    return sizes(members, corrupt_bound(members, bylaws.gamma), bylaws.delta, floor) if members else (0, 0)


def _members_needed(floor: int, bylaws: ByLaws, fewest: int) -> int:
    """The fewest members, no fewer than said, that together suffice; 0 where no number does."""
    if bylaws.gamma + bylaws.delta >= 1:
        return 0
    least = max(floor, fewest)
    tried = range(least, min(LARGEST, int(least / (1 - bylaws.gamma - bylaws.delta)) + STEPS) + 1)
    return next((size for size in tried if works(size, corrupt_bound(size, bylaws.gamma), bylaws.delta, floor)), 0)
