"""`./run soak`: thousands of simulated runs under random faults, from a seed, with the invariants checked after each.

Each run draws its own size, bounds, dropouts and restarts. Either the sum is exactly that of the homes whose vector
was counted, or the run failed with a reason; never anything else, and never below the floor.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

sys.path[:1] = [str(Path(__file__).resolve().parent.parent)]

import numpy as np  # noqa: E402
from simulator_round import Phase, Simulation  # noqa: E402
from vicinia.errors import RoundFailed  # noqa: E402

LARGE = 0.005
"""The share of runs with a ring (n > 200), which take a second or more each."""


def one_run(seed: int) -> str:
    """Simulate the run of this seed; how it ended. AssertionError when an invariant does not hold."""
    draw = random.Random(seed)
    n = draw.randrange(201, 260) if draw.random() < LARGE else draw.randrange(4, 26)
    corrupt = max(1, n // 20)
    delta = Fraction(draw.choice([1, 2, 3]), 10)
    floor = draw.choice([1, 2, 5])
    leaves = {home: draw.choice(list(Phase)) for home in range(n) if draw.random() < draw.choice([0.02, 0.1, 0.4])}
    try:
        simulation = Simulation(
            n,
            corrupt=corrupt,
            delta=delta,
            floor=floor,
            elements=draw.randrange(1, 40),
            seed=seed,
            reload=draw.random() < 0.5,
        )
        total = simulation.run(leaves)
    except RoundFailed as failure:
        return f"failed: {failure.what.split()[0]}"
    assert np.array_equal(total, simulation.expected()), f"seed {seed}: the sum is wrong"
    assert len(set(simulation.inputs)) == len(simulation.inputs), f"seed {seed}: a home was counted twice"
    assert len(simulation.inputs) - corrupt >= floor, f"seed {seed}: unmasked below the floor"
    return "exact"


def main(argv: Sequence[str]) -> int:
    """Run until the time is over; the seed of a broken run is printed."""
    parser = argparse.ArgumentParser(
        prog="./run soak",
        description="Many simulated runs under random faults.",
        epilog="Example: ./run soak --minutes 10",
    )
    parser.add_argument("--minutes", type=float, default=5.0, help="how long (default 5)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed (default 0)")
    arguments = parser.parse_args(argv)
    ends, seed, outcomes = time.monotonic() + 60 * arguments.minutes, arguments.seed, Counter[str]()
    said = time.monotonic()
    while time.monotonic() < ends:
        try:
            outcomes[one_run(seed)] += 1
        except AssertionError as broken:
            print(f"broken: {broken}", file=sys.stderr)
            return 1
        seed += 1
        if time.monotonic() - said > 10:
            said = time.monotonic()
            print(f"{sum(outcomes.values())} runs, {max(0.0, ends - said):.0f} s left", file=sys.stderr, flush=True)
    for outcome, count in outcomes.most_common():
        print(f"{count:7d}  {outcome}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
