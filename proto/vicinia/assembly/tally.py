"""The rules of voting, in whole numbers (design 3, Rules of voting)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from vicinia.assembly.ballot import Counts


@dataclass(frozen=True, slots=True)
class Result:
    """A vote that was counted: `electorate` N, ballots by choice, and what was needed."""

    electorate: int
    counts: Counts
    quorum: int
    special: bool

    @property
    def quorum_reached(self) -> bool:
        """Enough electors voted, abstentions included."""
        return self.counts.turnout >= self.quorum

    @property
    def majority(self) -> bool:
        """Enough of those who chose said yes."""
        return majority(self.counts, special=self.special)

    @property
    def accepted(self) -> bool:
        """Both."""
        return self.quorum_reached and self.majority


def quorum_needed(electorate: int, quorum: Fraction) -> int:
    """ceil(N * a / b), and never none at all."""
    return max(1, -(-electorate * quorum.numerator // quorum.denominator))


def majority(counts: Counts, *, special: bool) -> bool:
    """Ordinary: yes > no. Special: some yes, and three quarters of yes + no. Ties fail."""
    if special:
        return counts.yes > 0 and 4 * counts.yes >= 3 * (counts.yes + counts.no)
    return counts.yes > counts.no
