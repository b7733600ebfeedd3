"""The trainer: for each training, fixes in the log what its next round begins with, and ends it.

A round's model is logged before anybody is in the round. It is computed beside the ticks, since it may take seconds.
"""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from sqlalchemy import Connection
from vicinia.assembly import Job, Vote, build_model, build_trained
from vicinia.coordinator.clock import Clock
from vicinia.coordinator.services.course import Course, Released
from vicinia.coordinator.services.ledger import Ledger
from vicinia.coordinator.services.terms import datasets_of
from vicinia.coordinator.services.words import shown
from vicinia.coordinator.store import artifacts, jobs, runs
from vicinia.coordinator.store.database import Database
from vicinia.coordinator.store.jobs import JobRow, Stage
from vicinia.errors import RoundFailed, StorageFault, Unavailable, ViciniaError
from vicinia.training.card import ModelCard
from vicinia.training.compiled import Training
from vicinia.training.computation import compile_job
from vicinia.training.model import Model
from vicinia.training.rounds import RoundRelease

__all__ = ["Trainer"]

_log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Held:
    """One training in memory; `working`: the model that is being computed."""

    job: Job
    training: Training
    course: Course
    rounds: list[int] = field(default_factory=list)
    working: Future[Model] | None = None


class Trainer:
    """Moves trainings on that have no run under way; the recruiter opens the runs themselves."""

    def __init__(self, database: Database, ledger: Ledger, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._held: dict[bytes, _Held] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="trainer")

    def close(self) -> None:
        """End what is under way; a new trainer computes it again."""
        self._pool.shutdown(cancel_futures=True)
        for held in self._held.values():
            held.course.close()

    def tick(self) -> None:
        """Look at every accepted training that has no run under way."""
        with self._database.read() as connection:
            accepted = jobs.in_stages(connection, (Stage.ACCEPTED,))
        for row in accepted:
            if self._ledger.assembly.vote_on(row.job_hash).proposal.class_ == "special":
                self._look_at(row)

    def _look_at(self, row: JobRow) -> None:
        held = self._hold(row)
        if held is None:
            return
        vote = self._ledger.assembly.vote_on(row.job_hash)
        number, attempt = self._following(row.job_hash)
        if vote.certificate is None or vote.revoked is not None:
            return  # the recruiter ends it
        wanted = held.training.plan.rounds + held.training.plan.closing
        over = len(vote.releases) >= wanted or number >= vote.certificate.max_runs
        over = over or attempt >= runs.MAX_ATTEMPTS or self._clock() >= vote.certificate.expires
        if over and not vote.releases:
            self._end(row, Stage.FAILED, "No round of the training succeeded.")
        elif over or number not in vote.models:
            self._compute(row, held, vote, number, over)

    def _compute(self, row: JobRow, held: _Held, vote: Vote, number: int, over: bool) -> None:
        """Have the model computed; once it is there, log it for the next round, or as the last one."""
        if held.working is None:
            held.working = self._pool.submit(self._advance, held, dict(vote.releases))
        if not held.working.done():
            return
        done, held.working = held.working, None
        try:
            model = done.result()
        except (StorageFault, Unavailable) as error:
            _log.warning("training %s waits: %s", row.job_hash.hex()[:16], error)
            self._drop(row.job_hash)
        except ViciniaError as error:
            self._end(row, Stage.FAILED, f"The training came to no model. {error.what}")
        else:
            if over:
                self._finish(row, held, vote, model)
            else:
                self._fix(row, held, vote, number, model)

    def _advance(self, held: _Held, releases: dict[int, object]) -> Model:
        """In the other thread: take the steps of the rounds that were released since."""
        training = sorted(releases)[: held.training.plan.rounds]  # the closing round only evaluates
        new = [run for run in training if run not in held.rounds]
        loaded = [self._load(held.job.hash, run) for run in new]
        model = held.course.advance(iter(loaded))
        held.rounds += new
        return model

    def _load(self, job_hash: bytes, run: int) -> Released:
        with self._database.read() as connection:
            body = runs.release_of(connection, job_hash, run)
            release = None if body is None else RoundRelease.from_canonical(body)
            vector = None if release is None else artifacts.find(connection, release.vector)
        if release is None or vector is None:
            raise RoundFailed(f"What round {run + 1} released is no longer in the database.", where="training")
        return Released(release, vector)

    def _fix(self, row: JobRow, held: _Held, vote: Vote, number: int, model: Model) -> None:
        """Log the model and the clip of the next round, and keep the model where homes can fetch it."""
        clip_nano = held.training.first_clip_nano
        for run in range(number):
            release = self._load(row.job_hash, run).release if run in vote.releases else None
            clip_nano = held.training.clip_after(clip_nano, release.below_nano if release is not None else None)
        body = model.to_bytes()
        statement = build_model(self._ledger.coop, row.job_hash, number, model.digest, clip_nano)
        self._ledger.append(self._ledger.sign(statement), lambda connection, _: _keep(connection, row.job_hash, body))

    def _finish(self, row: JobRow, held: _Held, vote: Vote, model: Model) -> None:
        """Log the end of the training: its card, which names the model, in one transaction with both."""
        bylaws = self._ledger.assembly.bylaws
        releases = [self._load(row.job_hash, run).release for run in sorted(vote.releases)]
        delta = float(bylaws.delta_dp)
        card = ModelCard.of(held.job, held.training, model, releases, vote, delta, self._clock())
        statement = build_trained(self._ledger.coop, row.job_hash, card.digest, len(releases))

        def keep(connection: Connection, _: int) -> None:
            _keep(connection, row.job_hash, model.to_bytes())
            _keep(connection, row.job_hash, card.body)
            jobs.move(connection, row.job_hash, Stage.RELEASED, card.ended)

        self._ledger.append(self._ledger.sign(statement), keep)
        self._drop(row.job_hash)
        _log.info("training %s has ended after %d rounds", row.job_hash.hex()[:16], len(releases))

    def _hold(self, row: JobRow) -> _Held | None:
        """The training in memory; None for another special job."""
        if row.job_hash not in self._held:
            job = Job.from_canonical(row.body)
            if job.training is None:
                return None
            training = compile_job(job, datasets_of(job, self._ledger.assembly))
            if not isinstance(training, Training):
                return None
            self._held[row.job_hash] = _Held(job, training, Course(training))
        return self._held[row.job_hash]

    def _following(self, job_hash: bytes) -> tuple[int, int]:
        """(number, attempt) of the run that comes next."""
        with self._database.read() as connection:
            newest = runs.newest_of(connection, job_hash)
        return newest.following if newest is not None else (0, 0)

    def _drop(self, job_hash: bytes) -> None:
        held = self._held.pop(job_hash, None)
        if held is not None:
            held.course.close()

    def _end(self, row: JobRow, stage: Stage, reason: str) -> None:
        with self._database.write(f"training is {stage}") as connection:
            jobs.move(connection, row.job_hash, stage, shown(reason))
        self._drop(row.job_hash)


def _keep(connection: Connection, job_hash: bytes, body: bytes) -> None:
    artifacts.add(connection, job_hash, body)
