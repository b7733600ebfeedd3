"""How long the phases of a job's runs take, and how soon the next run follows, as those before did.

The rounds of a training resemble each other, so that homes can be told when to come instead of asking time and again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from vicinia.coordinator.services.live import LiveRun
from vicinia.coordinator.store.runs import RunRow
from vicinia.wire.published import Phase

__all__ = ["Rhythm"]


@dataclass(slots=True)
class _Beat:
    """What one job's runs have shown. `run` is its newest, in `phase` since `since_ms`; DONE or FAILED since it ended.

    `lasted`: each phase of the last two runs, in ms; `pause`: from the end of a run to the next; `before`: the run
    before the newest; `open`: whether homes may still join the newest.
    """

    run: bytes
    phase: Phase
    since_ms: int
    lasted: dict[Phase, tuple[int, ...]] = field(default_factory=dict)
    pause: int | None = None
    before: bytes | None = None
    open: bool = False

    def enter(self, run: bytes, phase: Phase, since_ms: int) -> None:
        """What is seen now; of phases that were over between two looks nothing is known."""
        spent = since_ms - self.since_ms
        if run == self.run and phase == self.phase + 1 and spent >= 0:
            self.lasted[self.phase] = (*self.lasted.get(self.phase, ())[-1:], spent)
        elif run != self.run and self.phase is Phase.DONE and phase is Phase.ADVERTISE and spent >= 0:
            self.pause = spent
        if run != self.run:
            self.before = self.run
        self.run, self.phase, self.since_ms = run, phase, since_ms

    def openings(self) -> dict[bytes, int]:
        """When there is another run, by run that has ended: after the newest; while homes may still join that, after
        the one before, of whose end not all have heard."""
        if self.phase is Phase.DONE:
            return {} if self.pause is None else {self.run: self.since_ms + self.pause}
        return {self.before: self.since_ms} if self.open and self.before is not None else {}


class Rhythm:
    """Looks on at every tick. Whatever it tells, nobody relies on it: a home that comes too early comes again."""

    def __init__(self) -> None:
        self._beats: dict[bytes, _Beat] = {}
        self._next_ms: dict[bytes, int] = {}  # by run that has ended: when the next is, was or may be open

    def look(self, live: Iterable[LiveRun], ended: Mapping[bytes, RunRow]) -> None:
        """Take in the runs under way and, by job, the newest run of each job that waits for its next."""
        rows = {one.row.job_hash: one.row for one in live} | dict(ended)
        self._beats = {job: self._beats.get(job) or _Beat(r.run_id, r.phase, r.opened_ms) for job, r in rows.items()}
        for job, row in rows.items():
            beat = self._beats[job]
            if (row.run_id, row.phase) != (beat.run, beat.phase):
                beat.enter(row.run_id, row.phase, row.opened_ms)
            beat.open = row.joinable
        self._next_ms = {run: at_ms for beat in self._beats.values() for run, at_ms in beat.openings().items()}

    def ends_ms(self, live: LiveRun) -> int | None:
        """When the phase of a run ends, if it lasts as long as in the quicker one of the two runs before; None where
        there were no two: in a job's first run much is done that later ones need not do."""
        beat = self._beats.get(live.row.job_hash)
        lasted = beat.lasted.get(live.row.phase, ()) if beat is not None else ()
        return live.row.opened_ms + min(lasted) if len(lasted) == 2 else None

    def next_ms(self, run_id: bytes) -> int | None:
        """When the run after this one is or was open, if it follows as soon as the last did; None: not known, or nobody
        can join it any more."""
        return self._next_ms.get(run_id)
