"""A home in a run: against a coordinator in memory, with crashes at every step and attempts on the budget."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from simulator_cooperative import BYLAWS, Cooperative
from simulator_link import Server, joined_home
from vicinia.errors import InternalFault, Unauthenticated, ViciniaError
from vicinia.node.services import admission, departures
from vicinia.node.services import participation as module
from vicinia.node.services.account import load
from vicinia.node.services.participation import Participation
from vicinia.node.store.accounts import Accounts
from vicinia.node.store.departures import Departures
from vicinia.node.store.home import Home
from vicinia.node.store.journal import Journal
from vicinia.node.store.runs import Run, Runs
from vicinia.privacy.account import Limits
from vicinia.wire import journal as codec

HOUSEHOLDS = 12
STEPS = ("advertise", "share", "input", "commit", "unmask")
NO_LIMITS = Limits(0, 0)


class Crash(BaseException):
    """The process is gone."""


class Homes(dict[int, Home]):
    """The households' homes, each made when it is asked for: joined, consenting, with a row."""

    def __init__(self, world: World, allow: Any) -> None:
        super().__init__()
        self._world, self._allow = world, allow

    def __missing__(self, number: int) -> Home:
        server = self._world.server
        home = joined_home(self._world.folder / f"h{number}", server, server.coop.households[number])
        self._allow(home, server.coop.now_ms)
        fill(home, number)
        self[number] = home
        return home


class World:
    """A cooperative whose households have all joined."""

    def __init__(self, folder: Path, allow: Any, **changes: Any) -> None:
        self.server = Server(Cooperative.found(households=HOUSEHOLDS, **changes))
        self.folder = folder
        self.homes = Homes(self, allow)
        self.replica = self.server.replica(folder)

    def take_part(self, run_id: bytes, homes: list[int] | None = None) -> list[Participation]:
        return [
            self.server.participation(self.homes[i], i, self.replica, run_id)
            for i in (range(HOUSEHOLDS) if homes is None else homes)
        ]

    def run(self, job: Any, number: int = 0) -> bytes:
        run_id = self.server.start_run(job, number)
        self.server.drive(self.take_part(run_id))
        return run_id

    def step(self, household: int, run_id: bytes) -> str:
        run = Runs(self.homes[household].database).get(run_id)
        return run.step if run else "unknown"

    def reason(self, household: int, run_id: bytes) -> str:
        run = Runs(self.homes[household].database).get(run_id)
        return run.reason if run else ""

    def spent(self, household: int) -> int:
        return load(Accounts(self.homes[household].database), NO_LIMITS).spent_lifetime()

    def vector(self, household: int, run_id: bytes) -> np.ndarray[Any, np.dtype[np.float64]]:
        departure = Departures(self.homes[household].database).of_run(run_id)
        assert departure is not None
        return np.frombuffer(departure.vector, "<f8")


def fill(home: Home, number: int) -> None:
    """One row; the first home has none, which must not show."""
    from vicinia.node.store.datasets import DataSets
    from vicinia.query.dataset import DataSet
    from vicinia.query.schema import create_table_sql, insert_sql
    from vicinia.tlog.canonical import canonical

    if not number:
        return
    from simulator_cooperative import BUDGET

    definition = DataSet.from_payload(BUDGET)
    with home.database.transaction("fill"):
        home.database.run(create_table_sql(definition))
        home.database.run(insert_sql(definition), (f"r{number}", "test", 0.01 * number, 1 + number % 2))
        DataSets(home.database).put("budget", canonical(definition.payload()), 1)


@pytest.fixture
def world(tmp_path: Path, allow: Any) -> World:
    return World(tmp_path, allow)


def test_a_run_gives_the_sum_of_what_left(world: World) -> None:
    job = world.server.accept_job()
    run_id = world.run(job)
    run = world.server.run
    assert run is not None
    assert run.result is not None
    assert run.noise is not None
    truth = sum(world.vector(i, run_id) for i in range(HOUSEHOLDS))
    error = run.result / run.noise.unit - truth
    assert np.abs(error).max() < 8 * (run.noise.sum_std(HOUSEHOLDS) + run.noise.rounding_std(HOUSEHOLDS))
    assert not world.vector(0, run_id).any()  # no rows: zeros, and it took part all the same
    for i in range(HOUSEHOLDS):
        home = world.homes[i]
        assert world.step(i, run_id) == "finished"
        assert world.spent(i) == job.rho_nano
        assert Journal(home.database).get(run_id) is None  # the keys are gone
        assert departures.verify(Departures(home.database), Accounts(home.database), home.facts) == 1
        record = departures.describe(Departures(home.database).all()[0])
        sent = world.server.sent[i, f"input {run_id.hex()}"]
        assert record["sent_sha256"] == hashlib.sha256(sent).hexdigest()
        assert record["bytes"] == len(sent)
        advert = codec.encode_advert(world.server.sent[i, f"advertise {run_id.hex()}"])
        shares = codec.encode_share_upload(world.server.sent[i, f"share {run_id.hex()}"])
        assert Runs(home.database).bytes_up(run_id) > len(advert) + len(shares) + len(sent)


def test_homes_that_are_killed_at_every_step_resume_with_the_same_bytes_and_one_charge(world: World) -> None:
    """Home i dies at the i-th of the ten moments before and after each message; the server asserts equal messages."""
    moments = [f"{when} {step}" for step in STEPS for when in ("before", "after")]
    pending = dict(enumerate(moments))

    def crash(household: int, moment: str) -> None:
        if pending.get(household) == moment:
            del pending[household]
            raise Crash

    job = world.server.accept_job()
    world.server.crash = crash
    run_id = world.server.start_run(job)
    active: dict[int, Participation] = dict(enumerate(world.take_part(run_id)))
    for _ in range(100):
        before = dict(world.server.sent)
        for household, participation in list(active.items()):
            try:
                over = participation.advance() is None
            except Crash:
                world.homes[household].close()
                world.homes[household] = Home.open(world.homes[household].directory)
                replica = world.server.replica(world.folder)
                active[household] = world.server.participation(world.homes[household], household, replica, run_id)
                continue
            if over:
                del active[household]
        if not active:
            break
        if before == world.server.sent and world.server.run is not None:
            world.server.run.close_phase()
    assert not pending
    for i in range(HOUSEHOLDS):
        assert world.step(i, run_id) == "finished", world.reason(i, run_id)
        assert world.spent(i) == job.rho_nano
        assert not world.homes[i].locked
    run = world.server.run
    assert run is not None
    assert len(run.inputs) == HOUSEHOLDS


def test_a_crash_inside_the_charge_leaves_nothing_behind_and_the_home_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = world.server.accept_job()
    run_id = world.server.start_run(job)
    everybody = world.take_part(run_id)
    original = Runs.step
    crashed: list[bool] = []

    def step(self: Runs, run: bytes, name: str, now_ms: int, reason: str = "") -> None:
        if name == "input" and not crashed:
            crashed.append(True)
            raise Crash
        original(self, run, name, now_ms, reason)

    monkeypatch.setattr(Runs, "step", step)
    with pytest.raises(Crash):
        world.server.drive(everybody)
    assert world.spent(0) == 0
    assert Departures(world.homes[0].database).all() == []
    world.server.drive(world.take_part(run_id))
    assert world.step(0, run_id) == "finished"
    assert world.spent(0) == job.rho_nano


def test_without_consent_nothing_leaves_and_the_reason_is_kept(world: World, allow: Any) -> None:
    job = world.server.accept_job()
    allow(world.homes[3], world.server.coop.now_ms, mode="withdraw")
    run_id = world.server.start_run(job)
    (home,) = world.take_part(run_id, [3])
    assert home.advance() is None
    assert world.step(3, run_id) == "refused"
    lines = Runs(world.homes[3].database).lines(run_id)
    assert lines[-1].name == "consent"
    assert "withdrew" in lines[-1].sentence
    assert not world.server.sent
    assert Accounts(world.homes[3].database).reservations() == []


def test_withdrawal_in_mid_run_counts_until_the_vector_is_sent(world: World, allow: Any) -> None:
    job = world.server.accept_job()
    run_id = world.server.start_run(job)
    everybody = world.take_part(run_id)

    def withdraw(household: int, moment: str) -> None:
        if (household, moment) == (5, "after share"):
            allow(world.homes[5], world.server.coop.now_ms, mode="withdraw")
        if (household, moment) == (6, "after input"):
            allow(world.homes[6], world.server.coop.now_ms, mode="withdraw")

    world.server.crash = withdraw
    world.server.drive(everybody)
    assert world.step(5, run_id) == "refused"
    assert world.spent(5) == 0
    assert Departures(world.homes[5].database).all() == []
    assert world.step(6, run_id) == "finished"
    assert world.spent(6) == job.rho_nano


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Fuel in Families with children"},
        {"query": "SELECT kids, COUNT(DISTINCT household),   AVG( fuel ) FROM budget GROUP BY kids"},
        {"why": "Another reason."},
    ],
)
def test_the_budget_is_not_fooled_by_a_job_that_looks_new(tmp_path: Path, allow: Any, changes: dict[str, Any]) -> None:
    from dataclasses import replace

    world = World(tmp_path, allow, bylaws=replace(BYLAWS, rho_job_nano=64_000_000, rho_period_nano=100_000_000))
    first = world.run(world.server.accept_job())
    assert world.step(1, first) == "finished"
    again = world.server.accept_job(**changes)
    run_id = world.server.start_run(again)
    (home,) = world.take_part(run_id, [1])
    assert home.advance() is None
    assert world.step(1, run_id) == "refused"
    assert Runs(world.homes[1].database).lines(run_id)[-1].name == "budget"
    assert world.spent(1) == 64_000_000


def test_a_job_that_nobody_accepted_does_not_run(world: World) -> None:
    job = world.server.propose_job()
    run_id = world.server.start_run(job)
    (home,) = world.take_part(run_id, [1])
    assert home.advance() is None
    assert world.step(1, run_id) == "refused"
    assert Runs(world.homes[1].database).lines(run_id)[-1].name == "job"
    assert not world.server.sent


def test_one_run_more_than_was_accepted_is_refused(world: World) -> None:
    job = world.server.accept_job()
    world.run(job)
    run_id = world.server.start_run(job, 1)
    (home,) = world.take_part(run_id, [1])
    assert home.advance() is None
    assert world.step(1, run_id) == "refused"
    assert Runs(world.homes[1].database).lines(run_id)[-1].name == "runs"


def test_a_home_that_joined_after_the_vote_takes_no_part(world: World, allow: Any) -> None:
    job = world.server.accept_job()
    world.server.coop.admit(1)
    world.server.confirm()
    late = joined_home(world.folder / "late", world.server, world.server.coop.households[-1])
    allow(late, world.server.coop.now_ms)
    run_id = world.server.start_run(job)
    participation = world.server.participation(late, HOUSEHOLDS, world.replica, run_id)
    assert participation.advance() is None
    assert Runs(late.database).lines(run_id)[-1].name == "membership"


def test_a_roster_that_is_not_logged_is_not_answered(world: World) -> None:
    job = world.server.accept_job()
    run_id = world.server.start_run(job)
    everybody = world.take_part(run_id)
    for one in everybody:
        one.advance()
    run = world.server.run
    assert run is not None
    run.round.freeze_roster()
    from vicinia.wire.rounds import Phase

    run.phase, run.leaf = Phase.SHARE, len(world.server.coop.leaves) - 1  # a leaf, but no roster
    assert everybody[2].advance() is None
    assert "not in the public log" in world.reason(2, run_id)
    assert not any(step.startswith("share") for _, step in world.server.sent)


def test_a_clock_set_back_does_not_revive_a_consent(tmp_path: Path) -> None:
    from vicinia.node.services.clock import HomeClock

    home = Home.create(tmp_path / "h")
    passed = [0.0]
    clock = HomeClock(home.facts, lambda: 5, lambda: passed[0])
    assert clock() == 5
    clock.witness(20_000_000)
    assert clock() == 20_000_000
    passed[0] = 3600.0
    assert clock() == 23_600_000
    clock.witness(21_000_000)  # older than what has passed
    assert clock() == 23_600_000
    assert HomeClock(home.facts, lambda: 5, lambda: 0.0)() == 23_600_000  # after a restart
    assert HomeClock(home.facts, lambda: 30_000_000)() == 30_000_000
    home.close()


def test_a_clock_that_was_ahead_once_ruins_nothing(tmp_path: Path) -> None:
    from vicinia.node.services.clock import HomeClock

    home, now = Home.create(tmp_path / "h"), [10**14]
    clock = HomeClock(home.facts, lambda: now[0], lambda: 0.0)
    clock.witness(10_000_000)
    assert clock() == 10**14
    now[0] = 10_500_000
    assert clock() == 10_500_000
    assert HomeClock(home.facts, lambda: now[0])() == 10_500_000
    home.close()


def test_a_home_waits_while_the_coordinator_is_away(world: World) -> None:
    job = world.server.accept_job()
    run_id = world.server.start_run(job)
    (home,) = world.take_part(run_id, [1])
    world.server.down = True
    delays = [home.advance() for _ in range(4)]
    assert delays == [0.5, 1.0, 2.0, 4.0]
    world.server.down = False
    assert home.advance() is not None
    assert world.step(1, run_id) == "advertise"


@pytest.mark.parametrize("kind", [Unauthenticated, InternalFault])
def test_a_refused_certificate_or_a_defect_of_the_other_side_ends_no_run(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: type[ViciniaError]
) -> None:
    run_id = world.server.start_run(world.server.accept_job())
    old, new = world.server.link(1), world.server.link(1)
    monkeypatch.setattr(old, "next", raising := Mock(side_effect=kind("not now.", where="coordinator")))
    home = Participation(world.homes[1], world.replica, old, run_id, world.server.clock, lambda: 0.0, lambda link: new)
    assert home.advance() is not None
    assert home.advance() == 0.5
    assert raising.called
    assert world.step(1, run_id) == "advertise"
    assert Journal(world.homes[1].database).get(run_id) is not None
    assert home.advance() is not None  # on the new connection
    assert raising.call_count == 1


def test_a_home_gives_up_on_a_refusal_that_lasts(world: World) -> None:
    run_id = world.server.start_run(world.server.accept_job())
    link = world.server.link(1)
    home = Participation(world.homes[1], world.replica, link, run_id, world.server.clock, lambda: 0.0)
    assert home.advance() is not None
    link.next = Mock(side_effect=Unauthenticated("no."))  # type: ignore[method-assign]
    assert home.advance() == 0.5
    world.server.coop.now_ms += 10**7
    assert home.advance() is None
    assert world.step(1, run_id) == "failed"


def test_a_run_that_is_never_met_is_let_go(world: World) -> None:
    run_id = world.server.start_run(world.server.accept_job())
    link, now = world.server.link(1), [0.0]
    link.manifest = Mock(side_effect=Unauthenticated("no."))  # type: ignore[method-assign]
    home = Participation(world.homes[1], world.replica, link, run_id, world.server.clock, lambda: now[0])
    assert home.advance() == 0.5
    now[0] = 601.0
    assert home.advance() is None


def test_a_run_that_another_process_decided_on_sends_what_is_in_the_journal(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = world.server.start_run(world.server.accept_job())
    first, second = world.take_part(run_id, [1, 1])
    original = admission.meet

    def meanwhile(engagement: Any) -> Run:
        run = original(engagement)
        monkeypatch.undo()
        assert first.advance() is not None
        return run

    monkeypatch.setattr(module, "meet", meanwhile)
    assert second.advance() == 0.5
    assert second.advance() is not None  # a second, different advert is an error of the simulator
    assert world.step(1, run_id) == "advertise"


def test_a_locked_home_takes_no_part(world: World) -> None:
    job = world.server.accept_job()
    world.homes[1].lock("test")
    run_id = world.server.start_run(job)
    (home,) = world.take_part(run_id, [1])
    assert home.advance() is None
    assert Runs(world.homes[1].database).lines(run_id)[-1].name == "home"
    assert not world.server.sent


def test_a_withheld_cosignature_stops_the_run_and_nothing_else(world: World) -> None:
    job = world.server.accept_job()
    old = world.server.note
    run_id = world.server.start_run(job)
    everybody = world.take_part(run_id)
    for one in everybody:
        one.advance()
    run = world.server.run
    assert run is not None
    run.close_phase()
    world.server.note = old  # the witnesses did not see the roster
    assert everybody[1].advance() == 0.5
    assert world.step(1, run_id) == "advertise"
    world.server.confirm()
    assert everybody[1].advance() is not None
    assert world.step(1, run_id) == "share"
