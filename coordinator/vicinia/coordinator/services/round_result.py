"""What a round of a training releases: the noisy sum, and the small document that the log names."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, cast

from vicinia.coordinator.services.terms import Terms
from vicinia.privacy.encode import decode
from vicinia.privacy.noise import NoisePlan
from vicinia.secagg.manifest import Manifest
from vicinia.training.clipping import to_nano
from vicinia.training.compiled import Training
from vicinia.training.metrics import metrics
from vicinia.training.recipe import UpdateRecipe
from vicinia.training.rounds import RoundRelease
from vicinia.training.schedule import Kind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["round_release"]


def round_release(
    terms: Terms,
    training: Training,
    noise: NoisePlan,
    manifest: Manifest,
    total: NDArray[np.int64],
    survivors: int,
    *,
    kind: Kind,
    measured: bool,
) -> tuple[RoundRelease, bytes]:
    """The release of a run and the sum itself (float64, little-endian); only where the `kind` of round says so, homes
    have trained, or sent the sums that inputs are standardised by; only where it was `measured`, some have evaluated.

    Noise is told for the cohort rounded up, as for a query: the exact one is the participants' alone (design 3).
    """
    upper = survivors + (-survivors) % 10
    sums = decode(total, noise)
    vector = sums.astype("<f8").tobytes()
    sigma = float((noise.sum_std(upper) ** 2 + noise.rounding_std(upper) ** 2) ** 0.5)
    below, weight = None, None
    if training.strategy is not None and kind is Kind.TRAINS:
        recipe = cast("UpdateRecipe", training.recipe)
        aggregate = training.aggregate(sums, sigma, survivors - survivors % 10)
        below, weight = to_nano(recipe.below_clip(aggregate)), recipe.summed_weight(aggregate)
    part = sums[training.evaluation_slots]
    scales = kind is Kind.SCALES
    release = RoundRelease(
        coop=terms.job.coop,
        job=terms.job.hash,
        run=manifest.run,
        cohort=survivors - survivors % 10,
        rho_nano=terms.job.rho_nano,
        sigma=sigma,
        clip_nano=manifest.clip or 0,
        below_nano=below,
        weight=weight,
        vector=hashlib.sha256(vector).digest(),
        metrics=metrics(training.design.dimensions, part, sigma) if measured else (),
        moments=told_moments(training, sums) if scales else None,
    )
    return release, vector


def told_moments(training: Training, sums: NDArray[np.float64]) -> tuple[float, ...]:
    """The slots that every home needs, and the client compares with the sum."""
    return tuple(sums[training.scaling_slots].tolist())
