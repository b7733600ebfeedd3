"""A job and its run as they stand in the coordinator's database, which only a test may read."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from sqlalchemy import select
from vicinia.assembly import Assembly, Vote
from vicinia.coordinator.config import Folder
from vicinia.coordinator.store import jobs, leaves, messages, runs
from vicinia.coordinator.store.database import Database
from vicinia.coordinator.store.jobs import ENDS, JobRow
from vicinia.coordinator.store.runs import Phase, RunRow
from vicinia.coordinator.store.schema import run as run_table

from deploy.demo.cohort import read_cohort

__all__ = ["PHASES", "Register", "Watched"]

PHASES = (Phase.ADVERTISE, Phase.SHARE, Phase.INPUT, Phase.COMMIT, Phase.UNMASK)


class Register:
    """The coordinator's database, and whom it means: households by name instead of id or registry index."""

    def __init__(self, coordinator: Path, ids: Mapping[str, str]) -> None:
        self.coordinator = coordinator
        self.database = Database(Folder(coordinator).database)
        self._of_id = {household: name for name, household in ids.items()}
        self._of_index = {member.index: self._of_id[member.id] for member in self.assembly().members}

    def assembly(self) -> Assembly:
        """What the log says."""
        with self.database.read() as connection:
            return Assembly.from_leaves(leaves.every_body(connection))

    def by_index(self, indices: Iterable[int]) -> set[str]:
        """The households with these registry indices."""
        return {self._of_index[index] for index in indices}

    def by_id(self, households: Iterable[str]) -> set[str]:
        """The households with these ids."""
        return {self._of_id[household] for household in households}


class Watched:
    """One job with its newest run, or with the run of a number; every look is a look at the disk."""

    def __init__(self, register: Register, job: str, number: int | None = None) -> None:
        self._register = register
        self._hash = bytes.fromhex(job)
        self._number = number
        self.job = job

    def round(self, number: int) -> Watched:
        """The same job with this run of it."""
        return Watched(self._register, self.job, number)

    @property
    def row(self) -> JobRow:
        """The job."""
        with self._register.database.read() as connection:
            found = jobs.find(connection, self._hash)
        assert found is not None
        return found

    @property
    def run(self) -> RunRow | None:
        """Its run, of several attempts at it the newest."""
        with self._register.database.read() as connection:
            newest = runs.newest_of(connection, self._hash)
            if newest is None or self._number in (None, newest.number):
                return newest
            mine = (run_table.c.job_hash == self._hash) & (run_table.c.number == self._number)
            columns = select(run_table.c.run_id).where(mine).order_by(run_table.c.attempt.desc()).limit(1)
            found = connection.execute(columns).scalar_one_or_none()
            return None if found is None else runs.find(connection, found)

    @property
    def vote(self) -> Vote:
        """What the log says of it."""
        return self._register.assembly().vote_on(self._hash)

    @property
    def phase(self) -> int:
        """The phase of the run, 0 before there is one."""
        run = self.run
        return 0 if run is None else int(run.phase)

    def answered(self, phase: Phase) -> set[str]:
        """Whose message of a phase is on disk; nobody's once the run has ended, for they are forgotten."""
        run = self.run
        with self._register.database.read() as connection:
            found = set() if run is None else messages.members(connection, run.run_id, phase)
        return self._register.by_index(found)

    def cohort(self) -> tuple[set[str], set[str]]:
        """(who was in the roster, whose vectors are in the sum)."""
        found = read_cohort(self._register.coordinator, self.job)
        return self._register.by_id(found.roster), self._register.by_id(found.survivors)

    def end(self, seconds: float) -> JobRow:
        """Wait until the job has ended."""
        deadline = time.monotonic() + seconds
        while (row := self.row).stage not in ENDS:
            assert time.monotonic() < deadline, f"{row.title}: still {row.stage}, its run in phase {self.phase}"
            time.sleep(0.05)
        return row
