"""How fast the sampler is, and how far the distributed noise lies above a central curator's."""

from __future__ import annotations

import math
import statistics
import time
from fractions import Fraction

import numpy as np
from vicinia.privacy.encode import contribution, decode
from vicinia.privacy.gaussian import DiscreteGaussian
from vicinia.privacy.noise import NANO, NoisePlan
from vicinia.privacy.stream import chacha_stream

__all__ = ["measure", "rmse_ratio"]

DRAWS = 1_000_000
RHO_NANO = 64_000_000
# Homes, corrupt homes, slots: each slot is one sample of the error.
COHORTS = ((256, 16, 40_000), (10_000, 500, 10_000))


def measure() -> list[tuple[str, str]]:
    """Figures as (what, value) rows: medians in milliseconds, and error ratios with everybody surviving."""
    rows = [
        (f"sampler, 1e6 draws, sigma {sigma}", f"{1000 * _sampler_seconds(sigma):.0f} ms (target 150 ms)")
        for sigma in (4, 256, 4096)
    ]
    rows.append(("sampler, table for sigma 4096", f"{1000 * _table_seconds():.0f} ms"))
    for n, corrupt, slots in COHORTS:
        computed, measured = rmse_ratio(n, corrupt, slots)
        spread = measured / math.sqrt(2 * slots)
        what = f"RMSE against the central Gaussian mechanism, n={n:,}, A={corrupt}"
        rows.append((what, f"{computed:.3f} computed, {measured:.3f} ± {spread:.3f} measured (target 1.10)"))
    return rows


def rmse_ratio(n: int, corrupt: int, slots: int) -> tuple[float, float]:
    """The error of decoded sums over n homes divided by the central mechanism's at the same ρ: computed, measured."""
    honest = -(-9 * n // 10) - corrupt
    plan = NoisePlan.derive(Fraction(slots), slots, RHO_NANO * slots, n, honest, group=1)
    central = math.sqrt(1 / (2 * RHO_NANO / NANO))
    groups = np.ones(slots, dtype=np.int64)
    data = np.random.default_rng(7)
    exact, total = np.zeros(slots), np.zeros(slots, dtype=np.int64)
    for home in range(n):
        vector = data.uniform(-1, 1, slots)
        exact += vector
        total += contribution(vector, plan, home.to_bytes(32, "little"), groups)
    error = math.sqrt(np.mean((decode(total, plan) - exact) ** 2))
    return math.hypot(plan.sum_std(n), plan.rounding_std(n)) / central, error / central


def _sampler_seconds(sigma: int) -> float:
    table, stream = DiscreteGaussian(Fraction(sigma**2)), chacha_stream(bytes(32))
    times = []
    for _ in range(7):
        start = time.perf_counter()
        table.sample(DRAWS, stream)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _table_seconds() -> float:
    start = time.perf_counter()
    DiscreteGaussian(Fraction(4096**2 - 1))
    return time.perf_counter() - start


if __name__ == "__main__":
    for what, value in measure():
        print(f"{what:70} {value}")
