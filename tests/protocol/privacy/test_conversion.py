"""ρ and (ε, δ): the figures of the design, and agreement with dp-accounting and OpenDP."""

from __future__ import annotations

import math

import pytest
from dp_accounting import dp_event
from dp_accounting.rdp import rdp_privacy_accountant
from hypothesis import given, settings
from hypothesis import strategies as st
from vicinia.errors import InvalidInput
from vicinia.privacy.conversion import DELTA, epsilon_to_rho_nano, rho_to_epsilon

RHOS = [1_000, 1_000_000, 10_000_000, 64_000_000, 250_000_000, 1_000_000_000, 4_000_000_000]


def test_two_epsilon_are_about_0_064_rho_and_more_than_the_simple_bound_grants() -> None:
    rho_nano = epsilon_to_rho_nano(2.0)
    assert 63_500_000 < rho_nano < 64_500_000
    simple = (math.sqrt(math.log(1 / DELTA) + 2.0) - math.sqrt(math.log(1 / DELTA))) ** 2
    assert 51_000_000 < simple * 1e9 < 52_000_000
    assert rho_nano > simple * 1e9


@pytest.mark.parametrize("rho_nano", RHOS)
def test_epsilon_agrees_with_dp_accounting(rho_nano: int) -> None:
    rho = rho_nano / 1e9
    best = 1 + math.sqrt(math.log(1 / DELTA) / rho)
    orders = [1 + (best - 1) * 1.002**step for step in range(-600, 601)]
    accountant = rdp_privacy_accountant.RdpAccountant(orders)
    accountant.compose(dp_event.ZCDpEvent(rho))
    assert rho_to_epsilon(rho_nano) == pytest.approx(accountant.get_epsilon(DELTA), rel=1e-5)


@pytest.mark.parametrize("rho_nano", RHOS)
def test_epsilon_agrees_with_opendp(rho_nano: int) -> None:
    import opendp.prelude as dp

    dp.enable_features("contrib")
    space = dp.atom_domain(T=float, nan=False), dp.absolute_distance(T=float)
    # At sensitivity 1, a Gaussian of this scale is ρ-zCDP.
    measurement = dp.c.make_fix_delta(
        dp.c.make_zCDP_to_approxDP(dp.m.make_gaussian(*space, scale=math.sqrt(0.5e9 / rho_nano))), delta=DELTA
    )
    epsilon, _ = measurement.map(1.0)  # type: ignore[no-untyped-call]  # OpenDP's maps have no types
    assert rho_to_epsilon(rho_nano) == pytest.approx(epsilon, rel=1e-5)


@given(st.integers(1, 10**10), st.sampled_from([1e-12, 1e-8, 1e-5]))
@settings(max_examples=60, deadline=None)
def test_no_order_gives_a_smaller_epsilon(rho_nano: int, delta: float) -> None:
    rho = rho_nano / 1e9
    found = rho_to_epsilon(rho_nano, delta)
    for step in range(-40, 41):
        alpha = 1 + math.sqrt(math.log(1 / delta) / rho) * 1.1**step
        bound = alpha * rho + (math.log(1 / delta) + (alpha - 1) * math.log1p(-1 / alpha) - math.log(alpha)) / (
            alpha - 1
        )
        assert found <= bound * (1 + 1e-9) + 1e-12


@given(st.floats(0.001, 50), st.sampled_from([1e-12, 1e-8, 1e-5]))
@settings(max_examples=40, deadline=None)
def test_the_way_back_is_the_largest_rho_within_epsilon(epsilon: float, delta: float) -> None:
    rho_nano = epsilon_to_rho_nano(epsilon, delta)
    assert rho_to_epsilon(rho_nano, delta) <= epsilon < rho_to_epsilon(rho_nano + 1, delta)


def test_nothing_costs_nothing() -> None:
    assert rho_to_epsilon(0) == 0.0


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.nan, math.inf, 1e-9])
def test_an_epsilon_that_means_nothing_is_refused(epsilon: float) -> None:
    with pytest.raises(InvalidInput):
        epsilon_to_rho_nano(epsilon)


@pytest.mark.parametrize("delta", [0.0, 1.0, -1.0, math.nan])
def test_a_delta_that_means_nothing_is_refused(delta: float) -> None:
    with pytest.raises(InvalidInput):
        rho_to_epsilon(1, delta)
    with pytest.raises(InvalidInput):
        epsilon_to_rho_nano(1.0, delta)


@pytest.mark.parametrize("rho_nano", [-1, 10**16])
def test_a_rho_out_of_range_is_refused(rho_nano: int) -> None:
    with pytest.raises(InvalidInput):
        rho_to_epsilon(rho_nano)
