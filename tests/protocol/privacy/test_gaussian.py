"""The sampler against the exact distribution, two other samplers, and wrong samplers that must fail."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from vicinia.errors import InvalidInput
from vicinia.privacy import gaussian
from vicinia.privacy.gaussian import DiscreteGaussian, distribution_function
from vicinia.privacy.stream import Stream, chacha_stream

SEED = bytes(range(32))
DRAWS = 400_000
# A sampler is wrong below this p-value; seeds are fixed, so that a right one is never unlucky.
REJECT = 1e-6

Sampler = Callable[[int], NDArray[np.int64]]


@lru_cache
def exact_pmf(sigma_squared: Fraction, reach: int) -> dict[int, float]:
    """exp(-x²/2σ²)/Z in 60 digits, by the definition; independent of the module under test."""
    with localcontext(prec=60):
        variance = Decimal(sigma_squared.numerator) / sigma_squared.denominator
        half = [(-Decimal(x * x) / (2 * variance)).exp() for x in range(reach + 1)]
        total = 2 * sum(half) - 1
        return {x: float(half[abs(x)] / total) for x in range(-reach, reach + 1)}


def p_value(draws: NDArray[np.int64], sigma_squared: Fraction) -> float:
    """χ² of the draws against the exact distribution; values of small expectation go into the two tails."""
    reach = math.isqrt(int(81 * sigma_squared)) + 2
    pmf = exact_pmf(sigma_squared, reach)
    edge = max(x for x in pmf if pmf[x] * len(draws) >= 10)
    # Wide distributions are counted in about 200 bins.
    step = max(1, (2 * edge + 1) // 200)
    bins = {x: (max(-edge, min(edge, x)) + edge) // step for x in pmf}
    expected = np.zeros(max(bins.values()) + 1)
    for x, index in bins.items():
        expected[index] += pmf[x] * len(draws)
    observed = np.bincount((np.clip(draws, -edge, edge) + edge) // step, minlength=len(expected))
    return float(stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue)


def ours(sigma_squared: Fraction) -> Sampler:
    return lambda count: DiscreteGaussian(sigma_squared).sample(count, chacha_stream(SEED))


def float_noise(sigma_squared: Fraction) -> Sampler:
    """Continuous noise, rounded: the shortcut that nobody may take."""
    return lambda count: np.rint(
        np.random.default_rng(5).normal(0, math.sqrt(sigma_squared), count)
    ).astype(np.int64)  # fmt: skip


@pytest.mark.parametrize(
    "sigma_squared",
    [Fraction(1, 4), Fraction(1), Fraction(16), Fraction(2237, 100), Fraction(200**2 + 1, 3), Fraction(4096**2)],
)
def test_the_draws_follow_the_exact_distribution(sigma_squared: Fraction) -> None:
    assert p_value(ours(sigma_squared)(DRAWS), sigma_squared) > 0.001


@pytest.mark.parametrize("sigma_squared", [Fraction(1, 4), Fraction(1), Fraction(9, 4)])
def test_control_rounded_float_noise_is_told_apart(sigma_squared: Fraction) -> None:
    assert p_value(float_noise(sigma_squared)(DRAWS), sigma_squared) < REJECT


@pytest.mark.parametrize("sigma_squared", [Fraction(1), Fraction(16), Fraction(200**2), Fraction(4096**2)])
def test_control_noise_two_percent_too_small_is_told_apart(sigma_squared: Fraction) -> None:
    assert p_value(ours(sigma_squared * Fraction(98, 100) ** 2)(DRAWS), sigma_squared) < REJECT


@pytest.mark.parametrize("sigma_squared", [Fraction(16), Fraction(1000)])
def test_control_a_table_cut_off_too_early_is_told_apart(
    sigma_squared: Fraction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gaussian, "_TAIL_SQUARED", Fraction(6))
    gaussian._table.cache_clear()
    draws = ours(sigma_squared)(DRAWS)
    gaussian._table.cache_clear()
    assert p_value(draws, sigma_squared) < REJECT


def test_control_a_table_of_too_few_bits_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    sigma_squared = Fraction(16)
    exact = distribution_function

    def coarse(variance: Fraction) -> tuple[tuple[int, ...], int]:
        steps, reach = exact(variance)
        return tuple(step >> 119 << 119 for step in steps), reach

    monkeypatch.setattr(gaussian, "distribution_function", coarse)
    gaussian._table.cache_clear()
    draws = ours(sigma_squared)(DRAWS)
    gaussian._table.cache_clear()
    assert p_value(draws, sigma_squared) < REJECT


@pytest.mark.parametrize("sigma_squared", [Fraction(1, 4), Fraction(16), Fraction(1234, 7), Fraction(300**2)])
def test_the_table_is_the_distribution_function_to_the_last_bits(sigma_squared: Fraction) -> None:
    steps, reach = distribution_function(sigma_squared)
    with localcontext(prec=130):
        variance = Decimal(sigma_squared.numerator) / sigma_squared.denominator
        wide = range(-2 * reach, 2 * reach + 1)
        weights = [(-Decimal(x * x) / (2 * variance)).exp() for x in wide]
        total, below = sum(weights), Decimal(0)
        for x, weight in zip(wide, weights, strict=True):
            below += weight
            if -reach <= x < reach:
                assert abs(Decimal(steps[x + reach]) - below / total * 2**128) < 2
    assert len(steps) == 2 * reach
    assert all(left <= right for left, right in pairwise(steps))


class Scripted:
    """A stream that repeats given 128-bit numbers."""

    def __init__(self, *numbers: int) -> None:
        self._numbers = numbers

    def words(self, count: int) -> NDArray[np.uint64]:
        lanes = [lane for number in self._numbers for lane in (number >> 64, number & (2**64 - 1))]
        return np.array(lanes[:count], dtype=np.uint64)


def draw_of(table: DiscreteGaussian, *numbers: int) -> list[int]:
    scripted: Stream = Scripted(*numbers)  # type: ignore[assignment]  # a stand-in for the one method that is used
    return [int(value) for value in table.sample(len(numbers), scripted)]


@pytest.mark.parametrize("sigma_squared", [Fraction(1, 4), Fraction(16), Fraction(4096**2)])
def test_the_low_lane_decides_where_the_high_lanes_are_equal(sigma_squared: Fraction) -> None:
    table = DiscreteGaussian(sigma_squared)
    steps, reach = distribution_function(sigma_squared)
    for place in {0, 1, len(steps) // 3, len(steps) // 2, len(steps) - 2, len(steps) - 1}:
        step = steps[place]
        after = sum(1 for other in steps if other <= step) - reach
        before = sum(1 for other in steps if other <= step - 1) - reach
        assert draw_of(table, step) == [after]
        if step > 0:
            assert draw_of(table, step - 1) == [before]


@pytest.mark.parametrize("sigma_squared", [Fraction(1, 4), Fraction(16), Fraction(4096**2)])
def test_the_smallest_and_the_largest_draw_are_in_the_tails(sigma_squared: Fraction) -> None:
    _, reach = distribution_function(sigma_squared)
    low, high = draw_of(DiscreteGaussian(sigma_squared), 0, 2**128 - 1)
    assert low <= -reach * 0.7
    assert high == reach


@given(st.lists(st.integers(0, 2**128 - 1), min_size=1, max_size=50), st.sampled_from([1, 16, 1000, 99_999]))
@settings(max_examples=60, deadline=None)
def test_every_draw_is_the_count_of_steps_at_or_below_it(numbers: list[int], variance: int) -> None:
    steps, reach = distribution_function(Fraction(variance))
    expected = [sum(1 for step in steps if step <= number) - reach for number in numbers]
    assert draw_of(DiscreteGaussian(Fraction(variance)), *numbers) == expected


def test_a_seed_determines_the_draws_and_calls_continue_one_another() -> None:
    table = DiscreteGaussian(Fraction(50))
    stream = chacha_stream(SEED)
    parts = np.concatenate([table.sample(300, stream), table.sample(700, stream)])
    assert np.array_equal(parts, table.sample(1000, chacha_stream(SEED)))
    assert not np.array_equal(parts, table.sample(1000, chacha_stream(bytes(32))))
    assert len(table.sample(0, stream)) == 0


@pytest.mark.parametrize("sigma_squared", [Fraction(1, 5), Fraction(4097**2), Fraction(-1)])
def test_a_variance_out_of_range_is_refused(sigma_squared: Fraction) -> None:
    with pytest.raises(InvalidInput):
        DiscreteGaussian(sigma_squared)


# Canonne, Kamath, Steinke 2020, algorithms 1-3, in exact integers.


def bernoulli_exp(numerator: int, denominator: int) -> bool:
    """True with probability exp(-numerator/denominator)."""
    while numerator > denominator:
        if not bernoulli_exp(1, 1):
            return False
        numerator -= denominator
    round_ = 1
    while secrets.randbelow(denominator * round_) < numerator:
        round_ += 1
    return round_ % 2 == 1


def exact_draw(sigma_squared: int) -> int:
    scale = math.isqrt(sigma_squared) + 1
    while True:
        remainder = secrets.randbelow(scale)
        if not bernoulli_exp(remainder, scale):
            continue
        quotient = 0
        while bernoulli_exp(1, 1):
            quotient += 1
        magnitude = remainder + scale * quotient
        negative = secrets.randbelow(2) == 1
        if negative and magnitude == 0:
            continue
        distance = abs(magnitude * scale - sigma_squared)
        if bernoulli_exp(distance * distance, 2 * sigma_squared * scale * scale):
            return -magnitude if negative else magnitude


def same_distribution(first: NDArray[np.int64], second: NDArray[np.int64], sigma: float) -> float:
    edges = np.arange(-3, 3.01, 0.25) * sigma
    tables = [np.histogram(draws, np.concatenate(([-np.inf], edges, [np.inf])))[0] for draws in (first, second)]
    return float(stats.chi2_contingency(np.array(tables)).pvalue)


def test_exact_rejection_sampling_gives_the_same_distribution() -> None:
    """Its randomness is the system's, hence a bound that a right sampler misses once in 10^6 runs."""
    rejection = np.array([exact_draw(30) for _ in range(12_000)])
    assert same_distribution(ours(Fraction(30))(DRAWS), rejection, math.sqrt(30)) > 1e-6
    assert same_distribution(ours(Fraction(40))(DRAWS), rejection, math.sqrt(30)) < REJECT


def test_opendp_gives_the_same_distribution() -> None:
    import opendp.prelude as dp

    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T=int)), dp.l2_distance(T=float)
    noise = dp.m.make_gaussian(*space, scale=25.0)([0] * 20_000)
    assert same_distribution(ours(Fraction(625))(DRAWS), np.array(noise), 25.0) > 1e-6
    assert same_distribution(ours(Fraction(500))(DRAWS), np.array(noise), 25.0) < REJECT
