"""The trainer: for each training, fixes in the log what its next round begins with, and ends it.

A round's model is logged before anybody is in the round. It is computed beside the ticks, since it may take seconds.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from sqlalchemy import Connection
from vicinia.assembly import Job, Vote, build_model, build_trained
from vicinia.assembly.learning import TrainingPlan
from vicinia.coordinator.clock import Clock
from vicinia.coordinator.services.bell import Bell
from vicinia.coordinator.services.ledger import Ledger
from vicinia.coordinator.services.lesson import Lesson
from vicinia.coordinator.services.terms import compiled, datasets_of
from vicinia.coordinator.services.words import shown
from vicinia.coordinator.store import artifacts, jobs, runs
from vicinia.coordinator.store.database import Database
from vicinia.coordinator.store.jobs import JobRow, Stage
from vicinia.errors import RoundFailed, StorageFault, Unavailable, ViciniaError
from vicinia.training.beginning import beginning
from vicinia.training.card import ModelCard
from vicinia.training.compiled import Training
from vicinia.training.model import Model
from vicinia.training.replay import Released
from vicinia.training.rounds import RoundRelease
from vicinia.training.schedule import trained_runs
from vicinia.training.standardisation import standardised

__all__ = ["Trainer"]

_log = logging.getLogger(__name__)

_UNDER_WAY = (Stage.ACCEPTED, Stage.RECRUITING, Stage.RUNNING)
_AT_ONCE = 4
"""Trainings whose steps are taken at a time; one that takes long, or a Flower process that hangs, holds up no other."""
_MOST_DEFECTS = 3
_LONGEST_WAIT_MS = 600_000


class _Trouble(NamedTuple):
    """How often in a row a training has failed to move on, and until when it is left alone."""

    times: int
    until_ms: int


class Trainer:
    """Moves trainings on that have no run under way; the recruiter opens the runs themselves."""

    def __init__(self, database: Database, ledger: Ledger, bell: Bell, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._bell = bell
        self._clock = clock
        self._lessons: dict[bytes, Lesson] = {}
        self._trouble: dict[bytes, _Trouble] = {}
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="trainer")

    def close(self) -> None:
        """End what is under way; a new trainer computes it again."""
        self._pool.shutdown(cancel_futures=True)
        for lesson in self._lessons.values():
            lesson.close()

    def tick(self) -> None:
        """Look at every accepted training that has no run under way; what is wrong with one keeps no other."""
        with self._database.read() as connection:
            rows = {row.job_hash: row for row in jobs.in_stages(connection, _UNDER_WAY)}
        for job_hash in self._lessons.keys() - rows.keys():
            self._drop(job_hash)  # somebody else has ended it
        for row in rows.values():
            trouble = self._trouble.get(row.job_hash)
            waits = trouble is not None and self._clock() < trouble.until_ms
            special = self._ledger.assembly.vote_on(row.job_hash).proposal.class_ == "special"
            if row.stage is Stage.ACCEPTED and special and not waits:
                self._try(row)

    def _try(self, row: JobRow) -> None:
        """Look at one; what may pass is tried again later, what may not ends the training with its reason."""
        try:
            self._look_at(row)
        except (StorageFault, Unavailable) as error:
            self._failed(row, str(error))
        except ViciniaError as error:
            self._end(row, Stage.FAILED, f"The training came to no model. {error.what}")
        except Exception as defect:
            _log.exception("training %s met a defect", row.job_hash.hex()[:16])
            if self._failed(row, type(defect).__name__) >= _MOST_DEFECTS:
                self._end(row, Stage.FAILED, "The coordinator met a defect of its own in the training.")

    def _failed(self, row: JobRow, why: str) -> int:
        """Wait, twice as long each time; how often it has failed in a row."""
        times = self._trouble[row.job_hash].times + 1 if row.job_hash in self._trouble else 1
        self._trouble[row.job_hash] = _Trouble(times, self._clock() + min(1000 << times, _LONGEST_WAIT_MS))
        _log.warning("training %s waits: %s", row.job_hash.hex()[:16], why)
        return times

    def _look_at(self, row: JobRow) -> None:
        lesson = self._lesson(row)
        if lesson is None:
            return
        vote = self._ledger.assembly.vote_on(row.job_hash)
        if vote.certificate is None or vote.revoked is not None:
            return  # the recruiter ends it
        if vote.trained is not None:
            self._was_ended(row, vote.trained.digest)
            return
        number, attempt = self._following(row.job_hash)
        plan = lesson.training.plan
        wanted = plan.scaling + plan.rounds + plan.closing
        over = len(vote.releases) >= wanted or number >= vote.certificate.max_runs
        over = over or attempt >= runs.MAX_ATTEMPTS or self._clock() >= vote.certificate.expires
        if over and not (trained_runs(plan, vote.releases) or (plan.only_evaluates and vote.releases)):
            self._end(row, Stage.FAILED, _nothing_came_of(plan, vote))
            return
        logged = vote.models.get(number)
        if not over and logged is not None and self._is_kept(logged.model.digest):
            return  # the recruiter's turn
        model = lesson.model(vote.releases, lambda run: self._load(row.job_hash, run), self._pool, self._bell)
        if model is None:
            return
        self._trouble.pop(row.job_hash, None)
        if over:
            self._finish(row, lesson, vote, model)
        else:
            self._fix(row, lesson, vote, number, model)

    def _was_ended(self, row: JobRow, card: bytes) -> None:
        """The log says that the training has ended, and this database, from before that, did not know."""
        if self._is_kept(card):
            self._end(row, Stage.RELEASED, "")
        else:
            self._end(row, Stage.FAILED, "The training has ended, and its model was lost with the database.")

    def _is_kept(self, digest: bytes) -> bool:
        with self._database.read() as connection:
            return artifacts.find(connection, digest) is not None

    def _load(self, job_hash: bytes, run: int) -> Released:
        with self._database.read() as connection:
            body = runs.release_of(connection, job_hash, run)
            release = None if body is None else RoundRelease.from_canonical(body)
            vector = None if release is None else artifacts.find(connection, release.vector)
        if release is None or vector is None:
            raise RoundFailed(f"What round {run + 1} released is no longer in the database.", where="training")
        return Released(release, vector)

    def _fix(self, row: JobRow, lesson: Lesson, vote: Vote, number: int, model: Model) -> None:
        """Log the model and the clip of the next round, and keep the model where homes can fetch it."""
        body = model.to_bytes()
        if number in vote.models:  # the log has it, and a database from before that has not
            if vote.models[number].model.digest != model.digest:
                raise RoundFailed("The model that the log names was lost with the database.", where="training")
            with self._database.write("keep a model again") as connection:
                artifacts.add(connection, row.job_hash, body)
            return
        clip_nano = lesson.training.first_clip_nano
        for run in range(number):
            release = self._load(row.job_hash, run).release if run in vote.releases else None
            clip_nano = lesson.training.clip_after(clip_nano, release.below_nano if release is not None else None)
        statement = build_model(self._ledger.coop, row.job_hash, number, model.digest, clip_nano)

        def keep(connection: Connection, _: int) -> None:
            artifacts.add(connection, row.job_hash, body)

        self._ledger.append(self._ledger.sign(statement), keep)
        self._bell.ring()

    def _finish(self, row: JobRow, lesson: Lesson, vote: Vote, model: Model) -> None:
        """Log the end of the training: its card, which names the model, in one transaction with both."""
        loaded = [self._load(row.job_hash, run) for run in sorted(vote.releases)]
        releases = [one.release for one in loaded]
        delta = float(self._ledger.assembly.bylaws.delta_dp)
        training = standardised(lesson.training, {one.run: one for one in releases})
        bins = loaded[-1].calibration(training)
        card = ModelCard.of(lesson.job, training, model, releases, bins, vote, delta, self._clock())
        statement = build_trained(self._ledger.coop, row.job_hash, card.digest, len(releases))

        def keep(connection: Connection, _: int) -> None:
            artifacts.add(connection, row.job_hash, model.to_bytes())
            artifacts.add(connection, row.job_hash, card.body)
            jobs.move(connection, row.job_hash, Stage.RELEASED, card.ended)

        self._ledger.append(self._ledger.sign(statement), keep)
        self._bell.ring()
        self._drop(row.job_hash)
        _log.info("training %s has ended after %d rounds", row.job_hash.hex()[:16], len(releases))

    def _lesson(self, row: JobRow) -> Lesson | None:
        """The training in memory; None for another special job."""
        if row.job_hash not in self._lessons:
            job = Job.from_canonical(row.body)
            if job.training is None:
                return None
            training = compiled(job, datasets_of(job, self._ledger.assembly))
            if not isinstance(training, Training):
                return None
            self._lessons[row.job_hash] = Lesson(job, training, beginning(training, self._brought))
        return self._lessons[row.job_hash]

    def _brought(self, digest: bytes) -> Model:
        """The model that came with a job."""
        with self._database.read() as connection:
            body = artifacts.find(connection, digest)
        if body is None:
            raise RoundFailed("The researcher's model is no longer in the database.", where="training")
        return Model.from_bytes(body)

    def _following(self, job_hash: bytes) -> tuple[int, int]:
        """(number, attempt) of the run that comes next."""
        with self._database.read() as connection:
            newest = runs.newest_of(connection, job_hash)
        return newest.following if newest is not None else (0, 0)

    def _drop(self, job_hash: bytes) -> None:
        self._trouble.pop(job_hash, None)
        lesson = self._lessons.pop(job_hash, None)
        if lesson is not None:
            lesson.close()

    def _end(self, row: JobRow, stage: Stage, reason: str) -> None:
        with self._database.write(f"training is {stage}") as connection:
            jobs.move(connection, row.job_hash, stage, shown(reason))
        self._drop(row.job_hash)


def _nothing_came_of(plan: TrainingPlan, vote: Vote) -> str:
    """Why there is no model, in words."""
    if plan.only_evaluates:
        return "No run of the evaluation succeeded."
    return f"{'The inputs were standardised, but no' if vote.releases else 'No'} round of the training succeeded."
