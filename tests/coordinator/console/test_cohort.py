"""How many homes a job needs: the protocol's own bounds, found exactly and told in words."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vicinia.assembly.bylaws import ByLaws
from vicinia.coordinator.client.cohort import Cohort
from vicinia.errors import RoundFailed
from vicinia.secagg.parameters import corrupt_bound, parameters

RULES = ByLaws(floor=10)


def works(homes: int, members: int, floor: int, rules: ByLaws = RULES) -> bool:
    try:
        parameters(homes, corrupt_bound(members, rules.gamma), rules.delta, floor)
    except RoundFailed:
        return False
    return True


@settings(deadline=None, max_examples=80)
@given(st.integers(1, 150), st.integers(10, 120))
def test_the_figures_are_those_of_the_protocol(members: int, floor: int) -> None:
    found = Cohort.of(floor, RULES, members)
    assert found.most == (members if works(members, members, floor) else 0)
    if found.needed:
        assert all(works(homes, members, floor) for homes in range(found.needed, members + 1))
        assert not works(found.needed - 1, members, floor)
    assert works(found.members_needed, found.members_needed, floor)
    assert found.members_needed > members or found.needed
    fewer = range(1 if found.needed else members + 1, found.members_needed)
    assert not any(works(size, size, floor) for size in fewer)
    if found.possible_floor:
        assert works(members, members, found.possible_floor)
        assert not works(members, members, found.possible_floor + 1)


@pytest.mark.parametrize(
    ("members", "floor", "said"),
    [
        (24, 10, "at least 13 of the 24 members must consent and take part: keeping 10 honest homes"),
        (2, 10, "the cooperative has 2 members, and keeping 10 honest homes in every sum even if 1 is dishonest"),
        (2, 10, "takes at least 12 members, all of them consenting."),
        (2, 10, "Wait until 10 more households have joined."),
        (
            24,
            30,
            "Set floor = 20 or less in the job (the by-laws ask for 10 at least), or wait until 11 more households",
        ),
    ],
)
def test_the_words_say_what_is_so_and_what_helps(members: int, floor: int, said: str) -> None:
    found = Cohort.of(floor, RULES, members)
    text = f"{found.sentence} {found.hint}"
    assert said in text
    for jargon in ("roster", "gamma", "delta", "parameters", "quorum", " 0 homes"):
        assert jargon not in text


def test_gaps_above_the_fewest_that_work_are_left_out() -> None:
    assert works(127, 2000, 10)
    assert not works(200, 2000, 10)  # a quorum of so few notaries would not be reliable
    found = Cohort.of(10, RULES, 2000)
    assert (found.needed, found.most) == (446, 2000)
    rules = ByLaws(floor=10, gamma=Fraction(1, 10), delta=Fraction(1, 5))
    assert "at least 102 and at most 169 of the 600 members" in Cohort.of(10, rules, 600).sentence


def test_bylaws_under_which_no_number_suffices_are_told_apart() -> None:
    rules = ByLaws(floor=10, gamma=Fraction(1, 3), delta=Fraction(2, 3))
    found = Cohort.of(10, rules, 50)
    assert (found.needed, found.members_needed) == (0, 0)
    assert "more than the by-laws can ever give" in found.sentence
