"""The table of parameters, recomputed from exact tails."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vicinia.errors import InvalidInput, RoundFailed
from vicinia.secagg.parameters import Parameters, corrupt_bound, parameters

TENTH = Fraction(1, 10)
SECRET = Fraction(1, 2**80)
RIGHT = Fraction(1, 2**20)


def tail(population: int, marked: int, drawn: int, more_than: int) -> Fraction:
    """The exact probability that more than so many of those drawn are marked."""
    ways = sum(
        comb(marked, hits) * comb(population - marked, drawn - hits)
        for hits in range(more_than + 1, min(marked, drawn) + 1)
    )
    return Fraction(ways, comb(population, drawn))


def check_ring(found: Parameters) -> None:
    """The three events of secrecy together below 2**-80, those of correctness below 2**-20, k even and within 254."""
    n, corrupt, k, t = found.n, found.corrupt, found.neighbours, found.threshold
    silent = n - found.min_survivors
    assert found.window is not None
    assert k % 2 == 0
    assert k <= 254
    worst = 2 * (t - 1) - k + 1  # the greatest a with floor((a + k)/2) + 1 = t
    assert 2 * t > worst + k
    assert t > worst
    worst_notaries = 2 * found.quorum - found.notaries - 1
    secret = (
        n * tail(n - 1, corrupt, k, worst)
        + comb(n, 2) * tail(n, corrupt, k, 2 * found.window + 1)  # the greatest w with floor(w/2) = window
        + tail(n, corrupt, found.notaries, worst_notaries)
    )
    assert secret <= SECRET
    right = (
        n * tail(n - 1, silent, k, k - t)
        + n * tail(n, silent, k // 2, k // 2 - found.window - 1)
        + tail(n, silent, found.notaries, found.notaries - found.quorum)
    )
    assert right <= RIGHT


@pytest.mark.parametrize(
    ("n", "corrupt"),
    [(201, 10), (256, 16), (256, 17), (320, 16), (1000, 50), (1000, 100), (16384, 820), (131072, 6554)],
)
def test_the_bounds_hold_exactly(n: int, corrupt: int) -> None:
    check_ring(parameters(n, corrupt, TENTH, 20))


@settings(deadline=None, max_examples=25)
@given(st.integers(201, 3000), st.integers(0, 10), st.integers(1, 12))
def test_the_bounds_hold_for_any_roster(n: int, percent: int, delta_percent: int) -> None:
    try:
        found = parameters(n, max(1, n * percent // 100), Fraction(delta_percent, 100), 10)
    except RoundFailed:
        return
    check_ring(found)


@pytest.mark.parametrize(
    ("n", "share", "k", "t", "window"),
    [(1000, 20, 98, 67, 18), (16384, 20, 124, 86, 25), (131072, 20, 132, 91, 27)],
)
def test_the_orders_of_magnitude_of_large_rosters(n: int, share: int, k: int, t: int, window: int) -> None:
    found = parameters(n, ceil(n / share), TENTH, 20)
    assert abs(found.neighbours - k) <= 6
    assert abs(found.threshold - t) <= 4
    assert abs((found.window or 0) - window) <= 1
    assert found.quorum in range(83, 89)


@pytest.mark.parametrize("n", [16384, 131072])
def test_a_tenth_corrupt_is_about_the_most_that_the_notaries_bear(n: int) -> None:
    assert parameters(n, n // 10, TENTH, 20).quorum == 94
    with pytest.raises(RoundFailed, match="cannot add up safely"):
        parameters(n, n * 13 // 100, TENTH, 20)


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 200), st.integers(1, 60), st.fractions(0, Fraction(1, 2)), st.integers(1, 40))
def test_a_complete_graph_always_has_enough_answers(n: int, corrupt: int, delta: Fraction, floor: int) -> None:
    try:
        found = parameters(n, corrupt, delta, floor)
    except RoundFailed:
        return
    assert found.neighbours == n - 1
    assert found.window is None
    assert found.min_survivors == max(floor + corrupt, ceil((1 - delta) * n))
    assert found.honest >= floor
    assert 2 * found.threshold > min(corrupt, n) + found.neighbours
    assert found.min_survivors - 1 >= found.threshold
    assert found.notaries == min(n, 128)
    if n <= 128:
        assert 2 * found.quorum > n + min(corrupt, n)
        assert found.min_survivors >= found.quorum


def test_small_cooperatives() -> None:
    assert parameters(13, 1, TENTH, 10) == Parameters(13, 1, 12, 7, None, 13, 8, 12)
    assert parameters(256, 17, TENTH, 10).min_survivors == 231
    assert corrupt_bound(13, Fraction(1, 20)) == 1
    assert corrupt_bound(320, Fraction(1, 20)) == 16
    assert corrupt_bound(321, Fraction(1, 20)) == 17


def refusal(n: int, corrupt: int, delta: Fraction, floor: int) -> tuple[str, str]:
    with pytest.raises(RoundFailed) as found:
        parameters(n, corrupt, delta, floor)
    return found.value.what, found.value.hint


def test_too_few_homes_are_told_how_many_it_takes() -> None:
    assert refusal(11, 1, TENTH, 10) == (
        "This run needs at least 12 homes, 11 are here: its result must cover 10 honest homes, without the 1 that may "
        "fall silent and the 1 that may be dishonest.",
        "Ask again when more members take part, or with a job whose floor is smaller.",
    )


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 199), st.integers(1, 60), st.fractions(0, Fraction(1, 2)), st.integers(1, 40))
def test_as_many_homes_as_the_refusal_says_are_what_it_takes(n: int, corrupt: int, delta: Fraction, floor: int) -> None:
    least = next(size for size in range(1, 500) if ceil((1 - delta) * size) - corrupt >= floor)
    if n < least:
        assert f"at least {least} homes, {n} are here" in refusal(n, corrupt, delta, floor)[0]
        return
    try:
        said = str(parameters(n, corrupt, delta, floor))
    except RoundFailed as other:
        said = other.what
    assert "needs at least" not in said


def test_what_cannot_be_had_is_refused_with_a_sentence() -> None:
    more = "Ask again when more members take part; the members can also vote to expect fewer such homes (by-laws)."
    assert refusal(9, 4, Fraction(1, 3), 1) == (
        "The 9 homes that are here cannot add up safely, as 4 of them may be dishonest and 3 may fall silent: 7 of the "
        "9 homes that attest must answer, and fewer may be left.",
        more,
    )
    assert refusal(2, 1, Fraction(0), 1)[0] == (
        "The 2 homes that are here cannot add up safely, as 1 of them may be dishonest and 0 may fall silent: each "
        "home needs 2 others that answer, and only 1 may be left."
    )
    assert refusal(20_000, 3_000, TENTH, 20)[0].startswith(
        "The 20,000 homes that are here cannot add up safely, as 3,000 of them may be dishonest and 2,000 may fall "
    )
    assert refusal(131_073, 1, TENTH, 10) == (
        "This run can hold at most 131,072 homes, 131,073 are here.",
        "Invite fewer homes to a run.",
    )
    with pytest.raises(InvalidInput):
        parameters(0, 1, TENTH, 10)
    with pytest.raises(InvalidInput):
        corrupt_bound(0, TENTH)
