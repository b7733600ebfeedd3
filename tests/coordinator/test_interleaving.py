"""Messages that come while memory is rebuilt or a phase is frozen: who is in the sum is who is published."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from simulator_village import Home, Village
from sqlalchemy import delete
from vicinia.assembly import Job
from vicinia.coordinator.services import intake as intake_module
from vicinia.coordinator.store import runs
from vicinia.coordinator.store.database import Database
from vicinia.coordinator.store.jobs import Stage
from vicinia.coordinator.store.schema import message
from vicinia.errors import ProtocolViolation, StorageFault
from vicinia.secagg.messages import Dealers
from vicinia.wire.published import Phase
from vicinia.wire.upload import UploadHeader

Accepted = tuple[Village, Job]
Upload = tuple[UploadHeader, bytes]
PATIENCE_S = 20.0


def masked(village: Village, run_id: bytes) -> dict[int, Upload]:
    """What every home is about to upload."""
    uploads = {}
    for home in village.village:
        dealers = village.coordinator.publication.next(home.principal, run_id, Phase.SHARE, 1).item
        assert isinstance(dealers, Dealers)
        uploads[home.number] = village.masked(home, dealers)
    return uploads


def another(upload: Upload) -> Upload:
    """Another vector of the same home."""
    header, packed = upload
    other = bytes([packed[0] ^ 1]) + packed[1:]
    return replace(header, sha256=hashlib.sha256(other).digest()), other


def sent(village: Village, home: Home, upload: Upload) -> None:
    village.coordinator.intake.upload(home.principal, *upload)
    home.done = Phase.INPUT


@pytest.mark.parametrize("fault", ["second message", "storage"])
def test_an_upload_that_is_being_committed_is_waited_for_whatever_another_home_does(
    accepted: Accepted, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    village, job = accepted
    run_id = village.until_phase(job, Phase.INPUT).run_id
    uploads, hostile, slow = masked(village, run_id), village.village[7], village.village[6]
    for home in village.village[:6]:
        sent(village, home, uploads[home.number])
    held, go_on, freezing = threading.Event(), threading.Event(), threading.Event()
    grouped = Database.grouped

    def hold_slow(self: Database, name: str, work: Callable[..., Any]) -> Any:
        if threading.current_thread().name.startswith("slow"):
            held.set()
            assert go_on.wait(PATIENCE_S)
        elif fault == "storage":
            raise StorageFault("The disk is full.")
        return grouped(self, name, work)

    def first_look_misses(connection: Any, run: bytes, phase: Phase, index: int, body: bytes) -> bool:
        """The hostile home's second message has looked before the first was there."""
        if index == village.index(hostile) and connection.in_transaction() and not connection.in_nested_transaction():
            return False
        return repeated(connection, run, phase, index, body)

    repeated = intake_module._repeated
    with (
        ThreadPoolExecutor(1, "slow") as one,
        ThreadPoolExecutor(1, "ticker") as ticker,
        monkeypatch.context() as patch,
    ):
        patch.setattr(Database, "grouped", hold_slow)
        patch.setattr(intake_module, "_repeated", first_look_misses)
        acknowledged = one.submit(sent, village, slow, uploads[6])
        assert held.wait(PATIENCE_S)
        if fault == "second message":
            sent(village, hostile, uploads[7])
        with pytest.raises((ProtocolViolation, StorageFault)):
            village.coordinator.intake.upload(hostile.principal, *another(uploads[7]))
        village.wait(61)

        def freeze() -> None:
            freezing.set()
            village.coordinator.conductor.tick()

        frozen = ticker.submit(freeze)
        assert freezing.wait(PATIENCE_S)
        with pytest.raises(TimeoutError):
            frozen.result(timeout=0.3)  # it waits for the upload that is under way
        go_on.set()
        acknowledged.result(PATIENCE_S)
        frozen.result(PATIENCE_S)
    village.silent = set() if fault == "second message" else {7}
    village.until(job, Stage.RELEASED)
    counted = [home for home in village.village if home.number not in village.silent]
    assert village.run_of(job).survivor_count == len(counted)
    assert village.run_of(job).release == village.expected_release(job, counted)


def test_a_second_message_is_refused_without_forgetting_the_run(accepted: Accepted) -> None:
    village, job = accepted
    run_id = village.until_phase(job, Phase.INPUT).run_id
    uploads, home = masked(village, run_id), village.village[3]
    before = village.coordinator.live.get(run_id)
    sent(village, home, uploads[3])
    with pytest.raises(ProtocolViolation, match="another message"):
        village.coordinator.intake.upload(home.principal, *another(uploads[3]))
    assert village.coordinator.live.get(run_id) is before


def test_what_was_forgotten_takes_nothing_in_and_its_successor_has_its_gate(accepted: Accepted) -> None:
    village, job = accepted
    run_id = village.until_phase(job, Phase.INPUT).run_id
    live = village.coordinator.live
    old = live.get(run_id)
    live.drop(old)
    new = live.get(run_id)
    assert new is not old
    assert new.gate is old.gate
    with pytest.raises(StorageFault, match="no longer"), live.alone(old):
        pass
    assert live.get(run_id) is new
    with live.taking(run_id) as taken:
        assert taken is new


def test_a_sum_that_is_not_that_of_the_survivors_is_not_released(accepted: Accepted) -> None:
    village, job = accepted
    village.until_phase(job, Phase.UNMASK)
    with village.coordinator.database.write("tamper") as connection:
        connection.execute(delete(message).where(message.c.phase == int(Phase.INPUT), message.c.member == 2))
    row = village.until(job, Stage.FAILED)
    assert row.reason == "The sum of this run is not that of its survivors."
    assert village.run_of(job).release is None


def test_a_message_on_disk_that_memory_does_not_know_of_is_counted(accepted: Accepted) -> None:
    village, job = accepted
    run_id = village.until_phase(job, Phase.INPUT).run_id
    for home in village.village:
        village.answer(home)
    village.coordinator.live.get(run_id).answered.discard(4)
    village.until(job, Stage.RELEASED)
    assert village.run_of(job).survivor_count == 8
    assert village.run_of(job).release == village.expected_release(job, village.village)


def test_a_transition_of_a_run_that_has_moved_on_is_not_made(accepted: Accepted) -> None:
    village, job = accepted
    run = village.until_phase(job, Phase.COMMIT)
    village.answer_all()
    with village.coordinator.database.write("ended beside") as connection:
        runs.change(connection, run.run_id, (Phase.COMMIT,), phase=Phase.FAILED, reason="ended")
    village.tick()
    village.tick()
    assert (village.run_of(job).phase, village.run_of(job).reason) == (Phase.FAILED, "ended")
