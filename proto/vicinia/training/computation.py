"""What a job computes, whichever kind it is: one vector a home, whose length and norm follow from the job alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from vicinia.assembly.job import Job
from vicinia.errors import InvalidInput
from vicinia.privacy.noise import NoisePlan
from vicinia.query.dataset import DataSet
from vicinia.query.plan import Plan, compile_query
from vicinia.training.compiled import Training, compile_training

__all__ = ["Computation", "compile_job", "noise_for"]

Computation: TypeAlias = Plan | Training
"""Both have `datasets` and a `layout` with `length`, `group_lengths`, `norm_squared` and `legend`."""


def compile_job(job: Job, definitions: Mapping[str, DataSet]) -> Computation:
    """The computation of a job over these data sets (name -> definition); InvalidInput says what is wrong where."""
    found: Computation
    found = (
        compile_query(job.query, definitions) if job.training is None else compile_training(job.training, definitions)
    )
    if job.datasets != tuple(dataset.name for dataset in found.datasets):
        raise InvalidInput("The job names other data sets than it reads.", where="job.datasets")
    return found


def noise_for(computation: Computation, rho_nano: int, n: int, honest: int) -> NoisePlan:
    """How a roster of n homes with so many honest shares of noise encodes; InvalidInput where no plan exists."""
    layout = computation.layout
    group = max(layout.group_lengths)
    return NoisePlan.derive(layout.norm_squared, layout.length, rho_nano, n, honest, group=group)
