"""The adaptive clip: the same whole number for everybody, towards the quantile, within its bounds."""

from __future__ import annotations

import math
from decimal import ROUND_FLOOR, Inexact, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vicinia.errors import InvalidInput
from vicinia.training.clipping import MAX_CLIP_NANO, MAX_RATE_NANO, MIN_CLIP_NANO, next_clip, to_nano
from vicinia.training.parameter import NANO

CLIPS = st.integers(MIN_CLIP_NANO, MAX_CLIP_NANO)
SHARES = st.integers(0, NANO)
RATES = st.integers(0, MAX_RATE_NANO)


@given(CLIPS, SHARES, SHARES, RATES)
def test_is_the_rounded_exponential(clip: int, below: int, quantile: int, rate: int) -> None:
    wanted = clip * math.exp(-rate * (below - quantile) / NANO**2)
    found = next_clip(clip, below, quantile, rate)
    assert MIN_CLIP_NANO <= found <= MAX_CLIP_NANO
    assert found == pytest.approx(min(max(wanted, MIN_CLIP_NANO), MAX_CLIP_NANO), rel=1e-12, abs=0.51)


@given(CLIPS, SHARES, SHARES, SHARES, RATES)
def test_is_smaller_where_more_homes_are_below(clip: int, one: int, other: int, quantile: int, rate: int) -> None:
    few, many = sorted((one, other))
    assert next_clip(clip, many, quantile, rate) <= next_clip(clip, few, quantile, rate)


@given(CLIPS, SHARES, RATES)
def test_stays_where_the_quantile_is_met_and_where_the_rate_is_zero(clip: int, share: int, rate: int) -> None:
    assert next_clip(clip, share, share, rate) == clip
    assert next_clip(clip, share, NANO - share, 0) == clip


@given(CLIPS, SHARES, SHARES, RATES)
def test_does_not_depend_on_the_decimal_context(clip: int, below: int, quantile: int, rate: int) -> None:
    usual = next_clip(clip, below, quantile, rate)
    with localcontext(prec=3, rounding=ROUND_FLOOR) as odd:
        odd.traps[Inexact] = True
        assert next_clip(clip, below, quantile, rate) == usual


def test_known_integers() -> None:
    """Written down once: a machine that finds others cannot replay a run."""
    assert next_clip(NANO, 0, NANO // 2, 2 * NANO) == 2_718_281_828
    assert next_clip(NANO, NANO, NANO // 2, 2 * NANO) == 367_879_441
    assert next_clip(123_456_789_012, 700_000_000, 500_000_000, 200_000_000) == 118_615_979_074


@given(CLIPS, SHARES, SHARES, RATES)
def test_equals_the_power_series_in_fractions(clip: int, below: int, quantile: int, rate: int) -> None:
    exponent = Fraction(rate * (quantile - below), NANO**2)
    term = total = Fraction(1)
    for place in range(1, 60):
        term = term * exponent / place
        total += term
    assert next_clip(clip, below, quantile, rate) == min(max(round(clip * total), MIN_CLIP_NANO), MAX_CLIP_NANO)


@pytest.mark.parametrize("below", [-(10**12), 10**12])
def test_a_share_beyond_its_bounds_is_clamped(below: int) -> None:
    clamped = min(max(below, 0), NANO)
    assert next_clip(NANO, below, NANO // 2, NANO) == next_clip(NANO, clamped, NANO // 2, NANO)


@pytest.mark.parametrize(
    "arguments",
    [
        (0, 0, 0, 0),
        (MAX_CLIP_NANO + 1, 0, 0, 0),
        (NANO, 0, -1, 0),
        (NANO, 0, NANO + 1, 0),
        (NANO, 0, 0, -1),
        (NANO, 0, 0, MAX_RATE_NANO + 1),
    ],
)
def test_refuses_what_a_plan_cannot_hold(arguments: tuple[int, int, int, int]) -> None:
    with pytest.raises(InvalidInput):
        next_clip(*arguments)


def test_a_first_clip_below_the_bounds_is_raised() -> None:
    assert next_clip(1, 0, NANO // 2, NANO) == MIN_CLIP_NANO


def test_follows_a_quantile() -> None:
    """Norms spread evenly over [0, 3] of which 60 % shall be below: C = 1.8, from far above and far below."""
    for start in (MIN_CLIP_NANO * 1000, 1000 * NANO):
        clip = start
        for _ in range(200):
            clip = next_clip(clip, to_nano(min(1.0, clip / NANO / 3)), 600_000_000, 200_000_000)
        assert clip / NANO == pytest.approx(1.8, rel=1e-3)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_shares_become_whole_numbers(share: float) -> None:
    assert 0 <= to_nano(share) <= NANO
    if 0 <= share <= 1:
        assert abs(to_nano(share) - share * NANO) <= 0.5 + 1e-6
