"""What the homes say of themselves, which only this demo can ask all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Homes"]


@dataclass(frozen=True, slots=True)
class Homes:
    """The homes by name, and what they say of themselves: what left, whether its record is whole, how they stand."""

    everybody: Sequence[str]
    consenting: Sequence[str]
    lived: Sequence[str]
    left: Mapping[str, Any]
    verified: Mapping[str, Any]
    states: Mapping[str, Any]

    @property
    def records(self) -> int:
        """How many records of what left there are."""
        return sum(len(records) for records in self.left.values())

    def names(self, ids: frozenset[str]) -> list[str]:
        """Those with these ids, in their order."""
        return [name for name in self.everybody if str(self.states[name]["household"]) in ids]

    def sent(self, job: str) -> dict[str, Counter[str]]:
        """How many records there are of each run of a job, by home."""
        return {
            name: Counter(record["run_id"] for record in records if record["job"] == job)
            for name, records in self.left.items()
        }
