"""What a job computes, whichever kind it is: one vector a home, whose length and norm follow from the job alone."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TypeAlias

from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.job import Job
from vicinia.errors import InvalidInput, NotAccepted
from vicinia.privacy.noise import NoisePlan
from vicinia.query.dataset import DataSet
from vicinia.query.plan import Plan, compile_query
from vicinia.secagg.parameters import corrupt_bound, parameters
from vicinia.secagg.sizes import largest
from vicinia.training.compiled import Training, compile_training
from vicinia.training.parameter import NANO
from vicinia.training.split import homes_needed

__all__ = ["Computation", "compile_job", "noise_for", "require_noise", "require_possible", "require_split"]

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


def require_noise(
    computation: Computation, rho_nano: int, members: int, corrupt: int, silent: Fraction, floor: int
) -> NoisePlan:
    """The noise of a run in which as many of `members` take part as may; NotAccepted where there can be no such run.

    `corrupt` of them at the most are dishonest, the share `silent` may drop out, and a sum has `floor` honest ones.
    """
    most = largest(members, corrupt, silent, floor)
    if not most:
        raise NotAccepted(
            f"No number of homes suffices: the electorate has {members:,}, and every sum must cover {floor:,} honest "
            f"ones, though {corrupt:,} may be dishonest and {silent.numerator} in {silent.denominator} fall silent.",
            where="job.floor",
            hint="Choose a smaller floor, if the by-laws allow it, or wait until more households have joined.",
        )
    try:
        return noise_for(computation, rho_nano, most, parameters(most, corrupt, silent, floor).honest)
    except InvalidInput as error:
        raise NotAccepted(
            f"There can be no noise for it, even if {most:,} homes take part. {error.what}",
            where="job.rho_nano",
            hint=error.hint,
        ) from error


def require_split(computation: Computation, members: int, corrupt: int, silent: Fraction, floor: int) -> None:
    """NotAccepted for a training that holds homes out where one of its parts would be too small even if all `members`
    took part, with a share that would do."""

    def needed(holdout_nano: int) -> int:
        return homes_needed(holdout_nano, members, corrupt, silent, floor)

    if not isinstance(computation, Training) or not computation.plan.holdout_nano:
        return
    share = computation.plan.holdout_nano
    if needed(share) <= members:
        return
    better = next((one for one in range(NANO // 20, NANO // 2 + 1, NANO // 20) if needed(one) <= members), 0)
    raise NotAccepted(
        f"Those who are held out, and those who train, add up to a sum each, which must cover {floor:,} honest homes: "
        f"with holdout = {share / NANO:g} that takes {needed(share):,} homes, and there are {members:,}.",
        where="job.training.holdout",
        hint=f"Write holdout = {better / NANO:g}, or leave it out." if better else "Leave holdout out.",
    )


def require_possible(computation: Computation, job: Job, members: int, bylaws: ByLaws) -> None:
    """NotAccepted, with what to change, for a job that the members that there are could not run even if all took part.

    No vote is to be held on it: the electorate is frozen with the proposal. `members`: the active households. It can
    take long: to be called without the lock of a log.
    """
    members = max(1, members)
    corrupt = corrupt_bound(members, bylaws.gamma)
    require_noise(computation, job.rho_nano, members, corrupt, bylaws.delta, job.floor)
    require_split(computation, members, corrupt, bylaws.delta, job.floor)
