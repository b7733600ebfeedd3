"""Standing votes: a member's private rules, evaluated by the member's own node and cast as normal ballots.

They never enter the log. The first rule whose condition holds decides; where none does, no ballot is cast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from vicinia.assembly.ballot import CHOICES
from vicinia.assembly.codec import Choice, Flag, Items, Nested
from vicinia.assembly.job import KINDS, RECIPIENTS
from vicinia.assembly.payload import Millis, Payload
from vicinia.assembly.predicate import Facts, Predicate, parse_predicate, texts
from vicinia.assembly.purposes import require_purpose
from vicinia.assembly.statements.votes import CLASSES
from vicinia.assembly.toml import TomlFile
from vicinia.errors import InvalidInput

MAX_DAYS = 365
MAX_RULES = 32
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Rule(Payload):
    """When the condition holds, vote so."""

    vote: Annotated[str, Choice(CHOICES)]
    when: Annotated[Predicate, Nested(parse_predicate)]


@dataclass(frozen=True, slots=True)
class StandingVote(Payload):
    """Rules in order, until `expires` (ms, at most 365 days on); special proposals only if the member says so."""

    created: Millis
    expires: Millis
    special: Annotated[bool, Flag()]
    rules: Annotated[tuple[Rule, ...], Items(Nested(Rule.from_payload), high=MAX_RULES)]

    def __post_init__(self) -> None:
        if not self.created < self.expires <= self.created + MAX_DAYS * DAY_MS:
            raise InvalidInput(f"A standing vote lasts at most {MAX_DAYS} days.", where="standing vote")

    @classmethod
    def parse_toml(cls, text: str, now_ms: int, name: str = "RULES.toml", *, known_words: bool = False) -> StandingVote:
        """A member's file: `days`, `special`, and [[rules]] with `vote` and `when`; InvalidInput says where.

        `known_words`: refuse a purpose, recipient, class or kind that no job can have, for it is misspelt. Rules that
        stand already are read without: they were checked when they were given, perhaps with another list.
        """
        file = TomlFile.parse(text, name)
        file.only(file.table, ("days", "special", "rules"))
        days, special, rules = (file.table.get(key, default) for key, default in _DEFAULTS)
        if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= MAX_DAYS:
            raise InvalidInput(f"This must be a whole number of days, 1 to {MAX_DAYS}.", where=file.where("days"))
        if not isinstance(special, bool):
            raise InvalidInput("This must be true or false.", where=file.where("special"))
        if not isinstance(rules, list) or not 1 <= len(rules) <= MAX_RULES:
            hint = "Add [[rules]] with vote and when."
            raise InvalidInput(f"There must be 1 to {MAX_RULES} rules.", where=file.where("rules"), hint=hint)
        parsed = tuple(_rule(file, rule, number) for number, rule in enumerate(rules, start=1))
        if known_words:
            for rule in parsed:
                for fact, word in texts(rule.when):
                    _check_word(fact, word, file)
        return cls(now_ms, now_ms + days * DAY_MS, special, parsed)

    def choice(self, facts: Facts, now_ms: int) -> str | None:
        """How to vote on a job with these facts (`job_facts`), or None: leave it to the member."""
        if not self.created <= now_ms < self.expires or (facts["class"] != "ordinary" and not self.special):
            return None
        return next((rule.vote for rule in self.rules if rule.when.holds(facts)), None)


_DEFAULTS: tuple[tuple[str, Any], ...] = (("days", MAX_DAYS), ("special", False), ("rules", []))


_CLOSED = {"recipient": RECIPIENTS, "class": CLASSES, "kind": KINDS}


def _check_word(fact: str, word: str, file: TomlFile) -> None:
    where = file.where_text(word, fact)
    if fact == "purpose":
        require_purpose(word, where)
    elif fact in _CLOSED and word not in _CLOSED[fact]:
        raise InvalidInput(f"{word!r} is not one of {', '.join(_CLOSED[fact])}.", where=where)


def _rule(file: TomlFile, table: Any, number: int) -> Rule:
    where = f"{file.where('rules')}[{number}]"
    if not isinstance(table, dict) or set(table) != {"vote", "when"}:
        raise InvalidInput("A rule has exactly the keys vote and when.", where=where)
    if table["vote"] not in CHOICES:
        raise InvalidInput(f"{table['vote']!r} is not one of {', '.join(CHOICES)}.", where=where)
    return Rule(table["vote"], parse_predicate(table["when"], where, decimals=True))
