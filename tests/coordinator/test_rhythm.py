"""What earlier runs of a job tell of the next one: when a phase ends, and when there is another run."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from vicinia.coordinator.services.bell import Bell
from vicinia.coordinator.services.rhythm import Rhythm
from vicinia.coordinator.services.ticker import Ticker
from vicinia.coordinator.store.runs import RunRow
from vicinia.wire.published import Phase

JOB = b"j" * 32
PHASES = (Phase.ADVERTISE, Phase.SHARE, Phase.INPUT, Phase.COMMIT, Phase.UNMASK)


class Runs:
    """Runs of one job, as the ticks see them: `spends` ms in each phase, and `pause` ms between two."""

    def __init__(self) -> None:
        self.rhythm = Rhythm()
        self.now_ms, self.number = 1_000_000, 0
        self.row = RunRow(bytes(32), JOB, 0, b"", Phase.DONE, 0)

    def live(self) -> Any:
        return SimpleNamespace(row=self.row)

    def enter(self, phase: Phase) -> None:
        self.row = replace(self.row, phase=phase, opened_ms=self.now_ms)
        self.rhythm.look([self.live()] if phase < Phase.DONE else [], {JOB: self.row} if phase is Phase.DONE else {})

    def run(self, spends: int, skip: Phase | None = None, pause: int = 700) -> None:
        self.number += 1
        self.row = replace(self.row, run_id=self.number.to_bytes(32, "big"), number=self.number)
        for phase in PHASES:
            if phase is not skip:
                self.enter(phase)
            self.now_ms += spends
        self.enter(Phase.DONE)
        self.now_ms += pause

    def ends(self, phase: Phase) -> int | None:
        """After how many ms the phase is said to end, in another run."""
        one: Any = SimpleNamespace(row=replace(self.row, phase=phase, opened_ms=0))
        return self.rhythm.ends_ms(one)


def test_a_phase_is_said_to_last_as_long_as_in_the_quicker_of_the_two_runs_before() -> None:
    runs = Runs()
    runs.run(9_000)
    assert [runs.ends(phase) for phase in PHASES] == [None] * 5  # in a job's first run much is done once
    for spends, said in ((2_000, 2_000), (3_000, 2_000), (4_000, 3_000)):
        runs.run(spends)
        assert [runs.ends(phase) for phase in PHASES] == [said] * 5


def test_of_a_phase_that_was_over_between_two_looks_nothing_is_known() -> None:
    runs = Runs()
    runs.run(2_000)
    runs.run(2_000, skip=Phase.COMMIT)
    assert [runs.ends(phase) for phase in PHASES] == [2_000, 2_000, None, None, 2_000]


def test_after_its_end_a_run_tells_when_the_next_is_open() -> None:
    runs = Runs()
    runs.run(2_000)
    assert runs.rhythm.next_ms(runs.row.run_id) is None
    first = runs.row.run_id
    runs.run(2_000, pause=100)
    assert runs.rhythm.next_ms(runs.row.run_id) == runs.row.opened_ms + 700
    assert runs.rhythm.next_ms(first) is None
    newest = runs.row.run_id
    runs.row = replace(runs.row, run_id=bytes(32))
    runs.enter(Phase.ADVERTISE)
    assert runs.rhythm.next_ms(newest) == runs.now_ms  # who hears of its end only now can join the next at once
    runs.now_ms += 500
    runs.row = replace(runs.row, roster=b"\x01")
    runs.rhythm.look([runs.live()], {})  # it waits for witnesses, and nobody can join any more
    assert runs.rhythm.next_ms(newest) is None
    runs.enter(Phase.SHARE)
    assert runs.rhythm.next_ms(newest) is None
    runs.rhythm.look([], {})  # the job has ended
    assert runs.rhythm.next_ms(runs.row.run_id) is None
    assert [runs.ends(phase) for phase in PHASES] == [None] * 5


@pytest.mark.parametrize(("interval_s", "rings"), [(0.05, False), (600.0, True)])
def test_a_tick_comes_in_time_and_when_the_bell_rings(interval_s: float, rings: bool) -> None:
    bell, ticked = Bell(), threading.Event()
    ticker = Ticker([ticked.set], interval_s, bell)
    ticker.start()
    for _ in range(3):
        if rings:
            bell.ring()
        assert ticked.wait(30)
        ticked.clear()
    ticker.stop()


def test_a_bell_that_never_stops_leaves_half_of_the_time_to_others() -> None:
    bell, spent, over = Bell(), [0.0], threading.Event()

    def work() -> None:
        bell.ring()
        began = time.monotonic()
        time.sleep(0.05)
        spent[0] += time.monotonic() - began
        if spent[0] > 0.5:
            over.set()

    ticker = Ticker([work], 600.0, bell)
    began = time.monotonic()
    bell.ring()
    ticker.start()
    assert over.wait(30)
    assert time.monotonic() - began > 1.8 * (spent[0] - 0.05)
    ticker.stop()
