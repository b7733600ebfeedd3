"""How a run ends: with its release, or without one and with a reason; on disk, then in memory."""

from __future__ import annotations

import hashlib
import logging

from sqlalchemy import Connection
from vicinia.assembly import build_release
from vicinia.coordinator.clock import Clock
from vicinia.coordinator.services.ledger import Ledger
from vicinia.coordinator.services.live import LiveRun
from vicinia.coordinator.services.live_runs import LiveRuns
from vicinia.coordinator.services.rebuilding import DamagedRun
from vicinia.coordinator.services.words import shown
from vicinia.coordinator.store import artifacts, jobs, messages, runs
from vicinia.coordinator.store.database import Database
from vicinia.coordinator.store.jobs import Stage
from vicinia.coordinator.store.runs import RunRow
from vicinia.errors import RoundFailed, ViciniaError
from vicinia.wire.published import Phase

__all__ = ["TOLD", "Ending", "PlainFailure"]

_log = logging.getLogger(__name__)

# What everybody may read of a failure. The exact sentence can have the exact size in it, which is the participants'.
TOLD = {
    Phase.ADVERTISE: "Too few homes took part.",
    Phase.SHARE: "Too few homes stayed until the shares were dealt.",
    Phase.INPUT: "Too few homes sent their part.",
    Phase.COMMIT: "The survivors of the run could not be confirmed.",
    Phase.UNMASK: "The masks of the run could not be taken off.",
}


class PlainFailure(RoundFailed):
    """A failure whose sentence has no size in it, so that everybody may read it."""


class Ending:
    """Ends runs: their messages are erased, and what memory has of them is forgotten."""

    def __init__(self, database: Database, ledger: Ledger, live: LiveRuns, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._live = live
        self._clock = clock

    def release(self, live: LiveRun, body: bytes, vector: bytes | None = None) -> None:
        """Log the release, publish it and forget the messages, all in one transaction.

        `vector`: the sum of a round of a training, which goes on.
        """
        row = live.row
        statement = build_release(
            self._ledger.coop,
            row.job_hash,
            row.number,
            hashlib.sha256(body).digest(),
            row.survivor_count,
            live.terms.job.rho_nano,
        )

        def keep(connection: Connection, index: int) -> None:
            done = {"phase": Phase.DONE, "release": body, "release_index": index, "opened_ms": self._clock()}
            runs.require_change(connection, row.run_id, (Phase.UNMASK,), **done)
            if vector is not None:
                artifacts.add(connection, row.job_hash, vector)
            jobs.move(connection, row.job_hash, Stage.RELEASED if vector is None else Stage.ACCEPTED)
            messages.erase(connection, row.run_id)

        self._ledger.append(self._ledger.sign(statement), keep)
        self._live.ended(row.run_id)
        _log.info("run %s is released", row.run_id.hex()[:16])

    def fail(self, row: RunRow, reason: str, stage: Stage | None = None, told: str = "") -> None:
        """End a run without a result; the job goes on where the certificate allows another run.

        The participants are told the reason, everybody else `told`, where that differs. `stage`: of the job; by default
        whether another run may follow decides.
        """
        reason = shown(reason)
        if stage is None:
            certificate = self._ledger.assembly.vote_on(row.job_hash).certificate
            again = certificate is not None and row.may_follow(certificate.max_runs)
            # A training ends with what it has, which the trainer sees to.
            again = again or bool(self._ledger.assembly.vote_on(row.job_hash).releases)
            stage = Stage.ACCEPTED if again else Stage.FAILED
        with self._live.gate(row.run_id).exclusive():
            with self._database.write("fail run") as connection:
                runs.require_change(connection, row.run_id, runs.UNDER_WAY, phase=Phase.FAILED, reason=reason)
                jobs.move(connection, row.job_hash, stage, told or reason)
                messages.erase(connection, row.run_id)
            self._live.ended(row.run_id)
        _log.warning("run %s failed: %s", row.run_id.hex()[:16], reason)

    def give_up(self, row: RunRow, error: DamagedRun) -> None:
        """End a run that is not even in memory; where that does not succeed, the next tick tries again."""
        try:
            self.fail(row, error.what, told=error.told)
        except ViciniaError as fault:
            _log.warning("run %s cannot be ended: %s", row.run_id.hex()[:16], fault)
