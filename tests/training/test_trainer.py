"""The coordinator's side of a training where something fails: steps count once, and every training ends."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from simulator_whole import Whole
from sqlalchemy import delete, update
from training.conftest import Make
from training.jobs import LOGISTIC, MLP, training
from training.test_whole import ended
from vicinia.assembly import Job, build_revoke
from vicinia.coordinator.services import trainer
from vicinia.coordinator.services.course import Course
from vicinia.coordinator.store.jobs import Stage
from vicinia.coordinator.store.schema import artifact
from vicinia.coordinator.store.schema import job as job_table
from vicinia.training.model import Model
from vicinia.wire.published import Phase


def replayed(whole: Whole, job: Job) -> Model:
    """The model that follows from what the rounds released."""
    lesson = whole.coordinator.trainer._lesson(whole.row(job))
    assert lesson is not None
    course = Course(lesson.training, lesson.training.template)
    for run in sorted(whole.coordinator.ledger.assembly.vote_on(job.hash).releases):
        course.take(whole.coordinator.trainer._load(job.hash, run))
    course.close()
    return course.model


def to_round(whole: Whole, job: Job, released: int) -> None:
    """Until so many rounds are released."""
    while len(whole.coordinator.ledger.assembly.vote_on(job.hash).releases) < released:
        whole.tick()
        whole.answer_all()
        whole.wait(5)


@pytest.mark.parametrize("defect", [MemoryError("once"), OSError("once"), ValueError("once")], ids=str)
def test_a_step_that_fails_once_is_never_built_upon(
    make: Make, monkeypatch: pytest.MonkeyPatch, defect: Exception
) -> None:
    whole = make()
    job = whole.accepted_job(**training(LOGISTIC.replace("rounds = 2", "rounds = 3")))
    to_round(whole, job, 2)
    whole.restart()  # both steps are to be taken again
    taken, real = [], Course.take

    def fails(course: Course, released: Any) -> None:
        taken.append(released.release.run)
        if len(taken) == 2:
            raise defect
        real(course, released)

    monkeypatch.setattr(Course, "take", fails)
    whole.until(job, Stage.RELEASED)
    assert taken[:4] == [0, 1, 0, 1]
    monkeypatch.undo()
    assert replayed(whole, job) == ended(whole, job.hash)[1]


def test_a_defect_that_stays_ends_the_training_and_keeps_no_other(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = make()
    first = whole.accepted_job(**training(LOGISTIC))
    to_round(whole, first, 1)
    real = Course.take

    def fails(course: Course, released: Any) -> None:
        if released.release.job == first.hash:
            raise ZeroDivisionError
        real(course, released)

    monkeypatch.setattr(Course, "take", fails)
    second = whole.job(**training(LOGISTIC), title="Another")
    whole.open_vote(second)
    whole.vote(second, yes=whole.homes)
    whole.wait(61)
    whole.until(second, Stage.RELEASED)
    assert whole.row(first).stage is Stage.FAILED
    assert "defect of its own" in whole.row(first).reason


@pytest.mark.parametrize("at_once", [4, 1], ids=["several", "patched-out"])
def test_a_step_that_takes_for_ever_holds_up_no_other_training(
    make: Make, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(trainer, "_AT_ONCE", at_once)
    whole, goes_on = make(), threading.Event()
    first = whole.accepted_job(**training(LOGISTIC))
    to_round(whole, first, 1)
    real = Course.take

    def slowly(course: Course, released: Any) -> None:
        if released.release.job == first.hash:
            goes_on.wait()
        real(course, released)

    monkeypatch.setattr(Course, "take", slowly)
    second = whole.job(**training(LOGISTIC), title="Another")
    whole.held_up = {first.hash} if at_once > 1 else {first.hash, second.hash}
    try:
        whole.open_vote(second)
        whole.vote(second, yes=whole.homes)
        whole.wait(61)
        for _ in range(100):
            whole.tick()
            whole.answer_all()
            whole.wait(5)
        assert (whole.row(second).stage is Stage.RELEASED) == (at_once > 1), whole.row(second).reason
        assert whole.row(first).stage is Stage.ACCEPTED
    finally:
        goes_on.set()


def test_a_database_that_lost_a_model_computes_it_again(make: Make) -> None:
    whole = make()
    job = whole.accepted_job(**training(LOGISTIC))
    to_round(whole, job, 1)
    while 1 not in whole.coordinator.ledger.assembly.vote_on(job.hash).models:
        whole.coordinator.trainer.tick()
    digest = whole.coordinator.ledger.assembly.vote_on(job.hash).models[1].model.digest
    with whole.coordinator.database.write("lose a model") as connection:
        connection.execute(delete(artifact).where(artifact.c.digest == digest))
    whole.until(job, Stage.RELEASED)


@pytest.mark.parametrize("lost", [False, True])
def test_a_database_from_before_the_end_learns_of_it_from_the_log(make: Make, lost: bool) -> None:
    whole = make()
    job = whole.accepted_job(**training(LOGISTIC))
    whole.until(job, Stage.RELEASED)
    trained = whole.coordinator.ledger.assembly.vote_on(job.hash).trained
    assert trained is not None
    with whole.coordinator.database.write("an older database") as connection:
        connection.execute(update(job_table).values(stage=Stage.ACCEPTED.value))
        if lost:
            connection.execute(delete(artifact).where(artifact.c.digest == trained.digest))
    whole.tick()
    row = whole.row(job)
    assert row.stage is (Stage.FAILED if lost else Stage.RELEASED)
    assert bool(row.reason) is lost


def test_a_training_that_is_revoked_leaves_no_process(make: Make) -> None:
    whole = make()
    job = whole.accepted_job(**training(MLP))
    to_round(whole, job, 1)
    while whole.row(job).stage is Stage.ACCEPTED:
        whole.tick()
        whole.wait(1)
    lesson = whole.coordinator.trainer._lessons[job.hash]
    strategist = lesson._course._strategist
    assert strategist is not None
    revoke = build_revoke(job.coop, job.hash).sign(whole.researcher)
    whole.coordinator.statements.submit(revoke.leaf())
    for _ in range(5):
        whole.tick()
    assert whole.row(job).stage is Stage.REVOKED
    assert not whole.coordinator.trainer._lessons
    assert lesson._course._strategist is None


def test_what_is_over_its_time_ends_with_what_it_has(make: Make) -> None:
    whole = make()
    job = whole.accepted_job(**training(LOGISTIC))
    to_round(whole, job, 1)
    whole.until_phase(job, Phase.ADVERTISE)
    whole.silent.update(range(1, 8))
    whole.wait(91 * 86_400)
    for _ in range(20):
        whole.tick()
        whole.wait(60)
    row = whole.row(job)
    assert (row.stage, row.reason) == (Stage.RELEASED, "The training ended after 1 of 2 rounds.")
