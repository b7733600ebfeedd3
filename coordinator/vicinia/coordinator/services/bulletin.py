"""What a home at rest asks for: answered from memory, with when it was seen flushed in batches."""

from __future__ import annotations

import threading

from vicinia.coordinator.clock import Clock
from vicinia.coordinator.services.checkpoints import Checkpoints
from vicinia.coordinator.services.ledger import Ledger
from vicinia.coordinator.services.live import LiveRun
from vicinia.coordinator.services.live_runs import LiveRuns
from vicinia.coordinator.services.pace import Pace
from vicinia.coordinator.services.rhythm import Rhythm
from vicinia.coordinator.store import jobs, people, runs
from vicinia.coordinator.store.database import Database
from vicinia.coordinator.store.jobs import JobRow, Stage
from vicinia.coordinator.store.people import Seen
from vicinia.coordinator.store.runs import RunRow
from vicinia.identity import Principal
from vicinia.wire.published import Phase
from vicinia.wire.rounds import PollReply, PollRequest, RunSummary

__all__ = ["Bulletin"]

_FLUSH_MS = 2_000


class Bulletin:
    """Answers polls. What it knows is refreshed by every tick; it may be that much behind, never ahead."""

    def __init__(
        self, database: Database, ledger: Ledger, checkpoints: Checkpoints, live: LiveRuns, clock: Clock
    ) -> None:
        bylaws = ledger.assembly.bylaws
        self._pace = Pace(bylaws.poll_ms, bylaws.phase_seconds * 1000, bylaws.vote_seconds * 1000)
        self._witnesses = frozenset(key.id for key in ledger.assembly.genesis.witnesses)
        self._database = database
        self._checkpoints = checkpoints
        self._live = live
        self._clock = clock
        self._runs: tuple[LiveRun, ...] = ()
        self._rhythm = Rhythm()
        self._ends_ms: dict[bytes, tuple[int, bool]] = {}  # of each run, as `_ends` says
        self._seen: dict[str, Seen] = {}
        self._lately: dict[str, int] = {}  # when each home polled last, as far back as two intervals
        self._due_ms: int | None = None  # when a vote or round ends, or lately ended, after which a run may begin
        self._flush_ms = 0
        self._lock = threading.Lock()

    def poll(self, caller: Principal, request: PollRequest) -> PollReply:
        """A newer checkpoint, the runs that concern the caller, and what a witness should cosign."""
        now_ms = self._clock()
        with self._lock:
            self._seen[caller.id] = Seen(caller.id, now_ms, request.log_size)
            self._lately[caller.id] = now_ms
            homes = len(self._lately)
        concerned = [live for live in self._runs if _concerns(live, caller.id, request.protocols)]
        for live in concerned:
            index = live.terms.members[caller.id]
            live.heard[index], live.polling = now_ms, max(live.polling, homes)
            live.invited.setdefault(index, now_ms)
        runs = tuple(RunSummary(live.run_id, live.row.job_hash, live.row.phase) for live in concerned)
        return PollReply(
            note=self._checkpoints.news_for(request.log_size, self._pace.interval(homes)),
            runs=runs,
            retry_after_ms=self._retry_after(caller, homes, now_ms, in_run=bool(runs)),
            uncosigned_note=self._checkpoints.due_for(caller.id),
        )

    def _retry_after(self, caller: Principal, homes: int, now_ms: int, *, in_run: bool) -> int:
        due_ms = self._due_ms
        if caller.id in self._witnesses:
            announced = any(live.row.phase is Phase.ADVERTISE for live in self._runs)
            near = due_ms is not None and abs(due_ms - now_ms) <= self._pace.overdue(homes)
            return self._pace.witness_poll(awaited=announced or near)
        if in_run and due_ms is None:  # else there may be another run to hear of
            return self._pace.beside_poll(homes)
        return self._pace.idle_poll(homes, None if due_ms is None else due_ms - now_ms)

    def next_step_ms(self, caller: Principal, run_id: bytes) -> int:
        """When a home should ask what comes next; after the run's end, when there may be another.

        How long a phase may still take tells how many have answered, so that only those in the run are told; the others
        get the usual interval.
        """
        homes, following_ms = len(self._lately), self._rhythm.next_ms(run_id)
        if following_ms is not None:
            return self._pace.next_run(homes, following_ms - self._clock())
        live = self._live.known(run_id)
        takes_part = live is not None and live.takes_part(live.terms.members.get(caller.id))
        ends_ms, known = self._ends_ms.get(run_id, (None, False)) if takes_part else (None, False)
        return self._pace.next_step(homes, None if ends_ms is None else max(0, ends_ms - self._clock()), known)

    def tick(self) -> None:
        """Look which runs are under way or may be soon; now and then write down who polled."""
        self._runs, now_ms = tuple(self._live.every()), self._clock()
        with self._database.read() as connection:
            ahead = jobs.in_stages(connection, (Stage.VOTING, Stage.CLOSING, Stage.ACCEPTED))
            accepted = [row.job_hash for row in ahead if row.stage is Stage.ACCEPTED]
            found = {job_hash: runs.newest_of(connection, job_hash) for job_hash in accepted}
        before = {job_hash: run for job_hash, run in found.items() if run is not None}
        self._rhythm.look(self._runs, before)
        self._ends_ms = {live.run_id: ends for live in self._runs if (ends := self._ends(live, now_ms)) is not None}
        oldest_ms = now_ms - self._pace.overdue(len(self._lately))  # what is due since before must hide nothing else
        due = [self._due(row, before.get(row.job_hash)) for row in ahead if row.opening is not None]
        self._due_ms = min((due_ms for due_ms in due if due_ms >= oldest_ms), default=None)
        if self._clock() >= self._flush_ms:
            self.flush()

    def _ends(self, live: LiveRun, now_ms: int) -> tuple[int, bool] | None:
        """(when homes should ask whether the phase is over, whether a long time is to be believed).

        The runs before tell when it ends. Where more has come in than then, homes ask sooner, but not before a quarter
        of the time that is left: the last home may be as late as it was then, and all would ask again and again.
        """
        # The witnesses are told to ask so often.
        left = self._pace.awaited() if live.awaits_witnesses else live.left_ms(now_ms)
        ends_ms = self._rhythm.ends_ms(live)
        if ends_ms is not None and ends_ms > now_ms:
            rest = ends_ms - now_ms
            return now_ms + (rest if left is None else min(rest, max(left, rest // 4))), True
        # Nobody knows how long the last home takes: the longer it has taken, the less often the others ask.
        return None if left is None else (now_ms + max(left, (now_ms - live.counted_ms) // 20), False)

    def _due(self, row: JobRow, before: RunRow | None) -> int:
        """When what the job's next run waits for ends, or ended: its vote, or the round before."""
        if before is None:
            return row.deadline_ms
        following_ms = self._rhythm.next_ms(before.run_id)
        return max(row.deadline_ms, before.opened_ms if following_ms is None else following_ms)

    def flush(self) -> None:
        """Write down who polled since the last time, and forget who no longer does."""
        now_ms = self._clock()
        with self._lock:
            seen, self._seen = self._seen, {}
            self._flush_ms = now_ms + _FLUSH_MS
            since_ms = now_ms - max(_FLUSH_MS, 2 * self._pace.interval(len(self._lately)))
            self._lately = {who: at_ms for who, at_ms in self._lately.items() if at_ms >= since_ms}
        if seen:
            with self._database.write(f"seen {len(seen)}") as connection:
                people.seen(connection, seen.values())


def _concerns(live: LiveRun, household: str, protocols: tuple[int, ...]) -> bool:
    """Whether a home is invited to this run, or is in its roster; a home that is too old is not recruited."""
    index = live.terms.members.get(household)
    if index is None or live.manifest.protocol not in protocols:
        return False
    return (live.row.joinable and live.roster is None) or live.holds(index)
