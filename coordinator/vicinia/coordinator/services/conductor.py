"""The conductor: leads each run from phase to phase, by the clock and by what has been journalled."""

from __future__ import annotations

import logging

import numpy as np
from sqlalchemy import Connection
from vicinia.assembly import build_roster
from vicinia.coordinator.clock import Clock
from vicinia.coordinator.services import parts
from vicinia.coordinator.services.checkpoints import Checkpoints
from vicinia.coordinator.services.ending import TOLD, Ending, PlainFailure
from vicinia.coordinator.services.ledger import Ledger
from vicinia.coordinator.services.live import LiveRun
from vicinia.coordinator.services.live_runs import LiveRuns
from vicinia.coordinator.services.pace import Pace
from vicinia.coordinator.services.patience import Patience
from vicinia.coordinator.services.result import release_body
from vicinia.coordinator.services.round_result import round_release
from vicinia.coordinator.store import jobs, messages, runs
from vicinia.coordinator.store.database import Database
from vicinia.coordinator.store.jobs import Stage
from vicinia.errors import StorageFault, ViciniaError
from vicinia.training.compiled import Training
from vicinia.wire.published import Phase

__all__ = ["Conductor"]

_log = logging.getLogger(__name__)


class Conductor:
    """Advances runs; every transition is on disk before anybody is told."""

    def __init__(
        self, database: Database, ledger: Ledger, checkpoints: Checkpoints, live: LiveRuns, clock: Clock
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._checkpoints = checkpoints
        self._live = live
        self._clock = clock
        self._ending = Ending(database, ledger, live, clock)
        bylaws = ledger.assembly.bylaws
        self._patience = Patience(Pace(bylaws.poll_ms, bylaws.phase_seconds * 1000, bylaws.vote_seconds * 1000), clock)

    def tick(self) -> None:
        """Look at every run under way."""
        good, damaged = self._live.sort_out()
        for live in good:
            self._advance(live)
        for row, error in damaged:
            self._ending.give_up(row, error)

    def _advance(self, live: LiveRun) -> None:
        """One step, if it is due; whatever cannot be repaired ends the run with its reason."""
        try:
            if self._ledger.assembly.vote_on(live.row.job_hash).revoked is not None:
                self._ending.fail(live.row, "The permission was revoked.", Stage.REVOKED)
            else:
                _STEPS[live.row.phase](self, live)
        except StorageFault as error:  # nothing was published: the next tick tries again from the disk
            self._live.drop(live)
            _log.warning("run %s waits: %s", live.run_id.hex()[:16], error)
        except PlainFailure as error:
            self._ending.fail(live.row, error.what)
        except ViciniaError as error:
            self._ending.fail(live.row, str(error), told=TOLD[live.row.phase])
        except Exception:
            _log.exception("run %s met a defect", live.run_id.hex()[:16])
            self._ending.fail(live.row, "The coordinator met a defect of its own; its log says more.")

    def _freeze_roster(self, live: LiveRun) -> None:
        if live.row.roster is not None:
            self._show_roster(live)
            return
        if not self._patience.over(live, live.manifest.deadlines.advertise):
            return
        with self._live.alone(live), live.mutex, self._ledger.lock:
            if not live.answered:
                raise PlainFailure("No home took part.")
            # Homes refuse a roster with somebody who had left, or had another key, when it was logged.
            assembly = self._ledger.assembly
            vote = assembly.vote_on(live.row.job_hash)
            live.keep_only(assembly.lasting_keys(vote, live.manifest.checkpoint_size, assembly.size))
            roster = live.freeze_roster()
            parts.require_roster(live, assembly)
            statement = build_roster(
                self._ledger.coop, live.row.job_hash, live.row.number, roster.G, live.round.parameters.n
            )

            def keep(connection: Connection, index: int) -> None:
                _same_messages(connection, live)
                values = {"roster": roster.members, "roster_index": index}
                runs.require_change(connection, live.run_id, (Phase.ADVERTISE,), **values)

            self._ledger.append(self._ledger.sign(statement), keep)
            self._live.reread(live)

    def _show_roster(self, live: LiveRun) -> None:
        """The roster is in the log: wait until witnesses have confirmed it."""
        accepted = self._checkpoints.accepted
        if accepted is not None and accepted.size > (live.row.roster_index or 0):
            with self._live.alone(live):
                self._enter(live, Phase.SHARE, live.round.parameters.n, checkpoint_size=accepted.size)
        elif self._clock() >= live.manifest.deadlines.share:
            raise PlainFailure("The witnesses did not confirm the roster in time.")

    def _freeze_dealers(self, live: LiveRun) -> None:
        if self._patience.over(live, live.manifest.deadlines.share):
            with self._live.alone(live), live.mutex:
                dealers = live.round.freeze_dealers()
                self._enter(live, Phase.INPUT, _ones(dealers), dealers=dealers)

    def _freeze_survivors(self, live: LiveRun) -> None:
        if self._patience.over(live, live.manifest.deadlines.input):
            with self._live.alone(live), live.mutex:
                positions = [live.round.position(index) for index in live.answered]
                survivors = live.round.freeze_survivors(positions)
                parts.require_survivors(live, survivors, self._ledger.assembly)
                self._enter(
                    live,
                    Phase.COMMIT,
                    live.round.parameters.notaries,
                    survivors=survivors,
                    survivor_count=len(positions),
                )

    def _commit(self, live: LiveRun) -> None:
        with self._live.alone(live), live.mutex:
            if live.round.commitment() is not None:
                self._enter(live, Phase.UNMASK, live.row.survivor_count)
            elif self._patience.time_is_up(live, live.manifest.deadlines.commit):
                raise PlainFailure("Too few notaries confirmed who is in the sum.")

    def _finish(self, live: LiveRun) -> None:
        if not self._patience.over(live, live.manifest.deadlines.unmask):
            return  # who is about to answer is not made to wait for the work below
        with self._live.alone(live), live.mutex:
            if not live.round.recoverable():
                if self._patience.time_is_up(live, live.manifest.deadlines.unmask):
                    for blame in live.round.blame:
                        _log.warning("run %s: %s", live.run_id.hex()[:16], blame.reason)
                    raise PlainFailure("Too few homes answered to take the masks off.")
                return
            with self._database.read() as connection:
                total = messages.total(connection, live.run_id)
                summed = messages.members(connection, live.run_id, Phase.INPUT)
            if live.noise is None or total is None:
                raise PlainFailure("The sum of this run is not there.")
            positions = sum(1 << live.round.position(index) for index in summed)
            if positions != int.from_bytes(live.row.survivors or b"", "little"):
                raise PlainFailure("The sum of this run is not that of its survivors.")
            masked = np.frombuffer(total, "<u4") & np.uint32((1 << live.noise.width) - 1)
            sums, plan = live.round.unmask(masked), live.terms.plan
            if isinstance(plan, Training):
                assembly = self._ledger.assembly
                release, vector = round_release(
                    live.terms,
                    plan,
                    live.noise,
                    live.manifest,
                    sums,
                    live.row.survivor_count,
                    kind=parts.kind_of(live, plan, assembly),
                    measured=parts.measures(live, assembly),
                )
                self._ending.release(live, release.canonical(), vector)
            else:
                body = release_body(live.terms, plan, live.noise, live.row.number, sums, live.row.survivor_count)
                self._ending.release(live, body)

    def _enter(self, live: LiveRun, phase: Phase, expected: int, **values: object) -> None:
        """One transition, within the gate: to disk, then into memory, where others read it.

        What was frozen from memory is compared with the messages on disk in the transaction that publishes it.
        """
        with self._database.write(f"enter {phase.name.lower()}") as connection:
            _same_messages(connection, live)
            values |= {"phase": phase, "opened_ms": self._clock()}
            runs.require_change(connection, live.run_id, (Phase(phase - 1),), **values)
            if phase is Phase.SHARE:
                jobs.move(connection, live.row.job_hash, Stage.RUNNING)
        lasted = (self._clock() - live.counted_ms) / 1000
        _log.info("run %s: %s, %.1f s after the phase before", live.run_id.hex()[:16], phase.name.lower(), lasted)
        live.answered, live.expected = set(), expected
        self._live.reread(live)


def _same_messages(connection: Connection, live: LiveRun) -> None:
    """Whose message of the phase counts is the same on disk as in memory; else it is frozen again, from the disk."""
    if messages.members(connection, live.run_id, live.row.phase) != live.answered:
        raise StorageFault("The messages in memory are not those on disk.", where=f"run {live.run_id.hex()[:16]}")


def _ones(bitmap: bytes) -> int:
    return int.from_bytes(bitmap, "little").bit_count()


_STEPS = {
    Phase.ADVERTISE: Conductor._freeze_roster,
    Phase.SHARE: Conductor._freeze_dealers,
    Phase.INPUT: Conductor._freeze_survivors,
    Phase.COMMIT: Conductor._commit,
    Phase.UNMASK: Conductor._finish,
}
