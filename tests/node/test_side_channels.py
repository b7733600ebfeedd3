"""What must not depend on a home's data: whether it answers, when, and what that costs in memory."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from math import isclose
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from node.world import HOUSEHOLDS, World
from simulator_cooperative import BUDGET
from simulator_link import Link
from vicinia.node.services import contribution, departures
from vicinia.node.services.participation import Participation
from vicinia.node.services.scheduler import Scheduler
from vicinia.node.services.slot import Slot, slot_seconds
from vicinia.node.store.alerts import Alerts
from vicinia.node.store.datasets import DataSets
from vicinia.node.store.departures import Departures
from vicinia.node.store.home import Home
from vicinia.query.dataset import DataSet
from vicinia.query.legend import slot_labels
from vicinia.query.schema import table_name
from vicinia.secagg.manifest import Deadlines

SECRET = "4711.25"
SLOT = 60 / 16  # seconds; a phase of these runs is a minute
ENDS = 0.85 * SLOT


@pytest.mark.parametrize("where", ["household_vector", "encode", "reader"])
def test_a_defect_with_the_data_of_one_home_silences_nobody(
    tmp_path: Path, allow: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    world = World(tmp_path, allow)
    run_id = world.server.start_run(world.server.accept_job())
    everybody = world.take_part(run_id)
    computing: list[str] = []
    exact_vector = contribution.exact_vector

    def watched(home: Home, *rest: Any) -> Any:
        computing.append(home.name)
        return exact_vector(home, *rest)

    def failing(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if computing and computing[-1] == "h3" and (where != "encode" or np.any(arguments[0])):
                raise ZeroDivisionError(SECRET)
            return original(*arguments, **named)

        return call

    monkeypatch.setattr(contribution, "exact_vector", watched)
    if where == "reader":
        monkeypatch.setattr(Home, "reader", failing(Home.reader))
    else:
        monkeypatch.setattr(contribution, where, failing(getattr(contribution, where)))
    with caplog.at_level(logging.DEBUG):
        world.server.drive(everybody)
    for i in range(HOUSEHOLDS):
        assert world.step(i, run_id) == "finished", world.reason(i, run_id)
    assert not world.vector(3, run_id).any()
    assert world.vector(4, run_id).any()
    assert "defect" in caplog.text
    ((_, told),) = Alerts(world.homes[3].database).all()
    assert "zeros take their place" in told
    assert SECRET not in caplog.text + told
    assert not Alerts(world.homes[4].database).all()


class Timed:
    """A participation with a clock of its own, which waits as long as it was told to."""

    def __init__(self, world: World, household: int, run_id: bytes) -> None:
        self.now = 1000.0 + 77.7 * household
        self.shared = self.asked = 0.0
        self._link = world.server.link(household)
        home = world.homes[household]
        self._inner = Participation(home, world.replica, self, run_id, world.server.clock, lambda: self.now)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)

    def share(self, run_id: bytes, upload: Any) -> int:
        self.shared = self.now
        return self._link.share(run_id, upload)

    def next(self, run_id: bytes, after: Any) -> Any:
        if self.shared and not self.asked:
            self.asked = self.now
        return self._link.next(run_id, after)

    def advance(self) -> float | None:
        delay = self._inner.advance()
        self.now += delay or 0.0
        return delay


def test_how_long_the_query_takes_does_not_show(tmp_path: Path, allow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """From nothing at all to for ever: each home is silent for exactly one slot after its shares, then goes on."""
    world = World(tmp_path, allow)
    run_id = world.server.start_run(world.server.accept_job())
    timed = {f"h{i}": Timed(world, i, run_id) for i in range(HOUSEHOLDS)}
    takes = dict(zip(timed, [0.0, 0.001, 0.2, 0.3, 1.0, 2.0, 2.5, 3.1, 3.3, 7.0, 60.0, 1e9], strict=True))

    def slowly(home: Home, terms: Any, out_of_time: Callable[[], bool], *_: Any) -> Any:
        clock = timed[home.name]
        ends = clock.now + takes[home.name]
        while clock.now < ends:
            clock.now = min(clock.now + 0.01, ends)
            if out_of_time():
                return np.zeros(terms.plan.layout.length)
        return np.ones(terms.plan.layout.length) / 10

    monkeypatch.setattr(contribution, "exact_vector", slowly)
    world.server.drive(timed.values())  # type: ignore[arg-type]
    assert {world.step(i, run_id) for i in range(HOUSEHOLDS)} == {"finished"}
    assert all(isclose(one.asked - one.shared, SLOT, abs_tol=1e-6) for one in timed.values())
    assert [bool(world.vector(i, run_id).any()) for i in range(HOUSEHOLDS)] == [
        takes[f"h{i}"] < ENDS for i in range(12)
    ]
    told = [bool(Alerts(world.homes[i].database).all()) for i in range(HOUSEHOLDS)]
    assert told == [takes[f"h{i}"] >= ENDS for i in range(HOUSEHOLDS)]


def test_homes_that_share_a_process_deal_before_any_of_them_reads_its_rows(
    tmp_path: Path, allow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the time that one home's query takes would show by when the shares of the next one come."""
    world, events, stop = World(tmp_path, allow), list[str](), threading.Event()
    run_id = world.server.start_run(world.server.accept_job())
    everybody = world.take_part(run_id)
    for one in everybody:
        one.advance()
    assert world.server.run is not None
    world.server.run.close_phase()
    share, exact_vector = Link.share, contribution.exact_vector

    def dealt(link: Link, *rest: Any) -> int:
        events.append("deals")
        return share(link, *rest)

    def read(*rest: Any) -> Any:
        events.append("reads")
        if events.count("reads") == len(everybody):
            stop.set()
        return exact_vector(*rest)

    monkeypatch.setattr(Link, "share", dealt)
    monkeypatch.setattr(contribution, "exact_vector", read)
    process = Scheduler(1)
    for one in everybody:
        process.add(one.advance)
    late = threading.Timer(30, stop.set)
    late.start()
    process.run(stop)
    late.cancel()
    assert events == ["deals"] * len(everybody) + ["reads"] * len(everybody)


def test_a_query_ends_when_it_has_used_its_part_of_the_machine(
    tmp_path: Path, allow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, allow)
    run_id = world.server.start_run(world.server.accept_job())
    used, answers = [50.0], []

    def watched(home: Home, terms: Any, out_of_time: Callable[[], bool], *_: Any) -> Any:
        for seconds in (0.0, 0.9, 0.2):
            used[0] += seconds
            answers.append(out_of_time())
        return np.zeros(terms.plan.layout.length)

    monkeypatch.setattr(contribution, "exact_vector", watched)
    monkeypatch.setattr("time.thread_time", lambda: used[0])
    world.server.drive(world.take_part(run_id))
    assert answers == [False, False, True] * HOUSEHOLDS


@given(seconds=st.floats(0.01, 1000), shared=st.floats(0, 10**6), noise=st.floats(0, 5000))
def test_a_slot_leaves_time_and_ends_where_slots_end(seconds: float, shared: float, noise: float) -> None:
    now = shared + noise
    slot = Slot.after(seconds, shared, now)
    count = (slot.ready - shared) / seconds
    assert isclose(count, round(count), abs_tol=1e-4 / seconds)
    assert count > 0.9
    assert 0.44 * seconds - 1e-6 < slot.query_ends - now < 1.46 * seconds + 1e-6 or count < 1.1
    assert isclose(slot.ready - slot.query_ends, 0.15 * seconds, abs_tol=1e-6)


@pytest.mark.parametrize(("phase", "slot"), [(1, 0.2), (2, 0.4), (5, 1), (8, 1), (32, 2), (3600, 225)])
def test_slots_are_short_where_phases_are(phase: int, slot: float) -> None:
    deadlines = Deadlines(*(10**12 + phase * 1000 * steps for steps in (1, 3, 4, 5, 6)))
    assert slot_seconds(deadlines) == pytest.approx(slot)


def test_the_record_of_a_long_vector_is_small_beside_it_and_labels_every_slot(tmp_path: Path, allow: Any) -> None:
    world = World(tmp_path, allow)
    long = " + ".join(["fuel"] * 60)
    query = f"SELECT kids, HISTOGRAM(BOUND({long}, 0, 9), 500), COUNT(DISTINCT household) FROM budget GROUP BY kids"
    run_id = world.run(world.server.accept_job(query=query))
    home = world.homes[1]
    assert world.step(1, run_id) == "finished"
    found = Departures(home.database).of_run(run_id)
    assert found is not None
    assert len(found.labels) < 1500
    labels = list(slot_labels(json.loads(found.labels)))
    values = world.vector(1, run_id)
    assert len(labels) == len(values) == len(set(labels))
    assert [label for label, value in zip(labels, values, strict=True) if value][1] == "has rows [kids = 2]"
    assert departures.verify(home) == 1


def test_a_store_that_cannot_answer_does_not_count_and_the_household_is_told(tmp_path: Path, allow: Any) -> None:
    world = World(tmp_path, allow)
    run_id = world.server.start_run(world.server.accept_job())
    world.homes[5].database.run(f"DROP TABLE {table_name(DataSet.from_payload(BUDGET))}")
    timed = {i: Timed(world, i, run_id) for i in range(HOUSEHOLDS)}
    world.server.drive(timed.values())  # type: ignore[arg-type]
    assert {world.step(i, run_id) for i in range(HOUSEHOLDS)} == {"finished"}
    assert not world.vector(5, run_id).any()
    assert len({round(one.asked - one.shared, 6) for one in timed.values()}) == 1  # as long as everybody's
    ((_, told),) = Alerts(world.homes[5].database).all()
    assert "zeros take their place, for the store could not answer the query (OperationalError)" in told
    assert [i for i in range(HOUSEHOLDS) if Alerts(world.homes[i].database).all()] == [5]


def test_rows_without_a_column_that_is_asked_for_do_not_count_and_the_household_is_told(
    tmp_path: Path, allow: Any
) -> None:
    world = World(tmp_path, allow)
    run_id = world.server.start_run(world.server.accept_job())
    world.homes[5].database.run(f"ALTER TABLE {table_name(DataSet.from_payload(BUDGET))} DROP COLUMN kids")
    world.server.drive(world.take_part(run_id))
    assert world.step(5, run_id) == "finished"
    assert not world.vector(5, run_id).any()
    ((_, told),) = Alerts(world.homes[5].database).all()
    assert "the table here lacks kids (import the rows anew, with --replace)" in told


def test_rows_of_another_definition_do_not_count_and_the_household_is_told(tmp_path: Path, allow: Any) -> None:
    world = World(tmp_path, allow)
    run_id = world.server.start_run(world.server.accept_job())
    DataSets(world.homes[5].database).put("budget", b'{"name":"budget"}', 1)
    world.server.drive(world.take_part(run_id))
    assert world.step(5, run_id) == "finished"
    assert not world.vector(5, run_id).any()
    ((_, told),) = Alerts(world.homes[5].database).all()
    assert "import them anew" in told
