"""Who took part in a run: read from the coordinator's database, which only the demo can see."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from vicinia.assembly import Assembly
from vicinia.coordinator.config import Folder
from vicinia.coordinator.store import leaves, runs
from vicinia.coordinator.store.database import Database
from vicinia.coordinator.store.schema import person
from vicinia.errors import NotFound

__all__ = ["Cohort", "ones", "phase_of", "read_cohort", "synchronised"]


@dataclass(frozen=True, slots=True)
class Cohort:
    """The households (ids) of a run's roster, and those whose vectors are in its sum."""

    roster: frozenset[str]
    survivors: frozenset[str]


def read_cohort(coordinator: Path, job_hash: str) -> Cohort:
    """The cohort of the newest run of a job; NotFound where none went so far as to fix its survivors."""
    database = Database(Folder(coordinator).database)
    try:
        with database.read() as connection:
            run = runs.newest_of(connection, bytes.fromhex(job_hash))
            assembly = Assembly.from_leaves(leaves.every_body(connection))
    finally:
        database.close()
    if run is None or run.roster is None or run.survivors is None:
        raise NotFound("The run did not come so far as to have survivors.", where=f"job {job_hash[:12]}")
    roster = ones(run.roster)
    return Cohort(
        roster=frozenset(assembly.members[index].id for index in roster),
        survivors=frozenset(assembly.members[roster[position]].id for position in ones(run.survivors)),
    )


def synchronised(coordinator: Path) -> int:
    """How many households have polled with a copy of the log that they have checked."""
    database = Database(Folder(coordinator).database)
    try:
        with database.read() as connection:
            checked = (person.c.role == "household") & (person.c.log_size > 0)
            return int(connection.execute(select(func.count()).select_from(person).where(checked)).scalar_one())
    finally:
        database.close()


def phase_of(coordinator: Path, job_hash: str) -> int:
    """The phase of the newest run of a job, 0 before there is one."""
    database = Database(Folder(coordinator).database)
    try:
        with database.read() as connection:
            run = runs.newest_of(connection, bytes.fromhex(job_hash))
    finally:
        database.close()
    return 0 if run is None else int(run.phase)


def ones(bitmap: bytes) -> list[int]:
    """The places of the ones in a little-endian bitmap, ascending."""
    number = int.from_bytes(bitmap, "little")
    return [place for place in range(number.bit_length()) if number >> place & 1]
