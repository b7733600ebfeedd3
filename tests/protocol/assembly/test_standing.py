"""Standing votes: a closed language that always has an answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator_cooperative import DAY_MS, Cooperative
from vicinia.assembly import CHOICES, Job, StandingVote, job_facts
from vicinia.assembly.predicate import (
    NANO_FACTS,
    NUMBER_FACTS,
    SET_FACTS,
    TEXT_FACTS,
    Facts,
    parse_predicate,
)
from vicinia.errors import InvalidInput, TooLarge

COOP = Cooperative.found(households=0)
NUMBERS = st.integers(0, 2 * 10**9)
WORDS = st.sampled_from(["dpv:NonCommercialResearch", "dpv:Marketing", "commercial", "budget", "ordinary", ""])
LISTS = st.lists(WORDS, max_size=3)
LEAVES = st.one_of(
    st.builds(lambda fact, value: {"eq": [fact, value]}, st.sampled_from(TEXT_FACTS), WORDS),
    st.builds(lambda fact, value: {"eq": [fact, value]}, st.sampled_from(NUMBER_FACTS + NANO_FACTS), NUMBERS),
    st.builds(lambda fact, value: {"le": [fact, value]}, st.sampled_from(NUMBER_FACTS + NANO_FACTS), NUMBERS),
    st.builds(lambda fact, values: {"in": [fact, values]}, st.sampled_from(TEXT_FACTS + SET_FACTS), LISTS),
)
PREDICATES: st.SearchStrategy[dict[str, Any]] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda word, parts: {word: parts}, st.sampled_from(["all", "any"]), st.lists(inner, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=10,
)
JOBS = st.builds(
    lambda purpose, recipient, floor: COOP.job(purpose=purpose, recipient=recipient, floor=floor),
    st.sampled_from(["dpv:NonCommercialResearch", "dpv:Marketing"]),
    st.sampled_from(["non-profit", "public", "commercial"]),
    st.integers(1, 100),
)


def naive(rule: dict[str, Any], facts: Facts) -> bool:
    """The language as the design words it."""
    ((word, body),) = rule.items()
    if word == "all":
        return all(naive(part, facts) for part in body)
    if word == "any":
        return any(naive(part, facts) for part in body)
    if word == "not":
        return not naive(body, facts)
    found: Any = facts[body[0]]
    if word == "eq":
        return bool(found == body[1])
    if word == "le":
        return bool(found <= body[1])
    return set(found) <= set(body[1]) if isinstance(found, frozenset) else found in body[1]


@given(PREDICATES, JOBS, NUMBERS)
def test_every_rule_has_an_answer_for_every_job(rule: dict[str, Any], job: Job, epsilon: int) -> None:
    facts = job_facts(job, "University", epsilon)
    predicate = parse_predicate(rule, "rule")
    assert predicate.holds(facts) is naive(rule, facts)
    assert predicate.payload() == rule
    assert parse_predicate(predicate.payload(), "rule") == predicate


WORDS_OF_RULES = st.sampled_from(["all", "any", "not", "eq", "in", "le", "exec"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS_OF_RULES, inner, max_size=2),
)


@given(ANYTHING)
def test_anything_else_is_refused(value: object) -> None:
    try:
        predicate = parse_predicate(value, "rule")
    except InvalidInput:
        return
    assert predicate.holds(job_facts(COOP.job(), "University", 1)) in (True, False)


def test_depth_and_size_are_bounded() -> None:
    deep: dict[str, Any] = {"all": []}
    for _ in range(10_000):
        deep = {"not": deep}
    with pytest.raises(TooLarge):
        parse_predicate(deep, "rule")
    with pytest.raises(TooLarge):
        parse_predicate({"all": [{"all": []}] * 1000}, "rule")


RULES = """\
special = {special}
days = 30
[[rules]]
vote = "no"
when = {{ not = {{ in = ["datasets", ["budget"]] }} }}
[[rules]]
vote = "yes"
when = {{ all = [{{ eq = ["purpose", "dpv:NonCommercialResearch"] }}, {{ le = ["epsilon", 1.0] }}] }}
"""


def test_the_first_rule_that_holds_decides() -> None:
    standing = StandingVote.parse_toml(RULES.format(special="false"), 0)
    assert standing.choice(job_facts(COOP.job(), "", 10**9), 1) == "yes"
    assert standing.choice(job_facts(COOP.job(), "", 10**9 + 1), 1) is None
    assert standing.choice(job_facts(COOP.job(datasets=("diaries",)), "", 1), 1) == "no"
    assert StandingVote.from_payload(standing.payload()) == standing


def test_special_proposals_only_if_the_member_says_so_and_never_after_the_end() -> None:
    special = job_facts(COOP.job(recipient="commercial"), "", 1)
    plain = job_facts(COOP.job(), "", 1)
    assert StandingVote.parse_toml(RULES.format(special="false"), 0).choice(special, 1) is None
    willing = StandingVote.parse_toml(RULES.format(special="true"), 1000)
    assert willing.choice(special, 1000) == "yes"
    assert willing.choice(plain, 1000 + 30 * DAY_MS) is None
    assert willing.choice(plain, 999) is None


@given(st.integers(0, 2**40), st.integers(1, 400))
def test_a_standing_vote_never_lasts_longer_than_a_year(now: int, days: int) -> None:
    payload = {"created": now, "expires": now + days * DAY_MS, "special": False, "rules": []}
    if days <= 365:
        assert StandingVote.from_payload(payload).expires > now
    else:
        with pytest.raises(InvalidInput):
            StandingVote.from_payload(payload)


def test_the_choices_are_those_of_a_ballot() -> None:
    assert set(CHOICES) == {"yes", "no", "abstain"}
