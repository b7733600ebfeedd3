"""The recruiter: opens a run for each job that the members accepted, while its certificate lasts."""

from __future__ import annotations

import logging
from dataclasses import replace

from vicinia.assembly import Job, Vote
from vicinia.coordinator.clock import Clock
from vicinia.coordinator.services.checkpoints import Checkpoints
from vicinia.coordinator.services.ledger import Ledger
from vicinia.coordinator.store import jobs, runs
from vicinia.coordinator.store.database import Database
from vicinia.coordinator.store.jobs import JobRow, Stage
from vicinia.coordinator.store.runs import RunRow
from vicinia.secagg.manifest import PROTOCOL, Deadlines, Manifest
from vicinia.wire.published import Phase

__all__ = ["Recruiter"]

_log = logging.getLogger(__name__)


class Recruiter:
    """Opens runs, or ends a job whose permission was revoked or has expired."""

    def __init__(self, database: Database, ledger: Ledger, checkpoints: Checkpoints, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._checkpoints = checkpoints
        self._clock = clock
        self._phase_ms = ledger.assembly.bylaws.phase_seconds * 1000

    def tick(self) -> None:
        """Look at every accepted job that has no run under way."""
        with self._database.read() as connection:
            accepted = jobs.in_stages(connection, (Stage.ACCEPTED,))
        for row in accepted:
            self._open(row)

    def _open(self, row: JobRow) -> None:
        """Open the next run, once the certificate is under an accepted checkpoint."""
        vote, now_ms = self._ledger.assembly.vote_on(row.job_hash), self._clock()
        accepted = self._checkpoints.accepted
        certificate = vote.certificate
        if vote.revoked is not None:
            self._end(row.job_hash, Stage.REVOKED, "The permission was revoked.")
        elif certificate is not None and now_ms >= certificate.expires:
            if not vote.releases:  # else it is a training, which ends with the rounds that it has
                self._end(row.job_hash, Stage.EXPIRED, "The certificate expired before a run was complete.")
        elif accepted is not None and accepted.size > (row.certificate_index or 0):
            self._open_run(row, vote, accepted.size, now_ms)

    def _open_run(self, row: JobRow, vote: Vote, size: int, now_ms: int) -> None:
        """A run, or another attempt at one, once nobody can be in the attempt before any more (docs/adr/0011)."""
        step = self._phase_ms
        with self._database.read() as connection:
            before = runs.newest_of(connection, row.job_hash)
        number, attempt = before.following if before is not None else (0, 0)
        if attempt >= runs.MAX_ATTEMPTS:
            return
        if before is not None and attempt and now_ms <= Manifest.from_canonical(before.manifest).deadlines.unmask:
            return
        logged = vote.models.get(number)
        if Job.from_canonical(row.body).training is not None and (logged is None or logged.leaf >= size):
            return  # the trainer fixes what a round begins with, and the witnesses must have seen it
        manifest = Manifest(
            coop=self._ledger.coop,
            job=row.job_hash,
            run=number,
            protocol=PROTOCOL,
            checkpoint_size=size,
            checkpoint_root=self._ledger.assembly.root(size),
            # One more step before shares end: the roster must be logged and witnessed in it.
            deadlines=Deadlines(*(now_ms + step * steps for steps in (1, 3, 4, 5, 6))),
            model_hash=logged.model.digest if logged is not None else None,
            clip=logged.model.clip_nano if logged is not None else None,
        )
        run = RunRow(
            manifest.digest, row.job_hash, number, manifest.canonical(), Phase.ADVERTISE, now_ms, attempt=attempt
        )
        with self._database.write("open run") as connection:
            runs.add(connection, replace(run, attempt=attempt))
            jobs.move(connection, row.job_hash, Stage.RECRUITING)
        _log.info("run %s of job %s is open", run.run_id.hex()[:16], row.job_hash.hex()[:16])

    def _end(self, job_hash: bytes, stage: Stage, reason: str) -> None:
        with self._database.write(f"job is {stage}") as connection:
            jobs.move(connection, job_hash, stage, reason)
