"""Runs that are under way, in memory: caches that are rebuilt from the database whenever they are not there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from vicinia.coordinator.clock import Clock
from vicinia.coordinator.services.bell import Bell
from vicinia.coordinator.services.gate import Gate
from vicinia.coordinator.services.last_shown import LastShown
from vicinia.coordinator.services.ledger import Ledger
from vicinia.coordinator.services.live import LiveRun
from vicinia.coordinator.services.rebuilding import DamagedRun, rebuild
from vicinia.coordinator.store import runs
from vicinia.coordinator.store.database import Database
from vicinia.coordinator.store.runs import ENDED, RunRow
from vicinia.errors import PhaseOver, StorageFault
from vicinia.identity import Principal, Role
from vicinia.secagg.manifest import Manifest

__all__ = ["LiveRuns"]


class LiveRuns:
    """Every run that has not ended. What memory has of the disk is what homes are shown: `shown` says so before."""

    def __init__(self, database: Database, ledger: Ledger, shown: LastShown, bell: Bell, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._shown = shown
        self._bell = bell
        self._clock = clock
        self._awake_ms = clock()
        self._lock = threading.RLock()
        self._live: dict[bytes, LiveRun] = {}
        self._gates: dict[bytes, Gate] = {}

    def known(self, run_id: bytes) -> LiveRun | None:
        """The run, where it is in memory: under way, and as far as the disk says at least that it has come."""
        return self._live.get(run_id)

    def get(self, run_id: bytes) -> LiveRun:
        """The run, rebuilt if need be; NotFound where there is none, PhaseOver where it has ended."""
        with self._lock:
            live = self._live.get(run_id)
            if live is None:
                with self._database.read() as connection:
                    row = runs.require(connection, run_id)
                    if row.phase in ENDED:
                        raise PhaseOver("This run has ended.", where=f"run {run_id.hex()[:16]}")
                    self._shown.keep(runs.transitions(connection))
                    live = rebuild(connection, row, self._ledger, self.gate(run_id), self._clock(), self._awake_ms)
                self._live[run_id] = live
            return live

    def reread(self, live: LiveRun) -> None:
        """After a transition, within the gate: take over what is on disk."""
        with self._database.read() as connection:
            row = runs.find(connection, live.run_id)
            self._shown.keep(runs.transitions(connection))
        if row is not None:
            live.row = row
        self._bell.ring()

    def every(self) -> list[LiveRun]:
        """All of them, rebuilt if need be, without those that cannot be."""
        return self.sort_out()[0]

    def sort_out(self) -> tuple[list[LiveRun], list[tuple[RunRow, DamagedRun]]]:
        """(all that can be rebuilt, the others with the reason why not)."""
        with self._database.read() as connection:
            rows = runs.active(connection)
        good: list[LiveRun] = []
        damaged: list[tuple[RunRow, DamagedRun]] = []
        for row in rows:
            try:
                good.append(self.get(row.run_id))
            except DamagedRun as error:
                damaged.append((row, error))
            except PhaseOver:
                continue  # it ended just now
        return good, damaged

    def registry_index(self, caller: Principal) -> int | None:
        """The registry index of a household; None of anybody else."""
        member = self._ledger.assembly.member(caller.id) if caller.role is Role.HOUSEHOLD else None
        return None if member is None else member.index

    def was_invited(self, caller: Principal, row: RunRow) -> bool:
        """Whether the caller is in the electorate of a run that has ended."""
        index = self.registry_index(caller)
        if index is None:
            return False
        size = Manifest.from_canonical(row.manifest).checkpoint_size
        with self._ledger.lock:
            assembly = self._ledger.assembly
            return index in assembly.electorate_keys(assembly.vote_on(row.job_hash), size)

    @contextmanager
    def taking(self, run_id: bytes) -> Iterator[LiveRun]:
        """The run as it is, for one message: beside others, and beside no transition."""
        while True:
            live = self.get(run_id)
            with live.gate.shared():
                if self._is_current(live):
                    yield live
                    return
            self.drop(live)

    @contextmanager
    def alone(self, live: LiveRun) -> Iterator[None]:
        """For one transition: no message is under way. Where it fails, memory is forgotten before anybody enters."""
        with live.gate.exclusive():
            if not self._is_current(live):
                self._forget(live)
                raise StorageFault("What was in memory is no longer what is on disk.", where="run")
            try:
                yield
            except BaseException:
                self._forget(live)
                raise

    def gate(self, run_id: bytes) -> Gate:
        """The one gate of a run, whatever is in memory of it."""
        with self._lock:
            return self._gates.setdefault(run_id, Gate())

    def drop(self, live: LiveRun) -> None:
        """Forget what is in memory, since it may differ from the disk; waits until nobody works with it."""
        with live.gate.exclusive():
            self._forget(live)

    def ended(self, run_id: bytes) -> None:
        """Forget a run that has ended, on disk."""
        with self._lock:
            self._live.pop(run_id, None)
            self._gates.pop(run_id, None)
        with self._database.read() as connection:
            self._shown.keep(runs.transitions(connection))
        self._bell.ring()

    def _is_current(self, live: LiveRun) -> bool:
        return not live.stale and self._live.get(live.run_id) is live

    def _forget(self, live: LiveRun) -> None:
        """Within the exclusive side of the gate; a successor that is there already stays."""
        with self._lock:
            live.stale = True
            if self._live.get(live.run_id) is live:
                del self._live[live.run_id]
