"""Which inputs a training sees once its first round is released: standardised as that round's sums say.

The scale stands nowhere else than in the release that the log names, so that there is nothing to believe: whoever has
the release computes the scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from vicinia.errors import InvalidInput, ProofInvalid
from vicinia.training.spread import Spread, estimated

if TYPE_CHECKING:
    from vicinia.assembly.learning import TrainingPlan
    from vicinia.training.compiled import Training
    from vicinia.training.design import Design
    from vicinia.training.rounds import RoundRelease

__all__ = ["moments_as_planned", "require_standardisable", "standardised"]

_AS_IT_IS = {
    "trees": "splits every input where its examples lie, on whatever scale: there is nothing to standardise",
}


def require_standardisable(plan: TrainingPlan, design: Design) -> None:
    """InvalidInput where a first round that standardises would find nothing to do."""
    if not plan.scaling:
        return
    what = _AS_IT_IS.get(plan.recipe.name, "")
    if what:
        what = f"The recipe {plan.recipe.name!r} {what}."
    elif not design.numeric:
        what = "No feature is a number: there is nothing to standardise."
    if what:
        raise InvalidInput(what, where="training.standardise", hint="Leave `standardise` out.")


def moments_as_planned(training: Training, releases: Mapping[int, RoundRelease]) -> None:
    """ProofInvalid unless the first round has released the sums that inputs are standardised by, where the plan has
    such a round, and no other has."""
    first = min(releases, default=None) if training.plan.scaling else None
    for run, release in releases.items():
        found = 0 if release.moments is None else len(release.moments)
        if found != (training.scaling_length if run == first else 0):
            raise ProofInvalid(f"Round {run + 1} has not released what the plan says.", where="round.moments")


def standardised(training: Training, releases: Mapping[int, RoundRelease]) -> Training:
    """The training as it goes on after the round that standardises, or as it is where the plan has none.

    releases: by run, what was released so far; ProofInvalid where that round is not among them.
    """
    if not training.plan.scaling:
        return training
    moments_as_planned(training, releases)
    release = releases.get(min(releases, default=0))
    if release is None or release.moments is None:
        raise ProofInvalid("The round that standardises was not released.", where="round.moments")
    numbers = [term for term in training.design.terms if term.category is None]
    standards = estimated(release.moments, release.sigma)
    return training.standardised(
        [Spread.within(term.middle, term.radius, found) for term, found in zip(numbers, standards, strict=True)]
    )
