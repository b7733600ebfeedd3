"""The closed language of standing votes: `all any not eq in le` over the facts of a job, and nothing else.

Total: a predicate that was parsed has a truth value for every job. There are no loops, names or calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from vicinia.assembly.codec import MAX_INTEGER
from vicinia.assembly.job import Job, proposal_class
from vicinia.assembly.toml import exact_nano
from vicinia.errors import InvalidInput, TooLarge

MAX_DEPTH = 16
MAX_NODES = 256
TEXT_FACTS = ("purpose", "recipient", "class", "kind", "researcher", "institution")
SET_FACTS = ("datasets",)
NUMBER_FACTS = ("floor", "price_cents", "retention_days")
NANO_FACTS = ("epsilon", "rho")  # decimals for people, integers of 10^-9 inside

Facts = dict[str, str | int | frozenset[str]]


def job_facts(job: Job, institution: str, epsilon_nano: int) -> Facts:
    """What a rule may ask about: the job's own fields, its class, who asks, and epsilon in 10^-9; rho is that of a
    query's run, or of all rounds of a training."""
    return {
        "purpose": job.purpose,
        "recipient": job.recipient,
        "class": proposal_class(job),
        "kind": job.kind,
        "researcher": job.researcher,
        "institution": institution,
        "datasets": frozenset(job.datasets),
        "floor": job.floor,
        "price_cents": job.price_cents,
        "retention_days": job.retention_days,
        "epsilon": epsilon_nano,
        "rho": job.rho_nano * (1 if job.training is None else job.training.runs),
    }


class Predicate(Protocol):
    """A condition on the facts of a job; `payload` is its JSON form."""

    def holds(self, facts: Facts) -> bool: ...

    def payload(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Every:
    """`all`: every part holds (so `all = []` always does)."""

    parts: tuple[Predicate, ...]

    def holds(self, facts: Facts) -> bool:
        return all(part.holds(facts) for part in self.parts)

    def payload(self) -> dict[str, Any]:
        return {"all": [part.payload() for part in self.parts]}


@dataclass(frozen=True, slots=True)
class Some:
    """`any`: at least one part holds."""

    parts: tuple[Predicate, ...]

    def holds(self, facts: Facts) -> bool:
        return any(part.holds(facts) for part in self.parts)

    def payload(self) -> dict[str, Any]:
        return {"any": [part.payload() for part in self.parts]}


@dataclass(frozen=True, slots=True)
class Not:
    """`not`: the part does not hold."""

    part: Predicate

    def holds(self, facts: Facts) -> bool:
        return not self.part.holds(facts)

    def payload(self) -> dict[str, Any]:
        return {"not": self.part.payload()}


@dataclass(frozen=True, slots=True)
class Equal:
    """`eq`: a text or a number is exactly this."""

    fact: str
    value: str | int

    def holds(self, facts: Facts) -> bool:
        return facts[self.fact] == self.value

    def payload(self) -> dict[str, Any]:
        return {"eq": [self.fact, self.value]}


@dataclass(frozen=True, slots=True)
class Within:
    """`in`: a text is one of these; all data sets are among these."""

    fact: str
    values: tuple[str, ...]

    def holds(self, facts: Facts) -> bool:
        found = facts[self.fact]
        return found <= set(self.values) if isinstance(found, frozenset) else found in self.values

    def payload(self) -> dict[str, Any]:
        return {"in": [self.fact, list(self.values)]}


@dataclass(frozen=True, slots=True)
class AtMost:
    """`le`: a number is not above this one."""

    fact: str
    limit: int

    def holds(self, facts: Facts) -> bool:
        found = facts[self.fact]
        return isinstance(found, int) and found <= self.limit

    def payload(self) -> dict[str, Any]:
        return {"le": [self.fact, self.limit]}


def parse_predicate(value: Any, where: str, *, decimals: bool = False) -> Predicate:
    """Parse the JSON form; with `decimals`, epsilon and rho are written as people do (le = ["epsilon", 1.0])."""
    return _parse(value, where, decimals, 0, iter(range(MAX_NODES)))


def texts(predicate: Predicate) -> Iterator[tuple[str, str]]:
    """Every (fact, text) that a condition compares."""
    if isinstance(predicate, Every | Some):
        for part in predicate.parts:
            yield from texts(part)
    elif isinstance(predicate, Not):
        yield from texts(predicate.part)
    elif isinstance(predicate, Equal) and isinstance(predicate.value, str):
        yield predicate.fact, predicate.value
    elif isinstance(predicate, Within):
        yield from ((predicate.fact, value) for value in predicate.values)


def _parse(value: Any, where: str, decimals: bool, depth: int, budget: Iterator[int]) -> Predicate:
    if depth >= MAX_DEPTH or next(budget, None) is None:
        raise TooLarge(f"The rule is nested deeper than {MAX_DEPTH} or longer than {MAX_NODES} parts.", where=where)
    if not isinstance(value, dict) or len(value) != 1:
        raise InvalidInput("A condition is a table with one of all, any, not, eq, in, le.", where=where)
    ((word, body),) = value.items()
    if word in ("all", "any") and isinstance(body, list):
        parts = tuple(_parse(part, f"{where}.{word}", decimals, depth + 1, budget) for part in body)
        return Every(parts) if word == "all" else Some(parts)
    if word == "not":
        return Not(_parse(body, f"{where}.not", decimals, depth + 1, budget))
    if word in _LEAVES and isinstance(body, list) and len(body) == 2 and isinstance(body[0], str):
        return _leaf(word, body[0], body[1], f"{where}.{word}", decimals)
    raise InvalidInput(
        f"{word!r} is not understood here.",
        where=where,
        hint='Write for example { eq = ["purpose", "dpv:NonCommercialResearch"] } or { le = ["epsilon", 1.0] }.',
    )


_NUMBERS = (*NUMBER_FACTS, *NANO_FACTS)
_LEAVES = {"eq": (*TEXT_FACTS, *_NUMBERS), "in": (*TEXT_FACTS, *SET_FACTS), "le": _NUMBERS}


def _leaf(word: str, fact: str, value: Any, where: str, decimals: bool) -> Predicate:
    if fact not in _LEAVES[word]:
        hint = f"It can ask about: {', '.join(_LEAVES[word])}."
        raise InvalidInput(f"{word!r} cannot ask about {fact!r}.", where=where, hint=hint)
    if word == "in":
        if not isinstance(value, list) or len(value) > MAX_NODES or not all(isinstance(one, str) for one in value):
            raise InvalidInput("This must be a list of texts.", where=where)
        return Within(fact, tuple(value))
    if fact in _NUMBERS:
        number = _number(fact, value, where, decimals)
        return Equal(fact, number) if word == "eq" else AtMost(fact, number)
    if not isinstance(value, str):
        raise InvalidInput("This must be text.", where=where)
    return Equal(fact, value)


def _number(fact: str, value: Any, where: str, decimals: bool) -> int:
    if fact in NANO_FACTS and decimals:
        return exact_nano(value, where)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_INTEGER:
        raise InvalidInput("This must be a whole number.", where=where)
    return value
