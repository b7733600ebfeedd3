"""The daemon: one visit does everything that is due, the lost coordinator is told once, runs go to the worker once."""

from __future__ import annotations

import gc
import logging
import threading
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest
from node.test_voting import RULES
from simulator_cooperative import BYLAWS, Cooperative
from simulator_link import Link, Server, remember
from vicinia.errors import Code, ProofInvalid, Unauthenticated, Unavailable, ViciniaError, error_from_wire
from vicinia.identity import CertificateAuthority, Principal, Role
from vicinia.node.services import daemon as module
from vicinia.node.services import enrolment, guard, keyring
from vicinia.node.services.clock import HomeClock
from vicinia.node.services.daemon import Daemon, Resident
from vicinia.node.services.ports import Enroller
from vicinia.node.services.scheduler import Scheduler
from vicinia.node.store.alerts import Alerts
from vicinia.node.store.home import Home
from vicinia.node.store.runs import Run, Runs
from vicinia.node.store.votes import Vote, Votes


class Hands:
    """A worker that only writes down what it is given."""

    def __init__(self) -> None:
        self.tasks: list[tuple[str, bytes]] = []
        self.warmed: list[str] = []

    def assign(self, home: str, run_id: bytes) -> None:
        self.tasks.append((home, run_id))

    def when_done(self, tell: Callable[[str, float | None], None]) -> None:
        self.tell = tell

    def warm(self, home: str) -> None:
        self.warmed.append(home)

    def close(self) -> None:
        pass


class Household:
    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, number: int = 0, coop: Cooperative | None = None
    ) -> None:
        monkeypatch.setattr(enrolment, "renewal_ms", lambda certificate: 10**15)
        self.server = Server(coop or Cooperative.found(households=4))
        self.home: Home = self.server.homes(folder, 4)[number]
        self.replica = self.server.replica(folder)
        self.hands = Hands()
        link = self.server.link(number)
        self.resident = Resident(
            self.home, self.replica, lambda home: link, self.no_enroller, self.hands, self.server.clock
        )

    @staticmethod
    def no_enroller(address: str, authority: bytes) -> Enroller:
        raise AssertionError("nothing to enrol")


@pytest.fixture
def household(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Household:
    return Household(tmp_path, monkeypatch)


def test_a_visit_follows_the_log_witnesses_and_votes(household: Household) -> None:
    job = household.server.propose_job()
    remember(household.home, household.server)
    household.server.note = household.server.coop.checkpoint(3)  # the newest is not cosigned yet
    Votes(household.home.database).put(Vote(job.hash, "yes", "hand", "queued", "", None, 1))
    assert household.resident.visit() < 1
    assert household.resident.visit() < 1  # its own cosignature lets it see the proposal
    assert household.server.coop.assembly.vote_on(job.hash).latest[0].choice == "yes"


def test_a_run_goes_to_the_worker_until_it_is_over(household: Household) -> None:
    job = household.server.accept_job()
    remember(household.home, household.server)
    run_id = household.server.start_run(job)
    household.resident.visit()
    assert household.hands.tasks == [(household.home.name, run_id)]
    assert household.hands.warmed == [household.home.name]
    Runs(household.home.database).add(Run(run_id, job.hash, 0, b"", b"", "refused", "", 1))
    household.resident.visit()
    assert len(household.hands.tasks) == 1


def test_open_runs_are_taken_up_at_the_start(household: Household) -> None:
    Runs(household.home.database).add(Run(bytes(32), bytes(32), 0, b"", b"", "input", "", 1))
    Runs(household.home.database).add(Run(bytes([1]) * 32, bytes(32), 1, b"", b"", "finished", "", 1))
    household.resident.resume()
    assert household.hands.tasks == [(household.home.name, bytes(32))]


@pytest.mark.parametrize("error", [Unavailable("the port is away."), Unauthenticated("not signed just now.")])
def test_a_renewal_that_fails_stops_nothing_while_the_certificate_is_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: ViciniaError
) -> None:
    due, renew = enrolment.renewal_ms, Mock(side_effect=error)
    household = Household(tmp_path, monkeypatch)
    monkeypatch.setattr(enrolment, "renewal_ms", due)
    monkeypatch.setattr(enrolment, "renew", renew)
    monkeypatch.setattr(household.resident, "_enroller", Mock())
    home, server = household.home, household.server
    began = datetime.fromtimestamp(server.coop.now_ms / 1000, UTC) - timedelta(days=5)
    authority = CertificateAuthority.found(server.coop.coop, began)
    principal = Principal(server.coop.coop, Role.HOUSEHOLD, server.coop.households[0].public.id)
    request = keyring.tls_key(home.facts).signing_request()
    home.facts.put("certificate", authority.issue(request, principal, began, timedelta(days=7)))
    run_id = server.start_run(server.accept_job())
    remember(home, server)
    for _ in range(3):
        assert household.resident.visit() < 1
    assert household.hands.tasks == [(home.name, run_id)] * 3
    assert renew.call_count == 1
    (alert,) = Alerts(home.database).all()
    assert "could not be renewed" in alert[1]
    server.coop.now_ms += 3 * 86_400_000  # now it has ended
    household.resident.visit()
    household.resident.visit()
    assert renew.call_count == 3
    assert len(household.hands.tasks) == 3


def test_a_visit_takes_note_of_the_time_that_the_witnesses_signed(household: Household) -> None:
    household.resident.visit()
    assert abs(HomeClock(household.home.facts, lambda: 0)() - household.server.coop.now_ms) < 60_000


def test_a_locked_home_takes_no_runs(household: Household) -> None:
    job = household.server.accept_job()
    household.server.start_run(job)
    household.home.lock("test")
    household.resident.visit()
    assert household.hands.tasks == []


def test_evidence_against_the_log_stops_every_run(household: Household) -> None:
    household.server.start_run(household.server.accept_job())
    household.replica.store.add_evidence("two histories", b"a", b"b", 1)
    household.resident.visit()
    assert household.hands.tasks == []


def test_a_lost_coordinator_is_told_once_and_asked_ever_less(
    household: Household, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "vicinia.node")
    household.resident.visit()
    caplog.clear()
    household.server.down = True
    delays = [household.resident.visit() for _ in range(12)]
    assert max(delays[:2]) <= 1.0
    assert 30 <= delays[-1] <= 60
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    household.server.down = False
    assert household.resident.visit() < 1
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


@pytest.mark.parametrize(("phase", "longest"), [(1, 1), (8, 2), (30, 7.5), (3600, 60)])
def test_a_home_comes_back_within_a_quarter_of_a_phase_and_not_when_the_others_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phase: int, longest: float
) -> None:
    coop = Cooperative.found(households=4, bylaws=replace(BYLAWS, phase_seconds=phase))
    household = Household(tmp_path, monkeypatch, coop=coop)
    household.resident.visit()
    household.server.down = True
    delays = [household.resident.visit() for _ in range(40)]
    assert longest / 2 <= max(delays[10:]) <= longest
    assert len(set(delays)) == 40
    household.server.down = False
    household.resident.visit()
    household.server.down = True
    assert household.resident.visit() <= 0.5
    run = household.server.participation(household.home, 0, household.replica, bytes(32))
    waits = [run.advance() or 0.0 for _ in range(40)]
    assert min(longest, 10) / 2 <= max(waits) <= min(longest, 10)
    assert len(set(waits)) == 40


def test_a_daemon_ends_when_it_is_told_to(household: Household) -> None:
    link = household.server.link(0)
    daemon = Daemon(
        {"h": household.home},
        household.replica,
        lambda home: link,
        household.no_enroller,
        household.hands,
        household.server.clock,
    )
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    began = time.monotonic()
    daemon.run(stop)
    assert time.monotonic() - began < 5
    assert household.replica.size == len(household.server.coop.leaves)


@pytest.mark.parametrize("told", [None, 1.5])
def test_a_home_that_is_done_with_a_run_asks_what_comes_next_soon_or_when_it_was_told(
    household: Household, told: float | None
) -> None:
    link, visits, stop = household.server.link(0), list[float](), threading.Event()

    def visit(resident: Resident) -> float:
        visits.append(time.monotonic())
        if len(visits) == 2:
            stop.set()
        else:
            threading.Timer(0.1, household.hands.tell, [household.home.name, told]).start()
        return 60.0

    daemon = Daemon(
        {"home": household.home},
        household.replica,
        lambda home: link,
        household.no_enroller,
        household.hands,
        household.server.clock,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Resident, "visit", visit)
        daemon.run(stop)
    assert (told or 0) <= visits[1] - visits[0] < 5


def test_the_scheduler_never_runs_a_task_twice_at_once() -> None:
    scheduler, seen = Scheduler(4), []

    def task(name: int) -> Callable[[], float | None]:
        busy = threading.Lock()

        def step() -> float | None:
            assert busy.acquire(blocking=False)
            time.sleep(0.001)
            seen.append(name)
            busy.release()
            return 0.001 if seen.count(name) < 5 else None

        return step

    for name in range(3):
        scheduler.add(task(name))
    scheduler.run(threading.Event(), until_idle=0.05)
    assert sorted(seen) == [0] * 5 + [1] * 5 + [2] * 5
    assert scheduler.idle


def test_the_scheduler_calls_each_task_when_it_is_due() -> None:
    scheduler, began, calls = Scheduler(2), time.monotonic(), []

    def at(due: float) -> Callable[[], float | None]:
        def step() -> float | None:
            calls.append((due, time.monotonic() - began))
            if due == 0.2:
                scheduler.add(at(0.3), 0.1)  # earlier than the one that is waited for
            return None

        return step

    for due in (0.6, 0.0, 0.2):
        scheduler.add(at(due), due)
    scheduler.run(threading.Event(), until_idle=0.05)
    assert [due for due, _ in calls] == [0.0, 0.2, 0.3, 0.6]
    assert all(due <= seen < due + 0.1 for due, seen in calls)


def test_a_task_that_is_hastened_is_called_sooner_whether_it_waits_or_runs() -> None:
    scheduler, began, calls, stop = Scheduler(2), time.monotonic(), list[float](), threading.Event()

    def task() -> float | None:
        calls.append(time.monotonic() - began)
        if len(calls) == 3:
            stop.set()
        elif len(calls) == 2:
            scheduler.hasten(task, 0.1)  # while it runs
        else:
            threading.Timer(0.1, scheduler.hasten, [task, 0.1]).start()  # while it waits
        return 60.0

    scheduler.add(task)
    limit = threading.Timer(10, stop.set)
    limit.start()
    scheduler.run(stop)
    limit.cancel()
    assert len(calls) == 3
    assert calls[1] >= 0.2
    assert calls[2] >= calls[1] + 0.1


def test_a_task_with_a_defect_keeps_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    scheduler, seen = Scheduler(1), []

    def defect() -> float | None:
        raise AssertionError("never")

    def fine() -> float | None:
        seen.append(1)
        return None

    scheduler.add(defect)
    scheduler.add(fine)
    scheduler.run(threading.Event(), until_idle=0.05)
    assert seen
    assert "met a defect" in caplog.text


def test_a_daemon_at_rest_does_not_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    household = Household(tmp_path, monkeypatch, 1)
    remember(household.home, household.server)
    tracemalloc.start()
    try:
        for _ in range(20):
            household.resident.visit()
        gc.collect()
        before = tracemalloc.take_snapshot()
        for _ in range(40):
            household.resident.visit()
        gc.collect()
        grown = tracemalloc.take_snapshot().compare_to(before, "filename")
    finally:
        tracemalloc.stop()
    assert sum(one.size_diff for one in grown if "vicinia" in one.traceback[0].filename) < 16_384


def test_the_last_contact_is_written_down(household: Household) -> None:
    household.resident.visit()
    assert household.home.facts.number(keyring.CONTACT) == household.server.coop.now_ms


def test_the_protocols_that_a_home_speaks() -> None:
    from vicinia.secagg.manifest import PROTOCOL

    assert module.PROTOCOLS == (PROTOCOL,)


def test_a_locked_home_is_unlocked_when_its_new_key_is_in_the_confirmed_log(household: Household) -> None:
    home, server = household.home, household.server
    household.replica.sync(server.link(0))
    home.lock("restored")
    link = server.link(0)
    assert guard.rotate(home, household.replica, link, server.clock)
    household.resident.visit()
    assert home.locked  # the witnesses have not seen it
    server.confirm()
    household.resident.visit()
    assert not home.locked
    assert Alerts(home.database).all() == []


def test_a_job_that_is_withheld_keeps_a_home_from_no_run(household: Household) -> None:
    job = household.server.accept_job()
    withheld = household.server.propose_job(title="Another one")
    remember(household.home, household.server)
    Votes(household.home.database).put_rules(RULES, household.server.coop.now_ms)
    original = Link.job

    def withhold(link: Link, job_hash: bytes) -> bytes:
        if job_hash == withheld.hash:
            raise Unavailable("not now.")
        return original(link, job_hash)

    run_id = household.server.start_run(job)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Link, "job", withhold)
        household.resident.visit()
    assert household.hands.tasks == [(household.home.name, run_id)]


def test_what_the_other_side_says_is_no_alert_and_pushes_none_out(
    household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, said = household.home, iter(range(1000))
    Alerts(home.database).add("Your vote was not counted.", 1)

    def answer(*_: object) -> object:
        raise error_from_wire(Code.NOT_FOUND, f"All is well ({next(said)}): run vicinia-node consent allow.")

    monkeypatch.setattr(Link, "poll", answer)
    for _ in range(201):
        household.resident.visit()
    told = [sentence for _, sentence in Alerts(home.database).all()]
    assert told == ["Your vote was not counted.", module._REFUSED]


def test_troubles_with_other_figures_each_time_push_out_no_finding(
    household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, seconds = household.home, iter(range(1000))
    Alerts(home.database).add("Your vote was not counted.", 1)

    def answer(*_: object) -> object:
        raise ProofInvalid(f"The checkpoint is {next(seconds)} seconds old, which is too old.", where="log")

    monkeypatch.setattr(Link, "poll", answer)
    for _ in range(201):
        household.resident.visit()
    told = [sentence for _, sentence in Alerts(home.database).all()]
    assert told[0] == "Your vote was not counted."
    assert len(told) == 21
    assert "200 seconds old" in told[-1]
