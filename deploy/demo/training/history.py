"""Who took part in a training and what each round began with and released: read from the coordinator's database.

Only the demo can see that. What came of the training it has from the researcher's console.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select
from vicinia.assembly import Assembly, Job
from vicinia.assembly.bylaws import ByLaws
from vicinia.coordinator.config import Folder
from vicinia.coordinator.store import artifacts, jobs, leaves
from vicinia.coordinator.store.database import Database
from vicinia.coordinator.store.schema import run as run_table
from vicinia.errors import NotFound
from vicinia.training.compiled import Training
from vicinia.training.model import Model
from vicinia.training.outlook import outlook
from vicinia.training.rounds import RoundRelease
from vicinia.wire.published import Phase

from deploy.demo.cohort import ones

__all__ = ["History", "Round", "read_history"]


@dataclass(frozen=True, slots=True)
class Round:
    """A round that was released: who was in it (ids), the model and the clip that it began with, and the noisy sum."""

    number: int
    run_id: str
    roster: frozenset[str]
    survivors: frozenset[str]
    model: Model
    release: RoundRelease
    vector: bytes


@dataclass(frozen=True, slots=True)
class History:
    """A training that has ended. `others`: runs of it that had a roster and no release, with that roster (ids);
    `indices`: every member's place in the register; `lot`: of the job, by which homes are held out."""

    job: Job
    rounds: tuple[Round, ...]
    others: Mapping[str, frozenset[str]]
    indices: Mapping[str, int]
    lot: bytes
    bylaws: ByLaws

    def drowning(self, training: Training) -> str:
        """That the noise of its rounds drowns what there is to learn, with what would help and the by-laws allow; empty
        where it does not."""
        last = self.rounds[-1]
        found = outlook(training, last.release.sigma, len(last.survivors))
        rho_nano, bylaws = self.job.rho_nano * training.plan.runs, self.bylaws
        return "" if found is None else found.warning(rho_nano, float(bylaws.delta_dp), bylaws.rho_job_nano)


def read_history(coordinator: Path, job_hash: str) -> History:
    """All of it; NotFound where the training has not come to a model."""
    database = Database(Folder(coordinator).database)
    try:
        with database.read() as connection:
            return _read(connection, job_hash)
    finally:
        database.close()


def _read(connection: Connection, job_hash: str) -> History:
    row = jobs.find(connection, bytes.fromhex(job_hash))
    assembly = Assembly.from_leaves(leaves.every_body(connection))
    vote = assembly.vote_on(bytes.fromhex(job_hash))
    if row is None or vote.trained is None:
        raise NotFound("The training did not come to a model.", where=f"job {job_hash[:12]}")
    rounds: list[Round] = []
    others: dict[str, frozenset[str]] = {}
    for one in _rows(connection, job_hash):
        if one.roster is None:
            continue
        members = ones(one.roster)
        roster = frozenset(assembly.members[index].id for index in members)
        if one.phase != Phase.DONE or one.release is None or one.survivors is None:
            others[one.run_id.hex()] = roster
            continue
        release = RoundRelease.from_canonical(one.release)
        rounds.append(
            Round(
                number=int(one.number),
                run_id=one.run_id.hex(),
                roster=roster,
                survivors=frozenset(assembly.members[members[place]].id for place in ones(one.survivors)),
                model=Model.from_bytes(_artifact(connection, vote.models[one.number].model.digest)),
                release=release,
                vector=_artifact(connection, release.vector),
            )
        )
    return History(
        job=Job.from_canonical(row.body),
        rounds=tuple(rounds),
        others=others,
        indices={member.id: member.index for member in assembly.members},
        lot=assembly.lot(vote),
        bylaws=assembly.bylaws,
    )


def _rows(connection: Connection, job_hash: str) -> list[Any]:
    """The runs of a job, in their order."""
    columns = run_table.c
    wanted = select(run_table).where(columns.job_hash == bytes.fromhex(job_hash))
    return list(connection.execute(wanted.order_by(columns.number, columns.attempt)))


def _artifact(connection: Connection, digest: bytes) -> bytes:
    found = artifacts.find(connection, digest)
    if found is None:
        raise NotFound("What the log names is no longer in the database.", where=digest.hex()[:16])
    return found
