"""Whom a round waits for: in the first everybody has the time to decide, later nobody waits for who stayed out."""

from __future__ import annotations

from simulator_whole import Whole
from training.conftest import Make
from training.jobs import LOGISTIC, training
from vicinia.assembly import Job
from vicinia.secagg.manifest import PROTOCOL
from vicinia.wire.rounds import PollRequest

STEP_SECONDS = 0.1
DECLINED_SECONDS = 6  # a tenth of a phase


def step(whole: Whole) -> None:
    whole.tick()
    whole.answer_all()
    whole.wait(STEP_SECONDS)


def open_round(whole: Whole, job: Job, number: int) -> None:
    """Until the run of this number is announced."""
    for _ in range(1000):
        step(whole)
        if whole.row(job).stage != "accepted" and whole.run_of(job).number == number:
            return
    raise AssertionError("the round is not announced")


def announced_seconds(whole: Whole, job: Job, most: float = 70) -> float:
    """How long the announcing takes from now on; `most` where it is not over then."""
    began = whole.now_ms
    while whole.run_of(job).roster is None and whole.now_ms < began + most * 1000:
        step(whole)
    return (whole.now_ms - began) / 1000


def with_a_lost_home(make: Make) -> tuple[Whole, Job]:
    """The second round is announced; home 3 was lost in the first, before it had sent its part."""
    whole = make()
    job = whole.accepted_job(**training(LOGISTIC))
    open_round(whole, job, 0)
    while (run := whole.run(3, whole.run_of(job).run_id)) is None or run.step != "share":
        step(whole)
    whole.silent = {3}
    open_round(whole, job, 1)
    return whole, job


def test_a_later_round_does_not_wait_for_who_stayed_out_of_the_one_before(make: Make) -> None:
    whole = make()
    whole.withdraw(6)
    whole.withdraw(7)
    job = whole.accepted_job(**training(LOGISTIC))
    open_round(whole, job, 0)
    assert announced_seconds(whole, job) >= DECLINED_SECONDS - 1
    open_round(whole, job, 1)
    assert announced_seconds(whole, job) < 1


def test_a_later_round_waits_for_those_of_the_round_before(make: Make) -> None:
    whole = make()
    job = whole.accepted_job(**training(LOGISTIC))
    open_round(whole, job, 0)
    while not whole.coordinator.ledger.assembly.vote_on(job.hash).releases:
        step(whole)
    whole.silent = {3}
    open_round(whole, job, 1)
    assert announced_seconds(whole, job, most=20) >= 20
    whole.silent = set()
    assert announced_seconds(whole, job) < 1


def test_a_home_that_was_lost_is_waited_for_once_it_is_back(make: Make) -> None:
    whole, job = with_a_lost_home(make)
    whole.coordinator.bulletin.poll(whole.village[3].principal, PollRequest((PROTOCOL,), 0))
    assert announced_seconds(whole, job, most=5) >= 5
    whole.silent = set()
    assert announced_seconds(whole, job) < 1


def test_a_home_that_stays_lost_is_not_waited_for_also_after_a_restart(make: Make) -> None:
    whole, job = with_a_lost_home(make)
    whole.restart()
    assert announced_seconds(whole, job) < 5


def test_homes_are_told_to_come_soon_after_a_round(make: Make) -> None:
    whole = make()
    job = whole.accepted_job(**training(LOGISTIC))
    open_round(whole, job, 0)
    bulletin = whole.coordinator.bulletin
    for number in range(600):  # homes that poll make the interval at rest long
        bulletin._lately[f"other {number}"] = whole.now_ms + 10**9
    while not whole.coordinator.ledger.assembly.vote_on(job.hash).releases:
        step(whole)
    bulletin.tick()

    def ask() -> int:
        return bulletin.poll(whole.village[3].principal, PollRequest((PROTOCOL,), 0)).retry_after_ms

    assert whole.row(job).stage == "accepted"
    assert max(ask() for _ in range(20)) < 3_000
    whole.wait(120)
    assert min(ask() for _ in range(20)) > 5_000
