"""What a job can be expected to cost and to show, computed here before anybody is asked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.job import Job
from vicinia.coordinator.client.cohort import Cohort
from vicinia.coordinator.client.training_noise import TrainingNoise, noise_plan
from vicinia.coordinator.client.training_terms import TrainingTerms
from vicinia.errors import NotAccepted, ViciniaError
from vicinia.privacy.conversion import rho_to_epsilon
from vicinia.privacy.noise import NANO, NoisePlan
from vicinia.query.explain import ExpectedError, Meaning, expected_error, explain
from vicinia.query.plan import Plan
from vicinia.training.compiled import Training
from vicinia.training.computation import Computation, require_split

__all__ = ["Expectation"]


@dataclass(frozen=True, slots=True)
class Expectation:
    """The terms of a job, and its precision if all members' homes took part, spread evenly over the cells.

    `sigma`: the noise in one slot of the sum, in vector units; `noise`: what that leaves of a training; `refusal`: why
    there could be no such run, or empty; `help`: what would change that.
    """

    job: Job
    class_: str
    quorum: Fraction
    vote_seconds: int
    cohort: Cohort
    delta: float
    cells: int
    length: int
    norm: float
    sigma: float
    meanings: tuple[Meaning, ...]
    errors: tuple[ExpectedError, ...]
    filtered: bool
    refusal: str
    help: str
    training: TrainingTerms | None = None
    noise: TrainingNoise | None = None

    @classmethod
    def of(cls, job: Job, plan: Computation, bylaws: ByLaws, class_: str, electorate: int) -> Expectation:
        """Compute it all from the job and the by-laws."""
        cohort = Cohort.of(job.floor, bylaws, electorate)
        sigma, refusal, help_, noise = 0.0, "", "", None
        errors: tuple[ExpectedError, ...] = ()
        of_training = None
        if not cohort.needed:
            refusal, help_ = cohort.sentence, cohort.hint
        else:
            try:
                noise = noise_plan(plan, cohort, job.rho_nano, cohort.most)
                refusal, help_ = _unparted(plan, cohort)
                sigma = noise.sum_std(cohort.most)
                if isinstance(plan, Plan):
                    errors = expected_error(plan, math.hypot(sigma, noise.rounding_std(cohort.most)), cohort.most)
                else:
                    of_training = TrainingNoise.of(job, plan, cohort, bylaws)
            except ViciniaError as error:
                refusal, help_ = _drowned(job, plan, bylaws, cohort, error)
        return cls(
            job=job,
            class_=class_,
            quorum=bylaws.quorum,
            vote_seconds=bylaws.vote_seconds,
            cohort=cohort,
            delta=float(bylaws.delta_dp),
            cells=len(plan.layout.cells) if isinstance(plan, Plan) else 0,
            length=plan.layout.length,
            norm=math.sqrt(plan.layout.norm_squared),
            sigma=sigma,
            meanings=explain(plan) if isinstance(plan, Plan) else (),
            errors=errors,
            filtered=isinstance(plan, Plan) and plan.where is not None,
            refusal=refusal,
            help=help_,
            training=_training(job, plan, noise, float(bylaws.delta_dp), cohort),
            noise=of_training,
        )

    @property
    def epsilon(self) -> float:
        """The job's privacy cost under the by-laws' delta: of one run of a query, of all rounds of a training."""
        runs = 1 if self.job.training is None else self.job.training.runs
        return rho_to_epsilon(self.job.rho_nano * runs, self.delta)

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
            "electorate": self.cohort.members,
            "needed": self.cohort.needed or None,
            "members_needed": self.cohort.members_needed,
            "cells": self.cells,
            "length": self.length,
            "norm": self.norm,
            "sigma": self.sigma or None,
            "meanings": [{"column": one.column, "sentence": one.sentence} for one in self.meanings],
            "errors": [{"column": one.column, "stderr": one.stderr, "homes": one.homes} for one in self.errors],
            "refusal": self.refusal,
            "help": self.help,
            "training": None if self.training is None else self.training.payload(),
            "noise": None if self.noise is None else self.noise.payload(),
        }


def _training(
    job: Job, plan: Computation, noise: NoisePlan | None, delta: float, cohort: Cohort
) -> TrainingTerms | None:
    return TrainingTerms.of(job, plan, noise, delta, cohort) if isinstance(plan, Training) else None


def _unparted(plan: Computation, cohort: Cohort) -> tuple[str, str]:
    """Why the homes cannot be parted as a training wants it, and what would do; empty where they can."""
    try:
        require_split(plan, cohort.members, cohort.corrupt, cohort.silent, cohort.floor)
    except NotAccepted as error:
        return error.what, error.hint
    return "", ""


def _drowned(job: Job, plan: Computation, bylaws: ByLaws, cohort: Cohort, error: ViciniaError) -> tuple[str, str]:
    """Why there is no noise plan for a cohort that is large enough, and which budget would have one."""
    budget, runs = job.rho_nano, 1 if job.training is None else job.training.runs
    while budget * runs <= bylaws.rho_job_nano:
        budget *= 2
        try:
            noise_plan(plan, cohort, budget, cohort.most)
        except ViciniaError:
            continue
        epsilon = rho_to_epsilon(budget * runs, float(bylaws.delta_dp))
        fewer = "fewer groups or bins" if job.training is None else "fewer rounds or a smaller model"
        fewer = "fewer spare runs" if job.training is not None and job.training.only_evaluates else fewer
        return (
            f"The noise that so small a budget asks for is too large for {plan.layout.length:,} numbers from "
            f"{cohort.most:,} homes: nothing of them could be told apart from it.",
            f"Ask for {fewer}, or for an epsilon of about {epsilon:.2g} or more.",
        )
    return f"{error.what}", error.hint
