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
    closing: bool,
) -> tuple[RoundRelease, bytes]:
    """The release of a run and the sum itself (float64, little-endian); in the `closing` round nobody trained.

    Noise is told for the cohort rounded up, as for a query: the exact one is the participants' alone (design 3).
    """
    upper = survivors + (-survivors) % 10
    sums = decode(total, noise)
    vector = sums.astype("<f8").tobytes()
    sigma = float((noise.sum_std(upper) ** 2 + noise.rounding_std(upper) ** 2) ** 0.5)
    below, weight = None, None
    if training.strategy is not None and not closing:
        recipe = cast("UpdateRecipe", training.recipe)
        aggregate = training.aggregate(sums, sigma, survivors - survivors % 10)
        below, weight = to_nano(recipe.below_clip(aggregate)), recipe.summed_weight(aggregate)
    part = sums[training.evaluation_slots]
    measured = metrics(training.design.dimensions, part, sigma) if training.evaluation is not None else ()
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
        metrics=measured,
    )
    return release, vector
