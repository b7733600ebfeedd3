"""One list of purposes: what people may write down, what is no commerce, and what a slip of the pen is told."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vicinia.assembly.purposes import NON_COMMERCIAL, PURPOSE_PATTERN, PURPOSES, require_purpose
from vicinia.assembly.standing import StandingVote
from vicinia.errors import InvalidInput

RULES = """
[[rules]]
vote = "no"
when = { eq = ["recipient", "commercial"] }

[[rules]]
vote = "yes"
when = { all = [{ in = ["purpose", ["dpv:AcademicResearch", "dpv:NonCommercialResearch"]] },
                { not = { eq = ["class", "special"] } }] }
"""


def test_the_list_is_of_well_formed_terms_each_under_known_ones() -> None:
    assert all(re.fullmatch(PURPOSE_PATTERN, term) and len(term) <= 64 for term in PURPOSES)
    assert all(broader in PURPOSES for many in PURPOSES.values() for broader in many)
    assert PURPOSES["dpv:NonCommercialResearch"] == {"dpv:NonCommercialPurpose", "dpv:ResearchAndDevelopment"}
    assert PURPOSES.keys() > NON_COMMERCIAL


@given(st.sampled_from(sorted(PURPOSES)))
def test_a_term_of_the_list_passes_and_without_its_capitals_is_recognised(term: str) -> None:
    assert require_purpose(term, "here") == term
    with pytest.raises(InvalidInput) as refusal:
        require_purpose(term.removeprefix("dpv:").lower(), "here")
    assert refusal.value.where == "here"
    assert refusal.value.hint == f"Did you mean {term}?"


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("dpv:NonComercialResearch", "dpv:NonCommercialResearch?"),
        ("research", "dpv:NonCommercialResearch"),
        ("dpv:Marketting", "dpv:Marketing?"),
        ("dpv:Adverts", "dpv:Advertising?"),
        ("", "dpv:AcademicResearch"),
    ],
)
def test_a_slip_is_told_the_nearest_term(slip: str, meant: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        require_purpose(slip, "here")
    assert meant in refusal.value.hint


@given(st.text())
def test_no_other_text_passes(text: str) -> None:
    if text not in PURPOSES:
        with pytest.raises(InvalidInput):
            require_purpose(text, "here")


def test_rules_of_known_words_are_taken() -> None:
    assert len(StandingVote.parse_toml(RULES, 0, known_words=True).rules) == 2


@pytest.mark.parametrize(
    ("old", "new", "where", "hint"),
    [
        ("dpv:AcademicResearch", "dpv:AcademicResarch", "RULES.toml:8: purpose", "dpv:AcademicResearch"),
        ('"commercial"', '"comercial"', "RULES.toml:4: recipient", ""),
        ('"special"', '"spezial"', "RULES.toml:9: class", ""),
    ],
)
def test_a_rule_of_a_misspelt_word_would_never_hold_and_is_refused_with_its_line(
    old: str, new: str, where: str, hint: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        StandingVote.parse_toml(RULES.replace(old, new), 0, known_words=True)
    assert refusal.value.where == where
    assert hint in refusal.value.hint
    assert StandingVote.parse_toml(RULES.replace(old, new), 0)  # rules that stand already go on standing
