"""Runs and where they stand: every transition is kept before anybody is told of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from vicinia.coordinator.store.schema import run, transition
from vicinia.errors import InternalFault, NotFound, StorageFault
from vicinia.wire.published import Phase

__all__ = [
    "ENDED",
    "MAX_ATTEMPTS",
    "UNDER_WAY",
    "Phase",
    "RunRow",
    "active",
    "add",
    "change",
    "cohorts_before",
    "find",
    "newest_of",
    "phase_of",
    "raise_to",
    "release_of",
    "releases_before",
    "require",
    "require_change",
    "transitions",
]


ENDED = frozenset({Phase.DONE, Phase.FAILED})
UNDER_WAY = frozenset({Phase.ADVERTISE, Phase.SHARE, Phase.INPUT, Phase.COMMIT, Phase.UNMASK})
MAX_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run, or an attempt at one. `roster` (bitmap over registry indices), `dealers` and `survivors`
    (over positions): once frozen.

    In ADVERTISE with a roster: the roster is frozen and waits for its leaf and for the witnesses.
    """

    run_id: bytes
    job_hash: bytes
    number: int
    manifest: bytes
    phase: Phase
    opened_ms: int
    reason: str = ""
    roster: bytes | None = None
    roster_index: int | None = None
    checkpoint_size: int | None = None
    dealers: bytes | None = None
    survivors: bytes | None = None
    survivor_count: int = 0
    release: bytes | None = None
    release_index: int | None = None
    attempt: int = 0

    @property
    def joinable(self) -> bool:
        """Whether homes may still join: nobody's roster is frozen."""
        return self.phase is Phase.ADVERTISE and self.roster is None

    @property
    def following(self) -> tuple[int, int]:
        """(number, attempt) of what comes after this: the same run again where no roster of it was logged."""
        return (self.number, self.attempt + 1) if self.roster is None else (self.number + 1, 0)

    def may_follow(self, max_runs: int) -> bool:
        """Whether anything may come after this, ended without a result, under a certificate for so many runs."""
        number, attempt = self.following
        return number < max_runs and attempt < MAX_ATTEMPTS


_COLUMNS = tuple(RunRow.__dataclass_fields__)
_FIND = select(run).where(run.c.run_id == bindparam("id"))
_ACTIVE = select(run).where(run.c.phase.not_in([int(phase) for phase in ENDED]))
_PHASE_OF = select(run.c.phase).where(run.c.run_id == bindparam("id"))


def add(connection: Connection, row: RunRow) -> None:
    """Keep a new run."""
    connection.execute(insert(run).values({name: getattr(row, name) for name in _COLUMNS} | {"phase": int(row.phase)}))
    raise_to(connection, transitions(connection) + 1)


def find(connection: Connection, run_id: bytes) -> RunRow | None:
    """The run with this id (J, 32 bytes)."""
    return _row(connection.execute(_FIND, {"id": run_id}).mappings().one_or_none())


def require(connection: Connection, run_id: bytes) -> RunRow:
    """The run with this id; NotFound where there is none."""
    row = find(connection, run_id)
    if row is None:
        raise NotFound("There is no such run.", where=f"run {run_id.hex()[:16]}")
    return row


def newest_of(connection: Connection, job_hash: bytes) -> RunRow | None:
    """The newest run of a job."""
    query = select(run).where(run.c.job_hash == job_hash).order_by(run.c.number.desc(), run.c.attempt.desc()).limit(1)
    return _row(connection.execute(query).mappings().one_or_none())


def release_of(connection: Connection, job_hash: bytes, number: int) -> bytes | None:
    """What run `number` of a job released."""
    query = select(run.c.release).where(run.c.job_hash == job_hash, run.c.number == number, run.c.release.is_not(None))
    return connection.execute(query).scalar_one_or_none()


def releases_before(connection: Connection, job_hash: bytes, number: int) -> tuple[bytes, ...]:
    """What the runs of a job below `number` released, in their order."""
    mine = (run.c.job_hash == job_hash) & (run.c.number < number) & run.c.release.is_not(None)
    return tuple(connection.execute(select(run.c.release).where(mine).order_by(run.c.number)).scalars())


def cohorts_before(connection: Connection, job_hash: bytes, number: int) -> list[tuple[bytes, bytes | None]]:
    """(roster, survivors) of the runs of a job below `number` whose roster was logged, in their order."""
    mine = (run.c.job_hash == job_hash) & (run.c.number < number) & run.c.roster.is_not(None)
    query = select(run.c.roster, run.c.survivors).where(mine).order_by(run.c.number)
    return [(roster, survivors) for roster, survivors in connection.execute(query)]


def active(connection: Connection) -> list[RunRow]:
    """Every run that has not ended."""
    return [found for row in connection.execute(_ACTIVE).mappings() if (found := _row(row)) is not None]


def phase_of(connection: Connection, run_id: bytes) -> Phase:
    """The phase alone; InternalFault for a run that is not there."""
    found = connection.execute(_PHASE_OF, {"id": run_id}).scalar_one_or_none()
    if found is None:
        raise InternalFault("A run that is under way is not in the database.", where=run_id.hex())
    return Phase(found)


def change(connection: Connection, run_id: bytes, within: Collection[Phase], **values: Any) -> bool:
    """Change a run while it is in one of these phases; False, and nothing changed, when it is not.

    Another phase is a transition, which is counted.
    """
    if "phase" in values:
        values["phase"] = int(values["phase"])
    phases = [int(phase) for phase in within]
    done = connection.execute(update(run).where(run.c.run_id == run_id, run.c.phase.in_(phases)).values(values))
    if done.rowcount == 1 and "phase" in values:
        raise_to(connection, transitions(connection) + 1)
    return done.rowcount == 1


def require_change(connection: Connection, run_id: bytes, within: Collection[Phase], **values: Any) -> None:
    """As `change`; StorageFault where the run on disk was not in the phase in which it was to be changed."""
    if not change(connection, run_id, within, **values):
        raise StorageFault("The run on disk is not in the phase in which it is in memory.", where="run")


def transitions(connection: Connection) -> int:
    """How many transitions of runs there were, as this database knows it."""
    return int(connection.execute(select(func.max(transition.c.number))).scalar_one() or 0)


def raise_to(connection: Connection, number: int) -> None:
    """Count from here on, where it is not more already."""
    if number > transitions(connection):
        connection.execute(delete(transition))
        connection.execute(insert(transition), {"number": number})


def _row(found: Any) -> RunRow | None:
    return None if found is None else RunRow(**(dict(found) | {"phase": Phase(found["phase"])}))
