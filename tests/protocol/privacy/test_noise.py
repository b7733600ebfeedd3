"""The noise plan: within the budget, within the ring, the same for everybody, close to a central curator's noise."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vicinia.errors import InvalidInput
from vicinia.privacy.noise import MAX_ROSTER, NoisePlan, encoding_scale


def honest_of(n: int, corrupt: int) -> int:
    return -(-9 * n // 10) - corrupt


def plan_or_none(*args: int, norm: Fraction = Fraction(2), group: int | None = None) -> NoisePlan | None:
    length, rho_nano, n, honest = args
    try:
        return NoisePlan.derive(norm, length, rho_nano, n, honest, group=group)
    except InvalidInput:
        return None


def rho_by_the_paper(plan: NoisePlan) -> Decimal:
    """½·min{Δ²/(hσ²) + 2τd, (Δ/(√h·σ) + τ√d)²}, with the sum of τ in 60 digits."""
    with localcontext(prec=60):
        pi = Decimal("3.14159265358979323846264338327950288419716939937510582097494")
        variance = Decimal(plan.sigma_squared.numerator) / plan.sigma_squared.denominator
        h, d = Decimal(plan.honest), Decimal(plan.length)
        delta_squared = Decimal(plan.scale) ** 2 * plan.norm_squared.numerator / plan.norm_squared.denominator
        tau = 10 * sum(((-2 * pi**2 * variance * j) / (j + 1)).exp() for j in range(1, min(plan.honest, 300)))
        tau += 10 * max(0, plan.honest - 300) * (-2 * pi**2 * variance * 300 / 301).exp()
        first = delta_squared / (h * variance) + 2 * tau * d
        second = ((delta_squared / h / variance).sqrt() + tau * d.sqrt()) ** 2
        return min(first, second) / 2


@given(
    length=st.integers(1, 1 << 20),
    rho_nano=st.integers(1, 10**10),
    n=st.integers(2, MAX_ROSTER),
    share=st.floats(0.1, 1),
    norm=st.fractions(1, 500, max_denominator=50),
    group=st.integers(1, 1 << 20),
)
@settings(max_examples=200, deadline=None)
def test_every_plan_keeps_its_promises(
    length: int, rho_nano: int, n: int, share: float, norm: Fraction, group: int
) -> None:
    group = min(group, length)
    plan = plan_or_none(length, rho_nano, n, max(1, int(share * n)), norm=norm, group=group)
    if plan is None:
        return
    reach = plan.n * plan.scale + 12 * plan.sigma_local * math.sqrt(plan.n)
    assert 4 <= plan.sigma_local <= 4096
    assert plan.scale & (plan.scale - 1) == 0
    assert plan.scale**2 >= 16 * group
    assert 0 < plan.unit <= plan.scale - group / (8 * plan.scale) - 1
    assert reach < 2 ** (plan.width - 1) <= 2**31
    assert reach * 1.000001 >= 2 ** (plan.width - 2) or plan.width == 2
    assert plan.rho_nano <= rho_nano
    assert rho_by_the_paper(plan) * 10**9 <= plan.rho_nano
    # Nearly all of the budget is used: the noise is not larger than it has to be.
    assert plan.rho_nano >= 0.9999 * rho_nano - 1


@given(length=st.integers(1, 5000), rho_nano=st.integers(10**5, 10**9), n=st.integers(20, 20_000))
@settings(max_examples=60, deadline=None)
def test_the_grid_is_the_finest_that_fits(length: int, rho_nano: int, n: int) -> None:
    plan = plan_or_none(length, rho_nano, n, max(1, honest_of(n, n // 20)))
    if plan is None:
        return
    sigma = 2 * plan.sigma_local
    assert sigma > 4096 or n * 2 * plan.scale + 12 * sigma * math.sqrt(n) >= 2**31


def test_a_plan_is_the_same_number_for_everybody() -> None:
    plan = NoisePlan.derive(Fraction(14), 100, 64_000_000, 256, 215, group=1)
    assert (plan.scale, plan.unit, plan.width, plan.rho_nano) == (4096, 4094, 22, 64_000_000)
    assert plan.sigma_squared == Fraction(2237378312335, 262144)


@pytest.mark.parametrize(("n", "corrupt"), [(256, 16), (10_000, 500)])
@pytest.mark.parametrize(("length", "norm"), [(1, 1), (2, 2), (100, 14), (5_000, 40)])
@pytest.mark.parametrize("rho_nano", [10_000_000, 64_000_000, 250_000_000])
def test_the_error_is_at_most_1_10_of_the_central_gaussian_mechanism(
    n: int, corrupt: int, length: int, norm: int, rho_nano: int
) -> None:
    """With everybody surviving, which is when the noise is largest."""
    plan = NoisePlan.derive(Fraction(norm), length, rho_nano, n, honest_of(n, corrupt), group=1)
    central = math.sqrt(norm / (2 * rho_nano / 1e9))
    ours = math.hypot(plan.sum_std(n), plan.rounding_std(n))
    assert ours / central <= 1.10


def test_noise_sized_for_the_floor_alone_would_be_several_times_too_large() -> None:
    fitted = NoisePlan.derive(Fraction(2), 2, 64_000_000, 1_000, honest_of(1_000, 50))
    floor = NoisePlan.derive(Fraction(2), 2, 64_000_000, 1_000, 20)
    assert floor.sum_std(1_000) > 5 * fitted.sum_std(1_000)


def test_a_large_epsilon_in_a_large_cohort_is_refused_rather_than_run_with_too_little_noise() -> None:
    with pytest.raises(InvalidInput, match="share of the noise"):
        NoisePlan.derive(Fraction(1), 1, 10**12, MAX_ROSTER, 100_000)


def test_a_vector_too_long_for_its_grid_is_refused() -> None:
    with pytest.raises(InvalidInput, match="too coarse"):
        NoisePlan.derive(Fraction(1), 1 << 22, 100_000, 20, 10)
    assert NoisePlan.derive(Fraction(1), 1 << 22, 100_000, 20, 10, group=1).unit > 0
    with pytest.raises(InvalidInput, match="too coarse"):
        encoding_scale(4, 2)


@pytest.mark.parametrize(
    "changed",
    [{"length": 0}, {"norm": Fraction(1, 2)}, {"rho": 0}, {"n": 1}, {"n": MAX_ROSTER + 1}, {"h": 0}, {"h": 21},
     {"group": 0}, {"group": 3}, {"length": 1 << 25}],
)  # fmt: skip
def test_arguments_out_of_range_are_refused_by_name(changed: dict[str, int]) -> None:
    values: dict[str, int | Fraction] = {"length": 2, "norm": Fraction(2), "rho": 10**7, "n": 20, "h": 17, "group": 1}
    values |= changed
    with pytest.raises(InvalidInput, match="noise plan: "):
        NoisePlan.derive(
            Fraction(values["norm"]), int(values["length"]), int(values["rho"]), int(values["n"]), int(values["h"]),
            group=int(values["group"]),
        )  # fmt: skip
