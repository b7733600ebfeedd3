"""Kill -9 at any moment: a run continues from the disk or fails with its reason; nothing is counted twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from simulator_village import Village
from sqlalchemy.exc import OperationalError
from vicinia.assembly import Job
from vicinia.coordinator.store import jobs, leaves, messages, runs
from vicinia.coordinator.store.jobs import Stage
from vicinia.errors import StorageFault
from vicinia.secagg import manifest
from vicinia.secagg.manifest import PROTOCOL
from vicinia.secagg.messages import Dealers
from vicinia.wire.published import Phase

Accepted = tuple[Village, Job]
PHASES = [Phase.ADVERTISE, Phase.SHARE, Phase.INPUT, Phase.COMMIT, Phase.UNMASK]


def published(village: Village, job: Job) -> list[object]:
    """Everything that home 3 can be shown of the run."""
    run_id = village.run_of(job).run_id
    principal = village.village[3].principal
    return [village.coordinator.publication.next(principal, run_id, after, 1).item for after in PHASES[:-1]]


@pytest.mark.parametrize("phase", PHASES)
def test_a_restart_at_a_phase_boundary_changes_nothing(accepted: Accepted, phase: Phase) -> None:
    village, job = accepted
    village.until_phase(job, phase)
    before = published(village, job)
    village.restart()
    assert published(village, job) == before
    village.until(job, Stage.RELEASED)
    assert village.run_of(job).release == village.expected_release(job, village.village)


def test_a_restart_after_every_single_tick(accepted: Accepted) -> None:
    village, job = accepted
    seen: list[list[object]] = []
    for _ in range(60):
        village.tick()
        if village.row(job).stage is Stage.RELEASED:
            break
        for half in (village.village[:4], village.village[4:]):
            for home in half:
                village.answer(home)
            village.restart()
            village.coordinator.bulletin.tick()
        if village.row(job).stage in (Stage.RECRUITING, Stage.RUNNING):
            seen.append(published(village, job))
        village.wait(5)
    assert village.run_of(job).release == village.expected_release(job, village.village)
    for shown in zip(*seen, strict=True):  # what was published once is never published differently
        assert len({repr(item) for item in shown if item is not None}) <= 1


def test_a_restart_between_votes_and_certificate(village: Village) -> None:
    job = village.job()
    village.open_vote(job)
    village.vote(job, yes=7)
    village.wait(61)
    for _ in range(12):
        village.restart()
        village.tick()
    assert village.row(job).stage in (Stage.ACCEPTED, Stage.RECRUITING)
    kinds = [village.coordinator.ledger.entries(at, at + 1)[0] for at in range(village.coordinator.ledger.size)]
    for kind in (b"close", b"tally", b"certificate"):
        assert sum(b'"type":"' + kind + b'"' in leaf for leaf in kinds) == 1


FAULTS: dict[str, tuple[object, str, Phase]] = {
    "roster leaf": (leaves, "append", Phase.ADVERTISE),
    "transition to share": (runs, "change", Phase.ADVERTISE),
    "transition to input": (runs, "change", Phase.SHARE),
    "transition to commit": (runs, "change", Phase.INPUT),
    "transition to unmask": (runs, "change", Phase.COMMIT),
    "release leaf": (leaves, "append", Phase.UNMASK),
    "erasing": (messages, "erase", Phase.UNMASK),
    "job": (jobs, "move", Phase.UNMASK),
}


@pytest.mark.parametrize(("fault", "restart"), [(fault, at % 2 == 0) for at, fault in enumerate(FAULTS)])
def test_a_transition_that_does_not_reach_the_disk_is_made_again(
    accepted: Accepted, monkeypatch: pytest.MonkeyPatch, fault: str, restart: bool
) -> None:
    village, job = accepted
    module, name, phase = FAULTS[fault]
    village.until_phase(job, phase)
    real: Callable[..., object] = getattr(module, name)
    failures = 0

    def failing(*arguments: object, **values: object) -> object:
        nonlocal failures
        result = real(*arguments, **values)  # the write was made, its transaction is not committed
        failures += 1
        if failures <= 2:
            raise StorageFault("The disk is full.")
        return result

    monkeypatch.setattr(module, name, failing)
    for _ in range(60):
        try:
            village.tick()
        except StorageFault:
            village.answer_all()
        else:
            if village.row(job).stage is Stage.RELEASED:
                break
            village.answer_all()
        if restart and failures == 2:
            village.restart()
        village.wait(5)
    assert failures > 2
    assert village.row(job).stage is Stage.RELEASED
    assert village.run_of(job).release == village.expected_release(job, village.village)


def test_an_upload_that_was_not_committed_is_not_acknowledged_and_can_be_repeated(
    accepted: Accepted, monkeypatch: pytest.MonkeyPatch
) -> None:
    village, job = accepted
    run = village.until_phase(job, Phase.INPUT)
    home = village.village[5]
    dealers = village.coordinator.publication.next(home.principal, run.run_id, Phase.SHARE, 1).item
    assert isinstance(dealers, Dealers)
    header, packed = village.masked(home, dealers)

    def full(*_: object) -> None:
        raise StorageFault("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(messages, "merge_into_sum", full)
        with pytest.raises(StorageFault):
            village.coordinator.intake.upload(home.principal, header, packed)
    with village.coordinator.database.read() as connection:
        assert messages.find(connection, run.run_id, Phase.INPUT, village.index(home)) is None
    village.coordinator.intake.upload(home.principal, header, packed)
    home.done = Phase.INPUT
    village.until(job, Stage.RELEASED)
    assert village.run_of(job).release == village.expected_release(job, village.village)


def test_a_coordinator_that_was_away_for_too_long_fails_the_run_with_its_reason(accepted: Accepted) -> None:
    village, job = accepted
    village.until_phase(job, Phase.INPUT)
    village.wait(86_400)
    village.restart()
    row = village.until(job, Stage.FAILED)
    assert row.reason
    assert village.run_of(job).phase is Phase.FAILED


def test_a_database_that_contradicts_itself_is_not_published(accepted: Accepted) -> None:
    village, job = accepted
    run = village.until_phase(job, Phase.INPUT)
    with village.coordinator.database.write("tamper") as connection:
        runs.change(connection, run.run_id, (Phase.INPUT,), dealers=bytes([0b01111111]))
    village.restart()
    with pytest.raises(StorageFault, match="do not follow"):
        published(village, job)


@pytest.mark.parametrize("survivors", [bytes([0x7F]), b"\xff\xff\xff"])
def test_a_run_that_cannot_be_rebuilt_fails_and_the_others_go_on(accepted: Accepted, survivors: bytes) -> None:
    village, job = accepted
    run = village.until_phase(job, Phase.COMMIT)
    other = village.job(title="another")
    village.open_vote(other)
    with village.coordinator.database.write("tamper") as connection:
        runs.change(connection, run.run_id, (Phase.COMMIT,), survivors=survivors)
    village.restart()
    village.vote(other, yes=8)
    assert [live.run_id for live in village.coordinator.live.every()] == []
    village.tick()
    assert village.row(job).stage is Stage.FAILED
    ended = village.run_of(job)
    assert (ended.phase, "cannot be continued" in ended.reason) == (Phase.FAILED, True)
    village.wait(61)
    village.until(other, Stage.RELEASED)


def test_the_job_of_a_run_that_cannot_be_rebuilt_is_still_shown(accepted: Accepted) -> None:
    village, job = accepted
    run = village.until_phase(job, Phase.COMMIT)
    with village.coordinator.database.write("tamper") as connection:
        runs.change(connection, run.run_id, (Phase.COMMIT,), survivors=b"\xff\xff\xff")
    village.restart()
    reader = village.village[3].principal
    shown = [village.coordinator.research.job(reader, job.hash).status, *village.coordinator.research.jobs(reader)]
    assert {(one.phase, one.phase_done, one.phase_of) for one in shown} == {(Phase.COMMIT, 0, 0)}
    village.tick()
    ended = village.coordinator.research.job(reader, job.hash).status
    assert (ended.phase, ended.reason) == (Phase.FAILED, "The coordinator lost the run.")


def test_a_run_of_another_protocol_version_is_not_continued_after_an_update(
    accepted: Accepted, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    village, job = accepted
    run = village.until_phase(job, Phase.INPUT)
    monkeypatch.setattr(manifest, "PROTOCOL", PROTOCOL + 1)
    village.restart()
    village.tick()
    with village.coordinator.database.read() as connection:
        ended = runs.find(connection, run.run_id)
    assert ended is not None
    assert ended.phase is Phase.FAILED
    told = village.coordinator.research.job(village.village[3].principal, job.hash).status.reason
    assert ended.reason == told == "The coordinator was updated while the run was under way."
    assert f"of protocol version {PROTOCOL}, this program speaks {PROTOCOL + 1}" in caplog.text


def test_a_database_that_cannot_be_read_for_a_moment_ends_no_run(
    accepted: Accepted, monkeypatch: pytest.MonkeyPatch
) -> None:
    village, job = accepted
    village.until_phase(job, Phase.COMMIT)
    village.restart()

    def busy(*_: object) -> None:
        raise OperationalError("SELECT", {}, Exception("database is locked"))

    with monkeypatch.context() as patch:
        patch.setattr(messages, "of_phase", busy)
        with pytest.raises(StorageFault):
            village.tick()
    village.until(job, Stage.RELEASED)


@pytest.mark.parametrize("phase", [Phase.SHARE, Phase.INPUT, Phase.COMMIT])
def test_what_the_coordinator_slept_through_is_nobodys_silence(accepted: Accepted, phase: Phase) -> None:
    village, job = accepted
    village.until_phase(job, phase)
    village.wait(70)  # longer than a phase, before the deadline of the manifest
    village.restart()
    village.tick()
    assert village.run_of(job).phase is phase
    village.until(job, Stage.RELEASED)
    assert village.run_of(job).release == village.expected_release(job, village.village)
