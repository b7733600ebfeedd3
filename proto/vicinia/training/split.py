"""Never a small group, in either part of a training: those who train, and those who are held out to evaluate.

Who is held out is public, so a sum to which only they add is that of a known few, however many homes send zeros beside
them. The noise of the whole cohort hides each of them all the same; but the floor is for every sum, and so for each
part, without those in it who may be dishonest or fall silent. Where too few would evaluate, they send zeros and the
round has no metrics; where too few would train, or in a closing round evaluate, there is no round.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from vicinia.assembly.learning import TrainingPlan
from vicinia.errors import RoundFailed
from vicinia.secagg.parameters import SECRECY
from vicinia.secagg.tails import worst_count
from vicinia.training.compiled import Part, Training, part_of
from vicinia.training.parameter import NANO
from vicinia.training.schedule import Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Split", "homes_needed"]

_KEPT = 4  # electorates

# What those do who are not held out.
_TRAINING = {Kind.SCALES: Part.SCALES, Kind.TRAINS: Part.TRAINS, Kind.CLOSES: Part.TRAINS}


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """One part: who belongs to it, bool by registry index, and how many of those at most are dishonest."""

    belongs: NDArray[np.bool_]
    corrupt: int

    @classmethod
    def of(cls, belongs: NDArray[np.bool_], electors: int, corrupt: int) -> _Side:
        """Nobody chooses who is held out: of the dishonest electors a part has as many as chance would give it."""
        count = int(belongs.sum())
        return cls(belongs, worst_count(electors, min(corrupt, electors), count, SECRECY) if count else 0)

    def honest(self, members: NDArray[np.int64], silent: Fraction = Fraction(0)) -> int:
        """How many of these homes are honest ones of the part, at the least, when the share `silent` falls silent."""
        return ceil((1 - silent) * int(self.belongs[members].sum())) - self.corrupt


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """The parts of one round of a training that holds homes out. `members` are registry indices of a roster, ascending.

    training: those who train, or in a first round say how inputs are scaled; floor: the job's; silent: the share of
    homes that may fall silent.
    """

    kind: Kind
    training: _Side
    evaluating: _Side
    floor: int
    silent: Fraction

    @classmethod
    def of(
        cls,
        training: Training,
        lot: bytes,
        kind: Kind,
        electorate: Iterable[int],
        *,
        corrupt: int,
        silent: Fraction,
        floor: int,
    ) -> Split:
        """The parts of an electorate (registry indices) of which `corrupt` may be dishonest."""
        return cls(kind, *_sides(training.plan, lot, kind, tuple(electorate), corrupt), floor, silent)

    def measures(self, members: NDArray[np.int64]) -> bool:
        """Whether those who are held out evaluate in a run of these homes."""
        return self.evaluating.honest(members, self.silent) >= self.floor

    def part_of(self, index: int, members: NDArray[np.int64]) -> Part:
        """What a home does in a run of these homes."""
        if self.evaluating.belongs[index]:
            return Part.EVALUATES if self.measures(members) else Part.NOTHING
        return _TRAINING[self.kind] if self.training.belongs[index] else Part.NOTHING

    def require_roster(self, members: NDArray[np.int64]) -> None:
        """RoundFailed unless a run of these homes has a part that is large enough to go on with."""
        if self.kind is Kind.CLOSES:
            self._require(self.measures(members), "evaluate")
        else:
            self._require(self.training.honest(members, self.silent) >= self.floor, "train")

    def require_survivors(self, members: NDArray[np.int64], survived: NDArray[np.bool_]) -> None:
        """RoundFailed unless the survivors (bool by position) of every part that sent something cover the floor."""
        left = members[survived]
        if self.kind is not Kind.CLOSES:
            self._require(self.training.honest(left) >= self.floor, "train")
        if self.measures(members):
            self._require(self.evaluating.honest(left) >= self.floor, "evaluate")

    def _require(self, holds: bool, what: str) -> None:
        if not holds:
            raise RoundFailed(
                f"Too few of these homes {what}: their sum must cover {self.floor:,} honest homes.",
                where="training.holdout",
                hint="Ask again when more members take part, or with another share of homes that are held out.",
            )


@lru_cache(maxsize=_KEPT)
def _sides(
    plan: TrainingPlan, lot: bytes, kind: Kind, electorate: tuple[int, ...], corrupt: int
) -> tuple[_Side, _Side]:
    """Those who train and those who evaluate, sorted out once for all homes of a process."""
    parts = {index: part_of(plan, index, lot, kind) for index in electorate}

    def side(part: Part) -> _Side:
        belongs = np.zeros(max(parts, default=-1) + 1, np.bool_)
        belongs[[index for index, found in parts.items() if found is part]] = True
        belongs.flags.writeable = False
        return _Side.of(belongs, len(parts), corrupt)

    return side(_TRAINING[kind]), side(Part.EVALUATES)


def homes_needed(holdout_nano: int, members: int, corrupt: int, silent: Fraction, floor: int) -> int:
    """How many of the members must take part so that each part can be expected to cover the floor."""
    needed = 0
    for share in (Fraction(holdout_nano, NANO), 1 - Fraction(holdout_nano, NANO)):
        if share:
            dishonest = worst_count(members, min(corrupt, members), min(members, ceil(share * members)), SECRECY)
            least = (floor + dishonest - 1) // (1 - silent) + 1  # of the part; as of the whole, in secagg.parameters
            needed = max(needed, ceil(least / share))
    return needed
