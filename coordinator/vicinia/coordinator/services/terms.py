"""What a job means under the by-laws: its plan, its electorate, its bounds."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import floor

from vicinia.assembly import Assembly, Job
from vicinia.assembly.purposes import require_purpose
from vicinia.errors import NotAccepted, ViciniaError
from vicinia.identity import VerifyingKey
from vicinia.privacy.conversion import rho_to_epsilon
from vicinia.privacy.noise import NoisePlan
from vicinia.query.dataset import DataSet
from vicinia.secagg.parameters import Parameters, corrupt_bound
from vicinia.training.computation import Computation, compile_job, noise_for

__all__ = ["Terms", "check_job", "compiled", "datasets_of"]

_COMPILING = threading.Lock()


def datasets_of(job: Job, assembly: Assembly) -> dict[str, DataSet]:
    """The data sets that the job names, by name: a definition that nobody can read must not stop other jobs."""
    named = {name: assembly.datasets[name] for name in job.datasets if name in assembly.datasets}
    return {name: DataSet.from_payload(logged.dataset.definition) for name, logged in named.items()}


def check_job(job: Job, assembly: Assembly, now_ms: int) -> Computation:
    """What can be said of a job before a vote; NotAccepted or InvalidInput, with line and column of the query."""
    require_purpose(job.purpose, "job.purpose")
    failure = assembly.job_terms(job, now_ms).first_failure
    if failure is not None:
        raise NotAccepted(failure.sentence, where=f"job: {failure.name}", hint=_help(failure.name, job, assembly))
    return compiled(job, datasets_of(job, assembly))


def compiled(job: Job, definitions: Mapping[str, DataSet]) -> Computation:
    """What a job computes; InvalidInput where it cannot be. One at a time and remembered, good or bad, since it can
    take seconds: to be called first without the ledger's lock."""
    with _COMPILING:
        found = _compiled(job, tuple(definitions.values()))
    if isinstance(found, ViciniaError):
        raise type(found)(found.what, where=found.where, hint=found.hint)
    return found


@lru_cache(maxsize=16)
def _compiled(job: Job, definitions: tuple[DataSet, ...]) -> Computation | ViciniaError:
    try:
        return compile_job(job, {dataset.name: dataset for dataset in definitions})
    except ViciniaError as error:
        return error.with_traceback(None)


def _help(name: str, job: Job, assembly: Assembly) -> str:
    """What would be allowed, in the unit that people write in their jobs."""
    if name != "privacy":
        return ""
    bylaws = assembly.bylaws
    runs = 1 if job.training is not None else bylaws.max_runs  # the file of a training says what all rounds may cost
    largest = rho_to_epsilon(bylaws.rho_job_nano // runs, float(bylaws.delta_dp))
    return f"Ask for an epsilon of at most {floor(100 * largest) / 100:g}."


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which a run of this job takes place. `members`: household id -> registry index; `keys`: index -> key."""

    job: Job
    plan: Computation
    members: Mapping[str, int]
    keys: Mapping[int, VerifyingKey]
    corrupt: int
    delta: Fraction
    floor: int
    delta_dp: float

    @classmethod
    def of(cls, job: Job, assembly: Assembly, checkpoint_size: int) -> Terms:
        """The terms of a run that relies on a checkpoint: the electorate of the proposal, less who left since."""
        vote = assembly.vote_on(job.hash)
        keys = assembly.electorate_keys(vote, checkpoint_size)
        return cls(
            job=job,
            plan=compiled(job, datasets_of(job, assembly)),
            members={assembly.members[index].id: index for index in keys},
            keys=keys,
            corrupt=corrupt_bound(vote.electorate, assembly.bylaws.gamma),
            delta=assembly.bylaws.delta,
            floor=job.floor,
            delta_dp=float(assembly.bylaws.delta_dp),
        )

    def noise(self, parameters: Parameters) -> NoisePlan:
        """How a roster with these parameters encodes and adds noise; InvalidInput where no plan exists."""
        return noise_for(self.plan, self.job.rho_nano, parameters.n, parameters.honest)
