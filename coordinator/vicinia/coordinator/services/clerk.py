"""The clerk: takes a job from its proposal to a certificate, or to the end that it meets before."""

from __future__ import annotations

import logging

from sqlalchemy import Connection
from vicinia.assembly import Result, Vote, build_certificate, build_close, build_tally
from vicinia.assembly.statements import Proposal
from vicinia.coordinator.clock import Clock
from vicinia.coordinator.services.checkpoints import Checkpoints
from vicinia.coordinator.services.ledger import Ledger
from vicinia.coordinator.store import jobs, tray
from vicinia.coordinator.store.database import Database
from vicinia.coordinator.store.jobs import JobRow, Stage
from vicinia.errors import NotAccepted, ViciniaError
from vicinia.tlog.statement import Statement

__all__ = ["Clerk"]

_log = logging.getLogger(__name__)


class Clerk:
    """Moves votes on by the clock. Each step is one transaction, and each can be the first after a restart."""

    def __init__(self, database: Database, ledger: Ledger, checkpoints: Checkpoints, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._checkpoints = checkpoints
        self._clock = clock
        self._close_within_ms = ledger.assembly.bylaws.checkpoint_age_seconds * 1000

    def tick(self) -> None:
        """Look at every job whose vote is not over."""
        with self._database.read() as connection:
            waiting = jobs.in_stages(connection, (Stage.SUBMITTED, Stage.VOTING, Stage.CLOSING))
        for row in waiting:
            try:
                self._advance(row)
            except ViciniaError as error:
                _log.warning("the vote on %s cannot go on: %s", row.job_hash.hex()[:16], error)

    def _advance(self, row: JobRow) -> None:
        if row.stage is Stage.SUBMITTED:
            self._expire_unsponsored(row)
            return
        vote = self._ledger.assembly.vote_on(row.job_hash)
        if vote.revoked is not None:
            self._move(row, Stage.REVOKED, "The job was revoked before the vote was over.")
        elif row.opening is None:
            self._open(row, vote)
        elif self._clock() >= row.deadline_ms:
            self._close(row, vote, row.opening)

    def _expire_unsponsored(self, row: JobRow) -> None:
        with self._database.read() as connection:
            due = self._waits_in_vain(connection, row)
        if due:
            reason = "No member sponsored the proposal in time."
            with self._database.write("expire proposal") as connection:
                if self._waits_in_vain(connection, row):
                    tray.drop(connection, row.proposal)
                    jobs.move(connection, row.job_hash, Stage.EXPIRED, reason)

    def _waits_in_vain(self, connection: Connection, row: JobRow) -> bool:
        """Whether it waits still, beyond its time; a member may have sponsored it since the row was read."""
        now, waiting = jobs.find(connection, row.job_hash), tray.find(connection, row.proposal)
        if now is None or now.stage is not Stage.SUBMITTED:
            return False
        deadline_ms = Proposal.from_payload(Statement.parse(waiting.body).payload).deadline if waiting else 0
        return self._clock() >= deadline_ms

    def _open(self, row: JobRow, vote: Vote) -> None:
        """Keep the first note under which witnesses saw the proposal: from there the vote's time runs."""
        accepted = self._checkpoints.accepted
        if accepted is not None and accepted.size > vote.leaf:
            with self._ledger.lock:
                deadline_ms = self._ledger.assembly.closes_at(row.job_hash, accepted.note)
            with self._database.write("open vote") as connection:
                jobs.witnessed(connection, row.job_hash, accepted.note, deadline_ms)

    def _close(self, row: JobRow, vote: Vote, opening: bytes) -> None:
        """Close, tally, certificate: what is not in the log yet."""
        if vote.closing is None and not self._log_close(row, opening):
            if self._clock() > row.deadline_ms + self._close_within_ms:
                self._move(row, Stage.EXPIRED, "The witnesses did not confirm the end of the vote in time.")
            return
        if vote.result is None:
            self._log_tally(row)
        if vote.result is not None and vote.result.accepted and vote.certificate is None:
            self._log_certificate(row)

    def _log_close(self, row: JobRow, opening: bytes) -> bool:
        """Append the close once a checkpoint with every ballot is cosigned at or after the deadline."""
        since_s = -(-row.deadline_ms // 1000)
        self._checkpoints.demand(since_s)
        if row.stage is Stage.VOTING:
            self._move(row, Stage.CLOSING)
        with self._ledger.lock:  # no ballot is logged between this look at the ballots and the close
            accepted, dated = self._checkpoints.accepted, self._checkpoints.dated
            if accepted is None or dated is None or dated < since_s:
                return False
            try:
                close = build_close(self._ledger.assembly, row.job_hash, opening, accepted.note)
            except NotAccepted as reason:  # a ballot is not under it yet, or it was confirmed too late
                _log.debug("the vote on %s is not closed yet: %s", row.job_hash.hex()[:16], reason)
                return False
            self._ledger.append(self._ledger.sign(close))
        return True

    def _log_tally(self, row: JobRow) -> None:
        with self._ledger.lock:
            result = self._ledger.assembly.tally(self._ledger.assembly.vote_on(row.job_hash))
            counts = result.counts
            reason = "" if result.accepted else _why_not(result)

            def keep(connection: Connection, _index: int) -> None:
                jobs.tallied(connection, row.job_hash, counts.yes, counts.no, counts.abstain)
                if not result.accepted:
                    jobs.move(connection, row.job_hash, Stage.NOT_ACCEPTED, reason)

            self._ledger.append(self._ledger.sign(build_tally(self._ledger.assembly, row.job_hash)), keep)

    def _log_certificate(self, row: JobRow) -> None:
        with self._ledger.lock:

            def keep(connection: Connection, index: int) -> None:
                jobs.move(connection, row.job_hash, Stage.ACCEPTED, certificate_index=index)

            self._ledger.append(self._ledger.sign(build_certificate(self._ledger.assembly, row.job_hash)), keep)

    def _move(self, row: JobRow, stage: Stage, reason: str = "") -> None:
        with self._database.write(f"job is {stage}") as connection:
            jobs.move(connection, row.job_hash, stage, reason)


def _why_not(result: Result) -> str:
    """The counts, in words."""
    counts = result.counts
    shown = f"{counts.yes} yes, {counts.no} no, {counts.abstain} abstained, of {result.electorate} households"
    if not result.quorum_reached:
        return f"Too few voted, {result.quorum} must: {shown}."
    rule = "three quarters yes are needed" if result.special else "more yes than no are needed"
    return f"The members did not accept it, {rule}: {shown}."
