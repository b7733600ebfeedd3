"""How large a training's noise would be beside what there is to learn, before anybody is asked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.job import Job
from vicinia.coordinator.client.cohort import Cohort
from vicinia.errors import InvalidInput
from vicinia.privacy.noise import NoisePlan
from vicinia.secagg.parameters import parameters
from vicinia.training.compiled import Training
from vicinia.training.computation import Computation, noise_for
from vicinia.training.outlook import Outlook, outlook

__all__ = ["TrainingNoise", "noise_plan"]


def noise_plan(plan: Computation, cohort: Cohort, rho_nano: int, homes: int) -> NoisePlan:
    """The noise if so many homes took part; InvalidInput where there is no plan for it."""
    return noise_for(plan, rho_nano, homes, parameters(homes, cohort.corrupt, cohort.silent, cohort.floor).honest)


@dataclass(frozen=True, slots=True)
class TrainingNoise:
    """`most`: if as many homes take part as may; `fewest`: if as few do, None where noise hides all of it; `warning`:
    that even at most it drowns what there is to learn, and what would help, or empty."""

    most: Outlook
    fewest: Outlook | None
    warning: str

    @classmethod
    def of(cls, job: Job, training: Training, cohort: Cohort, bylaws: ByLaws) -> Self | None:
        """None where nobody trains; InvalidInput where there is no plan for the noise."""
        most = _outlook(job, training, cohort, cohort.most)
        if most is None:
            return None
        try:
            fewest = _outlook(job, training, cohort, cohort.needed)
        except InvalidInput:
            fewest = None
        rho_nano = job.rho_nano * training.plan.runs
        return cls(most, fewest, most.warning(rho_nano, float(bylaws.delta_dp), bylaws.rho_job_nano))

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is to be expected, and how much worse it is with fewer homes."""
        found = list(self.most.sentences)
        if self.fewest is not None and self.fewest.homes < self.most.homes:
            times = f"{self.fewest.ratio / self.most.ratio:.2g} times as large as with {self.most.homes:,}"
            drowns = ", and drowns what there is to learn" if self.fewest.drowned and not self.warning else ""
            fewest = f"{self.fewest.homes:,} homes, the fewest that may take part"
            found.append(f"With {fewest}, the noise is {times}{drowns}.")
        return (*found, self.warning) if self.warning else tuple(found)

    def payload(self) -> dict[str, Any]:
        """For programs."""
        return {
            "most": self.most.payload(),
            "fewest": None if self.fewest is None else self.fewest.payload(),
            "warning": self.warning,
        }


def _outlook(job: Job, training: Training, cohort: Cohort, homes: int) -> Outlook | None:
    noise = noise_plan(training, cohort, job.rho_nano, homes)
    return outlook(training, math.hypot(noise.sum_std(homes), noise.rounding_std(homes)), homes)
