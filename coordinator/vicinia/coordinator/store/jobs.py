"""Jobs and where they stand."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from vicinia.coordinator.store import artifacts
from vicinia.coordinator.store.schema import job, run

__all__ = [
    "ENDS",
    "JobRow",
    "Stage",
    "add",
    "count",
    "every",
    "find",
    "forget",
    "in_stages",
    "move",
    "opened",
    "tallied",
    "witnessed",
]


class Stage(StrEnum):
    """Where a job stands. In `CLOSING` the deadline is over and the close waits for the witnesses."""

    SUBMITTED = "submitted"
    REJECTED = "rejected"
    VOTING = "voting"
    CLOSING = "closing"
    NOT_ACCEPTED = "not accepted"
    ACCEPTED = "accepted"
    RECRUITING = "recruiting"
    RUNNING = "running"
    RELEASED = "released"
    FAILED = "failed"
    REVOKED = "revoked"
    EXPIRED = "expired"


ENDS = frozenset({Stage.REJECTED, Stage.NOT_ACCEPTED, Stage.RELEASED, Stage.FAILED, Stage.REVOKED, Stage.EXPIRED})
_ENDS_WITHOUT = ENDS - {Stage.RELEASED}
# What was released may be fetched and replayed, whatever became of the job afterwards.
_NEEDS_ARTIFACTS = (
    job.c.stage.not_in([end.value for end in _ENDS_WITHOUT])
    | select(run.c.run_id).where(run.c.job_hash == job.c.job_hash, run.c.release_index.is_not(None)).exists()
)


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job: `body` is its canonical JSON, `proposal` the digest of the proposal statement."""

    job_hash: bytes
    body: bytes
    title: str
    researcher: str
    proposal: bytes
    stage: Stage
    reason: str
    submitted_ms: int
    deadline_ms: int = 0
    electorate: int = 0
    yes: int = 0
    no: int = 0
    abstain: int = 0
    proposal_index: int | None = None
    certificate_index: int | None = None
    opening: bytes | None = None


_COLUMNS = tuple(JobRow.__dataclass_fields__)
_IN_STAGES = (
    select(job).where(job.c.stage.in_(bindparam("stages", expanding=True))).order_by(job.c.submitted_ms, job.c.job_hash)
)


def add(connection: Connection, row: JobRow) -> None:
    """Keep a job that was submitted."""
    connection.execute(insert(job).values({name: getattr(row, name) for name in _COLUMNS} | {"stage": row.stage.value}))


def find(connection: Connection, job_hash: bytes) -> JobRow | None:
    """The job with this hash."""
    found = connection.execute(select(job).where(job.c.job_hash == job_hash)).mappings().one_or_none()
    return None if found is None else JobRow(**(dict(found) | {"stage": Stage(found["stage"])}))


def every(connection: Connection, limit: int = 500, seen_by: str | None = None) -> list[JobRow]:
    """The newest jobs, newest first; for a caller, without other researchers' rejected ones."""
    query = select(job)
    if seen_by is not None:
        query = query.where((job.c.stage != Stage.REJECTED.value) | (job.c.researcher == seen_by))
    rows = connection.execute(query.order_by(job.c.submitted_ms.desc(), job.c.job_hash).limit(limit))
    return [JobRow(**(dict(row) | {"stage": Stage(row["stage"])})) for row in rows.mappings()]


def count(connection: Connection, researcher: str, stage: Stage) -> int:
    """How many jobs of a researcher are in this stage."""
    mine = (job.c.researcher == researcher) & (job.c.stage == stage.value)
    return int(connection.execute(select(func.count()).select_from(job).where(mine)).scalar_one())


def forget(connection: Connection, researcher: str, stage: Stage, keep: int) -> None:
    """Drop a researcher's jobs in this stage but for the newest `keep`; none of them may have a run."""
    mine = (job.c.researcher == researcher) & (job.c.stage == stage.value)
    newest = select(job.c.job_hash).where(mine).order_by(job.c.submitted_ms.desc(), job.c.job_hash).limit(keep)
    connection.execute(delete(job).where(mine, job.c.job_hash.not_in(newest)))


def in_stages(connection: Connection, stages: Collection[Stage]) -> list[JobRow]:
    """Every job in one of these stages, oldest first."""
    rows = connection.execute(_IN_STAGES, {"stages": [stage.value for stage in stages]})
    return [JobRow(**(dict(row) | {"stage": Stage(row["stage"])})) for row in rows.mappings()]


def opened(connection: Connection, job_hash: bytes, index: int, deadline_ms: int, electorate: int) -> None:
    """The proposal is in the log: the vote is open."""
    connection.execute(
        update(job)
        .where(job.c.job_hash == job_hash)
        .values(
            stage=Stage.VOTING.value, proposal_index=index, deadline_ms=deadline_ms, electorate=electorate, reason=""
        )
    )


def witnessed(connection: Connection, job_hash: bytes, opening: bytes, deadline_ms: int) -> None:
    """The witnesses have seen the proposal: from now on its vote lasts as long as the by-laws say."""
    known = update(job).where(job.c.job_hash == job_hash, job.c.opening.is_(None))
    connection.execute(known.values(opening=opening, deadline_ms=deadline_ms))


def tallied(connection: Connection, job_hash: bytes, yes: int, no: int, abstain: int) -> None:
    """Keep the counts, once the close is in the log."""
    connection.execute(update(job).where(job.c.job_hash == job_hash).values(yes=yes, no=no, abstain=abstain))


def move(
    connection: Connection, job_hash: bytes, stage: Stage, reason: str = "", certificate_index: int | None = None
) -> None:
    """Put a job into another stage; a job that has ended stays where it is. One that ends without having released
    anything leaves no artifact behind, such as the model that it brought, unless another job needs it."""
    values: dict[str, str | int] = {"stage": stage.value, "reason": reason}
    if certificate_index is not None:
        values["certificate_index"] = certificate_index
    ended = [end.value for end in ENDS]
    connection.execute(update(job).where(job.c.job_hash == job_hash, job.c.stage.not_in(ended)).values(values))
    if stage in _ENDS_WITHOUT:
        artifacts.keep_for(connection, _NEEDS_ARTIFACTS)
