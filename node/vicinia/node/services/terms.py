"""What a run means for this home: its job, its plan, its electorate, its bounds. Loads numpy and sqlglot."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from vicinia.assembly.job import Job
from vicinia.assembly.state import Assembly
from vicinia.assembly.vote import Vote
from vicinia.errors import NotAccepted, ProtocolViolation
from vicinia.identity import VerifyingKey
from vicinia.node.services.account import Budget, Cost
from vicinia.node.services.electorate import electorate_of
from vicinia.privacy.account import Limits
from vicinia.privacy.conversion import rho_to_epsilon
from vicinia.privacy.noise import NoisePlan
from vicinia.query.dataset import DataSet
from vicinia.secagg.manifest import Manifest
from vicinia.secagg.parameters import Parameters, corrupt_bound
from vicinia.tlog.canonical import canonical, parse_canonical
from vicinia.training.compiled import Part, Training
from vicinia.training.computation import Computation, compile_job, noise_for, require_noise
from vicinia.training.model import Model
from vicinia.training.rounds import RoundRelease
from vicinia.training.schedule import Kind, kind_after
from vicinia.training.split import Split
from vicinia.training.standardisation import standardised

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Terms", "computation_of", "read_manifest"]


_COMPILING = threading.Lock()


@lru_cache(maxsize=16)
def _compiled(job: Job, definitions: tuple[bytes, ...]) -> Computation:
    """What a job computes; the same for every home of this process. Called under the lock, so that it is made once."""
    payloads = [parse_canonical(one, where="data set") for one in definitions]
    datasets = [DataSet.from_payload(payload) for payload in payloads]
    return compile_job(job, {dataset.name: dataset for dataset in datasets})


def computation_of(job: Job, assembly: Assembly) -> Computation:
    """What a job computes over the data sets that the log defines; InvalidInput says what is wrong where."""
    # Only what the job names: a definition that this home cannot read must not stop other jobs.
    named = [assembly.datasets[name] for name in job.datasets if name in assembly.datasets]
    definitions = [canonical(one.dataset.definition) for one in named]
    with _COMPILING:
        return _compiled(job, tuple(definitions))


@lru_cache(maxsize=16)
def read_manifest(run_id: bytes, manifest_bytes: bytes, job_bytes: bytes, coop: str) -> tuple[Manifest, Job]:
    """The manifest and the job of a run, each bound to the next by its hash; ProtocolViolation where one is not."""
    manifest, job = Manifest.from_canonical(manifest_bytes), Job.from_canonical(job_bytes)
    if manifest.digest != run_id:
        raise ProtocolViolation("The manifest is not the one of this run.", where="manifest")
    if manifest.job != hashlib.sha256(job_bytes).digest():
        raise ProtocolViolation("The manifest is for another job than the one shown.", where="manifest.job")
    if manifest.coop != coop or job.coop != coop:
        raise ProtocolViolation("The manifest is for another cooperative.", where="manifest.coop")
    return manifest, job


def _kind(plan: Computation, vote: Vote, run: int) -> Kind | None:
    """What a round of a training is for, which follows from how many were released before it; None of a query."""
    released = sum(1 for earlier in vote.releases if earlier < run)
    return kind_after(plan.plan, released) if isinstance(plan, Training) else None


@dataclass(frozen=True, slots=True)
class Terms:
    """A run as this home has to compute it: everything follows from the manifest, the job and the log.

    `lot`: of the job, by which homes are held out. `kind`: what a round of a training is for. `model`: what it begins
    with, under the hash in the manifest, once it was fetched; with it `plan` standardises as the first round said.
    `part`: what this home does in it, once the roster is known.
    """

    manifest: Manifest
    job: Job
    plan: Computation
    index: int
    electorate: Mapping[int, VerifyingKey]
    corrupt: int
    delta: Fraction
    cost: Cost
    budget: Budget
    epsilon: float
    kind: Kind | None = None
    lot: bytes = b""
    model: Model | None = None
    part: Part = Part.NOTHING

    @classmethod
    def of(cls, manifest: Manifest, job: Job, assembly: Assembly, household: str) -> Terms:
        """Compute the terms; NotAccepted where the household is not in the electorate, InvalidInput for the query."""
        member, vote = assembly.member(household), assembly.vote_on(manifest.job)
        keys = electorate_of(assembly, manifest.job, manifest.checkpoint_size)
        if member is None or not member.active or member.index not in keys:
            raise NotAccepted("This home is not in the electorate of the job, and takes no part.", where="membership")
        if member.key.raw != keys[member.index].raw:
            raise NotAccepted("This home's key was replaced after the run was announced.", where="membership")
        plan = computation_of(job, assembly)
        bylaws = assembly.bylaws
        runs = vote.certificate.max_runs if vote.certificate is not None else job.runs(bylaws)
        # A data set without times has rows of every quarter.
        dated = job.period if all(one.time_column is not None for one in plan.datasets) else None
        first, last = dated or ("", "")
        return cls(
            manifest=manifest,
            job=job,
            plan=plan,
            index=member.index,
            electorate=keys,
            corrupt=corrupt_bound(vote.electorate, bylaws.gamma),
            delta=bylaws.delta,
            cost=Cost(manifest.job, job.rho_nano, runs, first, last),
            budget=Budget(bylaws.rho_job_nano, Limits(bylaws.rho_period_nano, bylaws.rho_lifetime_nano)),
            kind=_kind(plan, vote, manifest.run),
            lot=assembly.lot(vote) if vote.closing is not None else b"",
            epsilon=rho_to_epsilon(job.rho_nano * runs, float(bylaws.delta_dp)),
        )

    def beginning_with(self, model: Model, releases: Mapping[int, RoundRelease]) -> Terms:
        """The same with the model of the round, and with its inputs as the releases of the earlier ones say."""
        plan = self.plan
        if isinstance(plan, Training) and self.kind is not Kind.SCALES:
            plan = standardised(plan, releases)
        return replace(self, model=model, plan=plan)

    @property
    def split(self) -> Split | None:
        """The parts of a training that holds homes out; None for every other job."""
        if not isinstance(self.plan, Training) or not self.plan.plan.holdout_nano or self.kind is None:
            return None
        return Split.of(
            self.plan,
            self.lot,
            self.kind,
            self.electorate,
            corrupt=self.corrupt,
            silent=self.delta,
            floor=self.job.floor,
        )

    def among(self, members: NDArray[np.int64]) -> Terms:
        """The same with this home's part in a run of these homes (registry indices)."""
        if not isinstance(self.plan, Training) or self.kind is None:
            return self
        split = self.split
        if split is None:
            return replace(self, part=self.plan.part_of(self.index, self.lot, self.kind))
        return replace(self, part=split.part_of(self.index, members))

    def require_noise(self) -> None:
        """NotAccepted where no roster of this electorate could have a noise plan within the job's rho."""
        members = len(self.electorate)
        require_noise(self.plan, self.job.rho_nano, members, self.corrupt, self.delta, self.job.floor)

    def noise(self, parameters: Parameters) -> NoisePlan:
        """How a roster of these parameters encodes and adds noise; InvalidInput where no plan exists."""
        return noise_for(self.plan, self.job.rho_nano, parameters.n, parameters.honest)
