"""A training run without its transport: every home's statistic, their sum with noise of the plan's size, the step.

The noise is a Gaussian with the standard deviation that the noise plan gives for the sum, so that thousands of homes
can be simulated in one process.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from vicinia.node.training.mlp import statistic
from vicinia.privacy.noise import NoisePlan
from vicinia.privacy.stream import chacha_stream
from vicinia.training.clipping import next_clip, to_nano
from vicinia.training.examples import Examples
from vicinia.training.layout import VectorLayout
from vicinia.training.model import Model
from vicinia.training.parameter import NANO
from vicinia.training.recipe import Aggregate
from vicinia.training.recipes.mlp import Mlp

__all__ = ["Clipping", "federated", "noise_of", "released"]


@dataclass(frozen=True)
class Clipping:
    """The first clipping norm, the quantile that it follows, and how fast; all in 10^-9."""

    first: int = NANO
    quantile: int = NANO // 2
    rate: int = NANO // 2


def noise_of(layout: VectorLayout, rho_nano: int, homes: int) -> float:
    """The standard deviation of noise and rounding in a slot of the sum: 5 % corrupt, 10 % may drop out, none does."""
    honest = -(-9 * homes // 10) - homes // 20
    group = max(layout.group_lengths)
    plan = NoisePlan.derive(layout.norm_squared, layout.length, rho_nano, homes, honest, group=group)
    return math.hypot(plan.sum_std(homes), plan.rounding_std(homes))


def released(total: NDArray[np.float64], noise: float, homes: int, draw: np.random.Generator) -> Aggregate:
    """The sum as the coordinator sees it."""
    return Aggregate(total + noise * draw.standard_normal(len(total)), noise, homes - homes % 10)


def federated(
    recipe: Mlp,
    homes: Sequence[Examples],
    rounds: int,
    rho_nano: int | None = None,
    *,
    copies: int = 1,
    clipping: Clipping | None = None,
) -> Iterator[tuple[Model, float]]:
    """FedAvg with the adaptive clip: the model after each round, with the clip it was trained with.

    rho_nano: of all rounds together; without it there is no noise; copies: how many homes hold the same rows each,
    which costs no time.
    """
    clipping = clipping or Clipping()
    layout, model, clip_nano = recipe.layout(), recipe.initial(), clipping.first
    noise = 0.0 if rho_nano is None else noise_of(layout, rho_nano // rounds, copies * len(homes))
    draw = np.random.default_rng(5)
    for number in range(rounds):
        clip, total = clip_nano / NANO, np.zeros(layout.length)
        for place, examples in enumerate(homes):
            stream = chacha_stream((number * len(homes) + place).to_bytes(32, "big"))
            total += statistic(recipe, model, examples, clip, stream)
        sums = released(copies * total, noise, copies * len(homes), draw)
        model = model.with_flat(model.flat() + recipe.mean_update(sums, clip))
        yield model, clip
        clip_nano = next_clip(clip_nano, to_nano(recipe.below_clip(sums)), clipping.quantile, clipping.rate)
