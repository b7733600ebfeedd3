"""The whole contribution of a home, attacked: what a sum tells about one household, and what two sums tell."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import stats
from vicinia.errors import InvalidInput
from vicinia.privacy.conversion import rho_to_epsilon
from vicinia.privacy.encode import contribution, decode, encode, noise_share
from vicinia.privacy.noise import NANO, NoisePlan

HOMES = 24
TRIALS = 60_000
RHO = 0.5
"""zCDP of one slot. Each slot of a long vector is one trial of the mechanism for a single number."""


def seed(*parts: object) -> bytes:
    return hashlib.sha256(repr(parts).encode()).digest()


@dataclass(frozen=True)
class Cohort:
    """Homes that all say the same in every slot; the first is the victim."""

    plan: NoisePlan
    label: str

    def release(self, victim: float, others: float, homes: int = HOMES) -> NDArray[np.float64]:
        total = np.zeros(TRIALS, dtype=np.int64)
        for home in range(homes):
            vector = np.full(TRIALS, victim if home == 0 else others)
            total += contribution(vector, self.plan, seed(self.label, home), [1] * TRIALS)
        return decode(total, self.plan)


@pytest.fixture(scope="module")
def plan() -> NoisePlan:
    rho_nano = int(RHO * NANO) * TRIALS
    return NoisePlan.derive(Fraction(TRIALS), TRIALS, rho_nano, HOMES, HOMES, group=1)


def epsilon_lower_bound(with_: NDArray[np.float64], without: NDArray[np.float64], delta: float) -> float:
    """The ε that the best of many threshold tests refutes with 99.9 % confidence (Clopper-Pearson)."""
    count, best = len(with_), 0.0
    thresholds = np.quantile(with_, np.linspace(0.01, 0.99, 50))
    confidence = 1 - 0.001 / len(thresholds)
    for threshold in thresholds:
        hits, alarms = int((with_ >= threshold).sum()), int((without >= threshold).sum())
        power = stats.beta.ppf(1 - confidence, hits, count - hits + 1) if hits else 0.0
        error = stats.beta.ppf(confidence, alarms + 1, count - alarms) if alarms < count else 1.0
        if power > delta:
            best = max(best, math.log((power - delta) / error))
    return best


DELTA = 1e-5


def test_no_test_tells_neighbouring_cohorts_apart_better_than_epsilon_allows(plan: NoisePlan) -> None:
    with_ = Cohort(plan, "a").release(victim=1.0, others=0.3)
    without = Cohort(plan, "b").release(victim=0.0, others=0.3)
    found = epsilon_lower_bound(with_, without, DELTA)
    assert found <= rho_to_epsilon(int(RHO * NANO), DELTA)
    # The attack is not a blunt one: it finds a good part of what the mechanism may lose.
    assert found > 0.35 * rho_to_epsilon(int(RHO * NANO), DELTA)


def test_control_a_tenth_of_the_noise_is_caught_by_the_same_attack(plan: NoisePlan) -> None:
    weak = replace(plan, sigma_squared=plan.sigma_squared / 100)
    with_ = Cohort(weak, "a").release(victim=1.0, others=0.3)
    without = Cohort(weak, "b").release(victim=0.0, others=0.3)
    assert epsilon_lower_bound(with_, without, DELTA) > rho_to_epsilon(int(RHO * NANO), DELTA)


def test_the_sum_with_a_home_less_the_sum_without_it_tells_only_what_two_runs_may(plan: NoisePlan) -> None:
    """Differencing: n against n - 1, each run with fresh noise; the pair costs 2ρ, and one home less is less noise."""
    everybody = Cohort(plan, "first").release(victim=1.0, others=0.3)
    without = Cohort(plan, "second").release(victim=0.3, others=0.3, homes=HOMES - 1)
    same = Cohort(plan, "third").release(victim=0.0, others=0.3)
    difference, nothing = everybody - without, same - without
    found = epsilon_lower_bound(difference, nothing, DELTA)
    assert found <= rho_to_epsilon(2 * int(RHO * NANO), DELTA)
    # Guessing a home's bit from the difference is right no more often than Pinsker's inequality allows for 2ρ.
    right = ((difference > 0.5).mean() + (nothing <= 0.5).mean()) / 2
    assert right <= 0.5 * (1 + math.sqrt(RHO))


def test_control_without_noise_differencing_reads_the_home_exactly(plan: NoisePlan) -> None:
    def release(homes: int) -> NDArray[np.float64]:
        parts = [encode(np.full(TRIALS, 1.0), plan, seed("bare", home), [1] * TRIALS) for home in range(homes)]
        return decode(np.sum(parts, axis=0), plan)

    assert np.all(release(HOMES) - release(HOMES - 1) == 1.0)


def test_the_noise_of_a_sum_is_what_the_plan_says(plan: NoisePlan) -> None:
    noise = decode(np.sum([noise_share(plan, seed("noise", home)) for home in range(HOMES)], axis=0), plan)
    assert noise.std() == pytest.approx(plan.sum_std(HOMES), rel=0.02)
    assert abs(noise.mean()) < 5 * plan.sum_std(HOMES) / math.sqrt(TRIALS)
    assert plan.sum_std(HOMES) == pytest.approx(math.sqrt(1 / (2 * RHO)), rel=0.01)


@given(
    hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats()),
    st.binary(min_size=32, max_size=32),
    st.integers(10, 1000),
)
@settings(max_examples=30, deadline=None)
def test_a_contribution_fits_the_ring_whatever_the_rows_held(vector: np.ndarray, random: bytes, n: int) -> None:
    plan = NoisePlan.derive(Fraction(len(vector)), len(vector), 64_000_000, n, max(1, n * 8 // 10), group=1)
    sent = contribution(vector, plan, random, [1] * len(vector))
    clean = encode(vector, plan, random, [1] * len(vector))
    assert np.array_equal(sent - clean, noise_share(plan, random))
    assert int(clean @ clean) <= plan.scale**2 * plan.norm_squared
    assert int(np.abs(sent).max()) < 2 ** (plan.width - 1)


def test_a_vector_of_another_length_is_refused(plan: NoisePlan) -> None:
    with pytest.raises(InvalidInput, match="shape"):
        contribution(np.zeros(3), plan, seed("x"))
