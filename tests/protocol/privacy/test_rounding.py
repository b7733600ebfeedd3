"""Conditional stochastic rounding: the norm holds whatever comes in, and the mean stays."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from vicinia.errors import InvalidInput
from vicinia.privacy.noise import encoding_scale
from vicinia.privacy.rounding import clip_vector, round_vector
from vicinia.privacy.stream import chacha_stream

SEED = bytes(range(32))
DIRTY = st.floats(allow_nan=True, allow_infinity=True, width=64)
CLEAN = st.floats(-1, 1)


def exact_norm_squared(vector: np.ndarray) -> int:
    return sum(int(value) ** 2 for value in vector)


@given(
    hnp.arrays(np.float64, st.integers(1, 60), elements=DIRTY | CLEAN),
    st.fractions(1, 30, max_denominator=7),
    st.integers(6, 30),
    st.binary(min_size=32, max_size=32),
)
@settings(max_examples=200, deadline=None)
def test_the_norm_of_the_whole_never_exceeds_its_bound(
    vector: np.ndarray, norm: Fraction, exponent: int, seed: bytes
) -> None:
    scale = 1 << exponent
    rounded = round_vector(vector, norm, scale, chacha_stream(seed))
    assert rounded.dtype == np.int64
    assert exact_norm_squared(rounded) <= scale**2 * norm
    assert int(np.abs(rounded).max()) <= scale


@given(
    st.lists(st.integers(1, 20), min_size=1, max_size=8),
    st.data(),
    st.fractions(1, 10, max_denominator=7),
    st.integers(5, 30),
)
@settings(max_examples=200, deadline=None)
def test_every_group_keeps_its_norm_as_well(groups: list[int], data: st.DataObject, norm: Fraction, e: int) -> None:
    vector = data.draw(hnp.arrays(np.float64, sum(groups), elements=DIRTY | CLEAN))
    rounded = round_vector(vector, norm, 1 << e, chacha_stream(SEED), groups=groups)
    start = 0
    for size in groups:
        assert exact_norm_squared(rounded[start : start + size]) <= 4**e
        start += size
    assert exact_norm_squared(rounded) <= 4**e * norm


@pytest.mark.parametrize("length", [1.0, 0.999, 3.0])
def test_a_long_group_between_short_ones_keeps_its_norm_and_they_keep_theirs(length: float) -> None:
    groups = [1, 30_000, 1]
    long = np.random.default_rng(2).normal(size=groups[1])
    vector = np.concatenate(([2.0], long * (length / np.linalg.norm(long)), [-1.0]))
    rounded = round_vector(vector, Fraction(3), 1 << 12, chacha_stream(SEED), groups=groups)
    unit = encoding_scale(1 << 12, groups[1])
    assert (rounded[0], rounded[-1]) == (unit, -unit)
    assert (0.99 * min(length, 1) * unit) ** 2 <= exact_norm_squared(rounded[1:-1]) <= 4**12


@pytest.mark.parametrize("dirt", [np.nan, np.inf, -np.inf, 1e200, -1e308])
def test_what_is_no_number_or_overflows_becomes_zeros_all_over(dirt: float) -> None:
    vector = np.array([0.5, dirt, -0.25])
    assert not round_vector(vector, Fraction(3), 1 << 10, chacha_stream(SEED), groups=[1, 1, 1]).any()
    assert not round_vector(vector, Fraction(3), 1 << 10, chacha_stream(SEED)).any()


def test_clipping_shortens_groups_and_the_whole_and_leaves_the_rest_alone() -> None:
    vector = np.array([3.0, 4.0, 0.5])
    assert clip_vector(vector, Fraction(5), [2, 1]) == pytest.approx([2**-0.5, 2**-0.5, 0.5])
    assert clip_vector(np.array([0.3, -0.2]), Fraction(1)) == pytest.approx([0.3, -0.2])
    assert np.linalg.norm(clip_vector(np.ones(100), Fraction(4))) == pytest.approx(2)


def test_whole_values_are_encoded_exactly() -> None:
    one_hot = np.zeros(256)
    one_hot[17] = 1.0
    rounded = round_vector(one_hot, Fraction(1), 1 << 12, chacha_stream(SEED), groups=[256])
    unit = encoding_scale(1 << 12, 256)
    assert rounded[17] == unit == 4094
    assert np.count_nonzero(rounded) == 1


def test_rounding_keeps_the_mean() -> None:
    draws, scale = 40_000, 256
    value = 0.37712
    rounded = round_vector(np.full(draws, value), Fraction(draws), scale, chacha_stream(SEED), groups=[1] * draws)
    unit = encoding_scale(scale, 1)
    error = rounded.mean() / unit - value
    assert abs(error) < 5 * 0.5 / unit / draws**0.5
    assert set(np.unique(rounded)) == {int(value * unit), int(value * unit) + 1}


def test_rounding_a_vector_at_its_norm_bound_keeps_the_mean_too() -> None:
    """Dividing by S instead of S' would be off by far more than this tolerance."""
    length, scale, repeats = 4_096, 512, 60
    direction = np.random.default_rng(1).normal(size=length)
    direction /= np.linalg.norm(direction)
    unit = encoding_scale(scale, length)
    stream = chacha_stream(SEED)
    projections = np.array(
        [direction @ round_vector(direction, Fraction(1), scale, stream, unit=unit) for _ in range(repeats)]
    )
    assert abs(projections.mean() / unit - 1) < 0.002
    assert abs(projections.mean() / scale - 1) > 0.003


def test_rounding_towards_zero_would_be_biased_where_stochastic_rounding_is_not() -> None:
    vector = np.full(20_000, 0.9 / 256)
    rounded = round_vector(vector, Fraction(20_000), 256, chacha_stream(SEED), groups=[1] * 20_000)
    assert rounded.mean() == pytest.approx(0.9 / 256 * 254, rel=0.02)
    assert not np.trunc(vector * 254).any()


def test_groups_that_do_not_cover_the_vector_are_refused() -> None:
    for groups in ([2], [2, 2], [3, 0], []):
        with pytest.raises(InvalidInput):
            round_vector(np.zeros(3), Fraction(3), 1 << 8, chacha_stream(SEED), unit=250, groups=groups)


def test_a_vector_of_another_shape_is_refused() -> None:
    for vector in (np.zeros((2, 2)), np.zeros(0)):
        with pytest.raises(InvalidInput):
            round_vector(vector, Fraction(1), 1 << 8, chacha_stream(SEED))


def test_a_stream_needs_a_full_seed_and_a_short_domain() -> None:
    with pytest.raises(InvalidInput):
        chacha_stream(b"short")
    with pytest.raises(InvalidInput):
        chacha_stream(SEED, b"far too long a name")


def test_a_stream_is_the_chacha20_key_stream() -> None:
    """RFC 8439, appendix A.1, test vector 1: all-zero key and nonce, counter 0."""
    assert chacha_stream(bytes(32)).bytes(16).hex() == "76b8e0ada0f13d90405d6ae55386bd28"
    first, second = chacha_stream(SEED, b"noise"), chacha_stream(SEED, b"rounding")
    assert first.bytes(32) != second.bytes(32)
