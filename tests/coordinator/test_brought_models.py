"""The models that come with jobs: not received beyond the quota, and kept no longer than their jobs need them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from coordinator.test_submission import bringing
from simulator_village import COOP, Village
from vicinia.assembly import Job, build_revoke
from vicinia.coordinator.services import research
from vicinia.coordinator.store import artifacts, jobs
from vicinia.coordinator.store.jobs import Stage
from vicinia.errors import TooLarge
from vicinia.training.model import Model


def submitted(village: Village, **changes: object) -> tuple[Job, Model]:
    """A job that waits for a sponsor, with its model."""
    job, model = bringing(village)
    job = Job.from_payload(job.payload() | changes)
    leaf = village.proposal(job).leaf()
    village.coordinator.research.submit(village.researcher_principal, job.canonical(), leaf, model.to_bytes())
    return job, model


def is_kept(village: Village, model: Model) -> bool:
    with village.coordinator.database.read() as connection:
        return artifacts.find(connection, model.digest) is not None


def until_over(village: Village, job: Job) -> Stage:
    for _ in range(20):
        village.tick()
    return village.row(job).stage


def open_vote(village: Village, job: Job) -> None:
    village.sponsor(job)
    village.tick()
    village.tick()


def accept(village: Village, job: Job) -> None:
    open_vote(village, job)
    village.vote(job, yes=village.homes)
    village.wait(61)
    while village.row(job).stage is not Stage.ACCEPTED:
        village.tick()


def test_no_model_is_waited_for_beyond_the_quota(village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(research, "_MAX_WAITING", 1)
    job, model = submitted(village)
    asked, caller = village.coordinator.research, village.researcher_principal
    assert asked.model_expected(caller, job.canonical()) == 0  # what is here already may be handed in again
    another = Job.from_payload(job.payload() | {"title": "Another"})
    with pytest.raises(TooLarge, match="wait for a sponsor"):
        asked.model_expected(caller, another.canonical())
    village.wait(61)
    until_over(village, job)
    assert asked.model_expected(caller, another.canonical()) == len(model.to_bytes())


def unsponsored(village: Village, job: Job) -> None:
    village.wait(61)


def outvoted(village: Village, job: Job) -> None:
    open_vote(village, job)
    village.vote(job, yes=1, no=village.homes - 1)
    village.wait(61)


def unwitnessed(village: Village, job: Job) -> None:
    open_vote(village, job)
    village.silent = {0}
    village.wait(61 + 86_400)


def revoked(village: Village, job: Job) -> None:
    open_vote(village, job)
    village.coordinator.statements.submit(build_revoke(COOP, job.hash).sign(village.researcher).leaf())


def never_run(village: Village, job: Job) -> None:
    accept(village, job)
    village.silent = {0}
    village.wait(91 * 86_400)


ENDINGS: list[tuple[Callable[[Village, Job], None], Stage]] = [
    (unsponsored, Stage.EXPIRED),
    (outvoted, Stage.NOT_ACCEPTED),
    (unwitnessed, Stage.EXPIRED),
    (revoked, Stage.REVOKED),
    (never_run, Stage.FAILED),
]


@pytest.mark.parametrize(("ending", "stage"), ENDINGS)
def test_a_model_is_dropped_with_the_job_that_did_not_come_to_need_it(
    village: Village, ending: Callable[[Village, Job], None], stage: Stage
) -> None:
    job, model = submitted(village)
    ending(village, job)
    assert is_kept(village, model)
    assert until_over(village, job) is stage
    assert not is_kept(village, model)


def test_a_model_that_came_with_two_jobs_stays_as_long_as_one_of_them_needs_it(village: Village) -> None:
    first, model = submitted(village)
    village.wait(30)
    second, _ = submitted(village, title="Another")
    village.wait(31)
    assert until_over(village, first) is Stage.EXPIRED
    assert village.row(second).stage is Stage.SUBMITTED
    assert is_kept(village, model)
    village.wait(30)
    assert until_over(village, second) is Stage.EXPIRED
    assert not is_kept(village, model)


def test_what_other_jobs_have_stays(village: Village) -> None:
    kept, _ = submitted(village)
    accept(village, kept)
    with village.coordinator.database.write("what came of a round") as connection:
        digest = artifacts.add(connection, kept.hash, b"a sum")
    other, model = submitted(village, title="Another")
    village.coordinator.tick()
    with village.coordinator.database.write("end") as connection:
        jobs.move(connection, other.hash, Stage.EXPIRED)
    with village.coordinator.database.read() as connection:
        assert artifacts.find(connection, digest) == b"a sum"
    assert is_kept(village, model)  # the accepted one begins with it
