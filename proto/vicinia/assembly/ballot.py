"""What a ballot's choice looks like, behind one interface: secret ballots will share log, electorate and rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from vicinia.errors import InvalidInput

CHOICES = ("yes", "no", "abstain")


@dataclass(frozen=True, slots=True)
class Counts:
    """How many electors chose what; one ballot an elector."""

    yes: int = 0
    no: int = 0
    abstain: int = 0

    @property
    def turnout(self) -> int:
        """Ballots that count, abstentions included."""
        return self.yes + self.no + self.abstain


class BallotKind(Protocol):
    """How choices are written and counted.

    `check` refuses a malformed choice when its leaf is appended (a secret ballot: one whose proofs fail). `count`
    takes one choice an elector, each of which passed `check`.
    """

    name: str

    def check(self, choice: Any, where: str) -> None: ...

    def count(self, choices: Iterable[Any]) -> Counts: ...


class OpenBallots:
    """The choice in clear, under the household's key."""

    name = "open"

    def check(self, choice: Any, where: str) -> None:
        if not isinstance(choice, str) or choice not in CHOICES:
            raise InvalidInput("The choice is not yes, no or abstain.", where=where)

    def count(self, choices: Iterable[Any]) -> Counts:
        found = list(choices)
        return Counts(*(found.count(choice) for choice in CHOICES))


BALLOT_KINDS: dict[str, BallotKind] = {kind.name: kind for kind in (OpenBallots(),)}
