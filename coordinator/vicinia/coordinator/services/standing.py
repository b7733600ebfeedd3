"""Where a job stands, as it is told to whoever may see the job."""

from __future__ import annotations

from functools import lru_cache

from vicinia.assembly import Job
from vicinia.assembly.learning import TrainingPlan
from vicinia.assembly.statements import rounded_down
from vicinia.coordinator.services.ledger import Ledger
from vicinia.coordinator.services.live_runs import LiveRuns
from vicinia.coordinator.services.rebuilding import DamagedRun
from vicinia.coordinator.store.jobs import JobRow, Stage
from vicinia.coordinator.store.runs import ENDED, RunRow
from vicinia.errors import PhaseOver, ViciniaError
from vicinia.wire.published import Phase
from vicinia.wire.research import JobState, JobStatus

__all__ = ["Standing", "is_training"]

_STATES = {
    Stage.SUBMITTED: JobState.SUBMITTED,
    Stage.REJECTED: JobState.REJECTED,
    Stage.VOTING: JobState.VOTING,
    Stage.CLOSING: JobState.VOTING,
    Stage.NOT_ACCEPTED: JobState.NOT_ACCEPTED_BY_VOTE,
    Stage.ACCEPTED: JobState.RECRUITING,
    Stage.RECRUITING: JobState.RECRUITING,
    Stage.RUNNING: JobState.RUNNING,
    Stage.RELEASED: JobState.RELEASED,
    Stage.FAILED: JobState.JOB_FAILED,
    Stage.REVOKED: JobState.REVOKED,
    Stage.EXPIRED: JobState.EXPIRED,
}
_COUNTED = frozenset(Stage) - {Stage.SUBMITTED, Stage.REJECTED, Stage.VOTING, Stage.CLOSING}


class Standing:
    """Says where jobs stand."""

    def __init__(self, ledger: Ledger, live: LiveRuns) -> None:
        self._ledger = ledger
        self._live = live

    def of(self, row: JobRow, run: RunRow | None) -> JobStatus:
        """Of a job whose newest run is this."""
        vote = self._ledger.assembly.votes.get(row.job_hash)
        counted = row.stage in _COUNTED
        phase, done, of, ends_ms = self._progress(run)
        plan = _plan(row.body)
        return JobStatus(
            job_hash=row.job_hash,
            title=row.title,
            state=_STATES[row.stage],
            submitted_ms=row.submitted_ms,
            reason=row.reason,
            deadline_ms=row.deadline_ms,
            turnout=vote.turnout if vote else 0,
            electorate=row.electorate,
            yes=row.yes if counted else 0,
            no=row.no if counted else 0,
            abstain=row.abstain if counted else 0,
            phase=phase,
            phase_done=done,
            phase_of=of,
            phase_deadline_ms=ends_ms,
            run=run.number if run is not None else 0,
            rounds_released=len(vote.releases) if vote else 0,
            rounds_planned=plan.rounds if plan else 0,
            rounds_scaling=plan.scaling if plan else 0,
        )

    def _progress(self, run: RunRow | None) -> tuple[Phase, int, int, int]:
        """(phase, homes done, homes expected, deadline) of the run; sizes are rounded down for whoever watches."""
        if run is None:
            return Phase.PHASE_UNSPECIFIED, 0, 0, 0
        if run.phase in ENDED:
            return run.phase, 0, 0, 0
        try:
            live = self._live.get(run.run_id)
        except (DamagedRun, PhaseOver):  # the conductor is about to end it, or has just done so
            return run.phase, 0, 0, 0
        deadline_ms = live.manifest.deadlines.in_order()[live.row.phase - 1]
        return live.row.phase, rounded_down(len(live.answered)), rounded_down(live.expected), deadline_ms


def is_training(body: bytes) -> bool:
    """Whether the job has a plan to train or evaluate a model."""
    return _plan(body) is not None


@lru_cache(1_024)
def _plan(body: bytes) -> TrainingPlan | None:
    """None of a query, and of a job of another version."""
    try:
        return Job.from_canonical(body).training
    except ViciniaError:
        return None
