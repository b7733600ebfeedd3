"""What a job can be expected to cost and to show, computed here before anybody is asked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.job import Job
from vicinia.errors import RoundFailed, ViciniaError
from vicinia.privacy.conversion import rho_to_epsilon
from vicinia.privacy.noise import NANO, NoisePlan
from vicinia.query.explain import ExpectedError, Meaning, expected_error, explain
from vicinia.query.plan import Plan
from vicinia.secagg.parameters import corrupt_bound, parameters

__all__ = ["Expectation"]


@dataclass(frozen=True, slots=True)
class Expectation:
    """The terms of a job, and its precision if all `electorate` homes took part, spread evenly over the cells.

    `sigma`: the noise in one slot of the sum, in vector units; `needed`: the fewest homes that may compute it, 0 where
    all are too few; `refusal`: why there could be no such run, or empty.
    """

    job: Job
    class_: str
    electorate: int
    needed: int
    delta: float
    cells: int
    length: int
    norm: float
    sigma: float
    meanings: tuple[Meaning, ...]
    errors: tuple[ExpectedError, ...]
    refusal: str

    @classmethod
    def of(cls, job: Job, plan: Plan, bylaws: ByLaws, class_: str, electorate: int) -> Expectation:
        """Compute it all from the job and the by-laws."""
        sigma, refusal = 0.0, ""
        errors: tuple[ExpectedError, ...] = ()
        try:
            noise = noise_plan(job, plan, bylaws, electorate)
            sigma = noise.sum_std(electorate)
            errors = expected_error(plan, math.hypot(sigma, noise.rounding_std(electorate)), electorate)
        except ViciniaError as error:
            refusal = str(error)
        return cls(
            job=job,
            class_=class_,
            electorate=electorate,
            needed=smallest_cohort(job, bylaws, electorate),
            delta=float(bylaws.delta_dp),
            cells=len(plan.layout.cells),
            length=plan.layout.length,
            norm=math.sqrt(plan.layout.norm_squared),
            sigma=sigma,
            meanings=explain(plan),
            errors=errors,
            refusal=refusal,
        )

    @property
    def epsilon(self) -> float:
        """The job's privacy cost under the by-laws' delta."""
        return rho_to_epsilon(self.job.rho_nano, self.delta)

    def payload(self) -> dict[str, Any]:
        """For programs."""
        return {
            "title": self.job.title,
            "query": self.job.query,
            "class": self.class_,
            "recipient": self.job.recipient,
            "rho": self.job.rho_nano / NANO,
            "epsilon": self.epsilon,
            "delta": self.delta,
            "floor": self.job.floor,
            "electorate": self.electorate,
            "needed": self.needed,
            "cells": self.cells,
            "length": self.length,
            "norm": self.norm,
            "sigma": self.sigma,
            "meanings": [{"column": one.column, "sentence": one.sentence} for one in self.meanings],
            "errors": [{"column": one.column, "stderr": one.stderr, "homes": one.homes} for one in self.errors],
            "refusal": self.refusal,
        }


def noise_plan(job: Job, plan: Plan, bylaws: ByLaws, electorate: int) -> NoisePlan:
    """The noise if every elector took part; RoundFailed or InvalidInput where there can be no such run."""
    corrupt = corrupt_bound(electorate, bylaws.gamma)
    of_run = parameters(electorate, corrupt, bylaws.delta, job.floor)
    layout = plan.layout
    group = max(layout.group_lengths)
    return NoisePlan.derive(layout.norm_squared, layout.length, job.rho_nano, electorate, of_run.honest, group=group)


def smallest_cohort(job: Job, bylaws: ByLaws, electorate: int) -> int:
    """The fewest homes of this electorate that may compute the job; 0 where all together are too few."""
    corrupt = corrupt_bound(electorate, bylaws.gamma)
    least = math.ceil((job.floor + corrupt) / (1 - bylaws.delta))
    for n in range(least, electorate + 1):
        try:
            parameters(n, corrupt, bylaws.delta, job.floor)
        except RoundFailed:
            continue
        return n
    return 0
