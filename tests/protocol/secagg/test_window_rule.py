"""The window rule: whoever is said to have dropped, the honest survivors stay connected by edges that nobody opened."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from vicinia.errors import RoundFailed
from vicinia.secagg import checks


def passes(survivors: Sequence[bool], half: int, bound: int) -> bool:
    try:
        checks.window_rule(np.array(survivors), half, bound)
    except RoundFailed:
        return False
    return True


def connected(places: set[int], n: int, half: int) -> bool:
    """Whether these places of a ring of n are one component, where places up to `half` apart are neighbours."""
    seen: set[int] = set()
    frontier = [min(places)] if places else []
    while frontier:
        here = frontier.pop()
        seen.add(here)
        frontier += [there for there in places - seen if min((here - there) % n, (there - here) % n) <= half]
    return seen == places


def most_in_two_windows(marked: Sequence[bool], half: int) -> int:
    """How many marked places two windows have that are apart from each other, at the most."""
    n = len(marked)
    held = [sum(marked[(start + step) % n] for step in range(half)) for start in range(n)]
    return max(held[a] + held[b] for a in range(n) for b in range(n) if half <= (b - a) % n <= n - half)


RINGS = st.integers(12, 40).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, n - 1), max_size=n // 2),  # runs of places begin here that are no honest survivors
        st.lists(st.booleans(), min_size=n, max_size=n),  # which of those are corrupt, the others fell silent
        st.lists(st.booleans(), min_size=n, max_size=n),  # which corrupt homes pretend to have dropped
    )
)


@settings(deadline=None, max_examples=400)
@given(st.integers(1, 5), st.integers(1, 3), RINGS)
def test_where_the_rule_holds_the_honest_survivors_are_connected(
    half: int, stretch: int, drawn: tuple[list[int], list[bool], list[bool]]
) -> None:
    """With the bound that the parameters give: half of what two windows hold of corrupt homes at the most."""
    starts, is_corrupt, silent = drawn
    n = len(is_corrupt)
    out = {(start + step) % n for start in starts for step in range(half * stretch // 2 + 1)}
    corrupt = [place in out and is_corrupt[place] for place in range(n)]
    survivors = [place not in out or (corrupt[place] and not silent[place]) for place in range(n)]
    assume(passes(survivors, half, most_in_two_windows(corrupt, half) // 2))
    assert connected({place for place in range(n) if place not in out}, n, half)


def test_two_gaps_are_refused_and_one_less_in_the_bound_would_let_them_pass() -> None:
    """Of 24 homes 6 are corrupt, three in each of two windows of six, where all honest homes are said to have dropped:
    two arcs of honest homes, the sum of each of which could be had."""
    half, gaps = 6, {*range(6), *range(12, 18)}
    corrupt = [place in gaps and place % 2 == 0 for place in range(24)]
    survivors = [corrupt[place] or place not in gaps for place in range(24)]
    assert not connected({place for place in range(24) if place not in gaps}, 24, half)
    bound = most_in_two_windows(corrupt, half) // 2
    assert not passes(survivors, half, bound)
    assert passes(survivors, half, bound - 1)


def test_one_gap_cuts_nothing_but_is_refused_as_well() -> None:
    """Each window is looked at by itself: one without any survivor could be one of two."""
    gap = set(range(6))
    assert connected(set(range(24)) - gap, 24, 6)
    assert not passes([place not in gap for place in range(24)], 6, 0)
