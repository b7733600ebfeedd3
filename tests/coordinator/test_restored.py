"""A coordinator that was restored from a backup signs no second history; nobody else can make it stop."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from simulator_village import COOP, Home, Village
from vicinia.assembly import Job, build_member, build_resign
from vicinia.coordinator.services import checkpoints as checkpoints_module
from vicinia.coordinator.services import last_shown
from vicinia.coordinator.services.cooperative import Cooperative
from vicinia.coordinator.services.copy_of_log import CopyOfLog
from vicinia.coordinator.services.overview import overview
from vicinia.coordinator.store import checkpoints, leaves, people
from vicinia.coordinator.store.jobs import Stage
from vicinia.errors import (
    AlreadyExists,
    InvalidInput,
    NotFound,
    ProofInvalid,
    StorageFault,
    TooLarge,
    Unauthenticated,
)
from vicinia.identity import SigningKey, TlsKey
from vicinia.node.store.schema import REPLICA
from vicinia.tlog.checkpoint import Checkpoint, log_origin, sign_checkpoint
from vicinia.wire.published import Phase


def resign(village: Village, home: Home) -> None:
    village.coordinator.statements.submit(build_resign(COOP, home.principal.id).sign(home.key).leaf())


@pytest.fixture
def backup(village: Village, tmp_path: Path) -> Village:
    """A backup of the village from before the last leaf was logged, signed and published."""
    older = village.clone(tmp_path / "backup")
    resign(village, village.village[5])
    village.tick()
    return older


def newest_note(village: Village) -> bytes:
    newest = village.coordinator.checkpoints._newest
    assert newest is not None
    return newest.body


def bring_along(village: Village, backup: Village) -> None:
    """Only the database is from the backup: the files beside it are the newer ones."""
    shutil.copy(village.folder.last_signed, backup.folder.last_signed)
    if village.folder.last_shown.exists():
        shutil.copy(village.folder.last_shown, backup.folder.last_shown)


def test_an_older_database_is_not_served(village: Village, backup: Village) -> None:
    bring_along(village, backup)
    with pytest.raises(StorageFault, match="11 leaves, and one of 12 is signed already") as refused:
        backup.restart()
    assert "recover --from" in refused.value.hint
    looked_at = Cooperative.open(backup.folder, lambda: backup.now_ms, forked=True)
    assert "second history" in overview(looked_at, backup.now_ms)["log_state"]
    assert overview(village.coordinator, village.now_ms)["log_state"] == "good"


def test_another_history_of_the_same_size_is_not_served(village: Village, backup: Village) -> None:
    resign(backup, backup.village[6])
    bring_along(village, backup)
    with pytest.raises(StorageFault, match="are not those that the log has signed"):
        backup.restart()


def test_what_was_put_back_while_it_was_open_is_not_signed(village: Village, backup: Village) -> None:
    bring_along(village, backup)
    resign(backup, backup.village[6])
    with pytest.raises(StorageFault, match="not those"):
        backup.coordinator.checkpoints.tick()
    with backup.coordinator.database.read() as connection:
        assert checkpoints.of_size(connection, 12) is None


def test_without_the_file_nothing_is_served(village: Village) -> None:
    village.folder.last_signed.unlink()
    with pytest.raises(StorageFault, match="missing"):
        village.restart()
    village.folder.last_signed.write_text("nonsense")
    village.folder.last_signed.chmod(0o600)
    with pytest.raises(StorageFault, match="does not say"):
        village.restart()


def test_what_is_about_to_be_signed_is_on_disk_before_it_is_signed(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    resign(village, village.village[5])

    def crash(checkpoint: Checkpoint, key: SigningKey) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints_module, "sign_checkpoint", crash)
        with pytest.raises(KeyboardInterrupt):
            village.coordinator.checkpoints.tick()
    assert village.folder.last_signed.read_text().split("\n")[1] == "12"
    assert stat.S_IMODE(village.folder.last_signed.stat().st_mode) == 0o600
    village.restart()
    village.tick()
    assert newest_note(village).split(b"\n")[1] == b"12"


def test_nothing_is_written_while_nothing_is_new(village: Village) -> None:
    village.tick()
    before = village.folder.last_signed.stat().st_mtime_ns
    for _ in range(5):
        village.tick()
    assert village.folder.last_signed.stat().st_mtime_ns == before


def test_a_bare_number_in_a_poll_stops_nothing(village: Village, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for number in (10**6, 10**6, 2**64 - 1):
            village.poll(village.village[4], log_size=number)
    assert len([line for line in caplog.messages if "backup" in line]) == 2
    village.coordinator.bulletin.flush()
    assert overview(village.coordinator, village.now_ms)["homes_with_longer_logs"] == 1
    resign(village, village.village[5])
    village.tick()
    village.restart()
    assert village.coordinator.ledger.size == 12


def test_the_logs_own_newer_note_halts_a_restored_log(village: Village, backup: Village) -> None:
    witness = backup.village[0].principal.id
    backup.coordinator.checkpoints.cosign(witness, 12, newest_note(village))
    with pytest.raises(StorageFault, match="second history"):
        resign(backup, backup.village[6])
    signed = backup.coordinator.checkpoints._newest
    backup.tick()
    assert backup.coordinator.checkpoints._newest == signed
    with pytest.raises(StorageFault, match="second history"):
        backup.restart()


def test_a_note_over_other_leaves_halts_a_log_that_went_on(village: Village, backup: Village) -> None:
    resign(backup, backup.village[6])
    backup.coordinator.checkpoints.cosign(backup.village[0].principal.id, 12, newest_note(village))
    with pytest.raises(StorageFault, match="not those"):
        resign(backup, backup.village[7])
    with pytest.raises(StorageFault, match="not those"):
        backup.restart()


def test_nobody_halts_the_log_without_its_own_signature(village: Village) -> None:
    kept, anybody = village.coordinator.checkpoints, village.village[4].principal.id
    village.tick()
    longer = Checkpoint(log_origin(COOP), 99, bytes(32))
    with pytest.raises(ProofInvalid):
        kept.cosign(anybody, 99, sign_checkpoint(longer, village.village[4].key))
    with pytest.raises(ProofInvalid):
        kept.cosign(anybody, 99, sign_checkpoint(longer, SigningKey.generate()))
    with pytest.raises(TooLarge):
        kept.cosign(anybody, 99, newest_note(village) + b"x" * 1_000)
    known = newest_note(village)
    kept.cosign(anybody, 11, known)
    resign(village, village.village[5])
    village.tick()
    kept.cosign(anybody, 11, known)
    assert village.folder.last_signed.read_text().split("\n")[1] == "12"  # an older note takes nothing back
    village.restart()
    with pytest.raises(NotFound):
        village.coordinator.checkpoints.cosign(village.village[0].principal.id, 99, b"no note")


# ---- the leaves that are missing, from a home's copy of the log


def copy_of(village: Village, path: Path, size: int = 0, known: tuple[Job, ...] = ()) -> Path:
    """A home's replica.db under the accepted checkpoint, or under another one of the log's."""
    ledger, accepted = village.coordinator.ledger, village.coordinator.checkpoints.accepted
    assert accepted is not None
    size = size or accepted.size
    note = sign_checkpoint(Checkpoint(log_origin(COOP), size, ledger.tree.root(size)), ledger.key)
    with closing(sqlite3.connect(path)) as database:
        for statements in REPLICA:
            database.executescript(statements)
        database.execute("INSERT INTO checkpoint VALUES(1, ?, ?)", (size, note))
        database.executemany("INSERT INTO leaf VALUES(?, ?)", enumerate(ledger.entries(0, size)))
        database.executemany("INSERT INTO job VALUES(?, ?)", [(job.hash, job.canonical()) for job in known])
        database.commit()
    return path


def opened(village: Village) -> Cooperative:
    return Cooperative.open(village.folder, lambda: village.now_ms, forked=True)


def enrol(village: Village, token: bytes) -> None:
    """A new household, with an invitation."""
    key = SigningKey.generate()
    leaf = build_member(COOP, key.public).sign(key).leaf()
    village.coordinator.enrolment.enrol(token, leaf, TlsKey.generate().signing_request())


def test_a_backup_goes_on_with_the_leaves_of_a_homes_copy(village: Village, tmp_path: Path) -> None:
    older = village.clone(tmp_path / "backup")
    key = SigningKey.generate()
    leaf = build_member(COOP, key.public).sign(key).leaf()
    village.coordinator.enrolment.enrol(village.invitation().token, leaf, TlsKey.generate().signing_request())
    for registrar in village.village[:3]:
        village.approve(registrar)
    job = village.accepted_job()
    village.tick()
    bring_along(village, older)
    older.now_ms = village.now_ms
    done = opened(older).recovery.take_from(CopyOfLog.read(copy_of(village, tmp_path / "replica.db", known=(job,))))
    assert (done.size, done.missing) == (village.coordinator.ledger.size, 0)
    older.restart()
    assert older.coordinator.ledger.tree.root() == village.coordinator.ledger.tree.root()
    with older.coordinator.database.read() as connection:
        assert people.find(connection, key.public.id) is not None
    older.until(job, Stage.RELEASED)


def test_a_run_of_a_backup_is_not_continued(accepted: tuple[Village, Job], tmp_path: Path) -> None:
    village, job = accepted
    village.until_phase(job, Phase.INPUT)
    older = village.clone(tmp_path / "backup")
    village.until(job, Stage.RELEASED)
    village.tick()
    bring_along(village, older)
    opened(older).recovery.take_from(CopyOfLog.read(copy_of(village, tmp_path / "replica.db", known=(job,))))
    older.restart()
    assert older.run_of(job).phase is Phase.FAILED
    older.tick()
    assert (older.row(job).stage, "backup" in older.row(job).reason) == (Stage.FAILED, True)


def test_an_invitation_that_was_used_since_the_backup_admits_nobody_else(village: Village, tmp_path: Path) -> None:
    token = village.invitation().token
    unused = village.invitation().token
    older = village.clone(tmp_path / "backup")
    enrol(village, token)
    for registrar in village.village[:2]:
        village.approve(registrar)
    village.tick()
    bring_along(village, older)
    done = opened(older).recovery.take_from(CopyOfLog.read(copy_of(village, tmp_path / "replica.db")))
    assert done.voided == 2
    older.restart()
    for one in (token, unused):
        with pytest.raises(Unauthenticated, match="expired"):
            enrol(older, one)
    enrol(older, older.invitation().token)


def test_invitations_end_where_the_file_is_made_anew(village: Village) -> None:
    token = village.invitation().token
    village.tick()
    village.folder.last_signed.unlink()
    assert opened(village).recovery.take_as_newest().voided == 1
    village.restart()
    with pytest.raises(Unauthenticated, match="expired"):
        enrol(village, token)


@pytest.mark.parametrize("attempt", [0, 2])
def test_a_lost_attempt_at_a_run_counts(accepted: tuple[Village, Job], tmp_path: Path, attempt: int) -> None:
    village, job = accepted
    village.silent = set(range(1, 8))
    for _ in range(400):
        village.tick()
        if village.row(job).stage is Stage.RECRUITING and village.run_of(job).attempt == attempt:
            break
        village.wait(5)
    older = village.clone(tmp_path / "backup")
    resign(village, village.village[5])
    village.tick()
    bring_along(village, older)
    opened(older).recovery.take_from(CopyOfLog.read(copy_of(village, tmp_path / "replica.db")))
    assert older.row(job).stage is (Stage.FAILED if attempt == 2 else Stage.ACCEPTED)
    older.restart()
    for _ in range(100):
        older.tick()
        older.wait(5)
    assert older.run_of(job).attempt == min(attempt + 1, 2)


def test_a_copy_that_is_too_short_says_how_many_are_missing(village: Village, backup: Village, tmp_path: Path) -> None:
    resign(village, village.village[6])
    village.tick()
    bring_along(village, backup)
    done = opened(backup).recovery.take_from(CopyOfLog.read(copy_of(village, tmp_path / "short.db", size=12)))
    assert (done.added, done.size, done.missing) == (1, 12, 1)
    with pytest.raises(StorageFault, match="12 leaves, and one of 13"):
        backup.restart()
    opened(backup).recovery.take_from(CopyOfLog.read(copy_of(village, tmp_path / "whole.db")))
    backup.restart()


@pytest.mark.parametrize("change", ["a leaf", "a valid leaf", "a note", "the history", "nothing new"])
def test_a_copy_that_is_refused_changes_nothing(village: Village, backup: Village, tmp_path: Path, change: str) -> None:
    bring_along(village, backup)
    good = CopyOfLog.read(copy_of(village, tmp_path / "replica.db"))
    if change == "a leaf":
        copy = replace(good, leaves=(*good.leaves[:-1], good.leaves[-1].replace(b"resign", b"resing")))
    elif change == "a valid leaf":
        backup.folder.last_signed.unlink()  # so that only the note stands against it
        other = village.village[7]
        leaf = build_resign(COOP, other.principal.id).sign(other.key).leaf()
        copy = replace(good, leaves=(*good.leaves[:-1], leaf))
    elif change == "a note":
        forged = Checkpoint(log_origin(COOP), 12, village.coordinator.ledger.tree.root())
        copy = replace(good, note=sign_checkpoint(forged, SigningKey.generate()))
    elif change == "the history":
        twin = village.clone(tmp_path / "other")
        resign(twin, twin.village[7])
        resign(backup, backup.village[6])
        twin.tick()
        copy = CopyOfLog.read(copy_of(twin, tmp_path / "other.db"))
    else:
        copy = replace(CopyOfLog.read(copy_of(village, tmp_path / "old.db", size=11)))
    before = backup.coordinator.ledger.size
    with pytest.raises((ProofInvalid, NotFound)):
        opened(backup).recovery.take_from(copy)
    with backup.coordinator.database.read() as connection:
        assert leaves.count(connection) == before


def test_where_nothing_was_restored_the_file_is_made_anew(village: Village) -> None:
    village.tick()
    with pytest.raises(AlreadyExists):
        opened(village).recovery.take_as_newest()
    village.folder.last_signed.unlink()
    opened(village).recovery.take_as_newest()
    assert village.folder.last_signed.read_text().split("\n")[1] == "11"
    village.restart()


@pytest.mark.parametrize("content", [None, b"", b"SQLite format 3\x00 no"])
def test_a_file_that_is_no_copy_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "replica.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises((NotFound, InvalidInput)):
        CopyOfLog.read(path)


# ---- a log that is complete, and runs that are behind


@pytest.mark.parametrize("phase", [Phase.SHARE, Phase.INPUT, Phase.COMMIT])
def test_a_run_of_a_backup_ends_though_no_leaf_is_missing(
    accepted: tuple[Village, Job], tmp_path: Path, caplog: pytest.LogCaptureFixture, phase: Phase
) -> None:
    village, job = accepted
    run_id = village.until_phase(job, phase).run_id
    older = village.clone(tmp_path / "backup")
    village.until_phase(job, Phase(phase + 1))
    bring_along(village, older)
    assert "older than what homes have seen" in overview(opened(older), older.now_ms)["runs_state"]
    with caplog.at_level(logging.WARNING):
        older.restart()
    assert "older than what homes have seen of its runs, 1 of which end" in caplog.text
    assert (older.run_of(job).run_id, older.run_of(job).phase) == (run_id, Phase.FAILED)
    assert (older.row(job).stage, "backup" in older.row(job).reason) == (Stage.FAILED, True)
    assert overview(opened(older), older.now_ms)["runs_state"] == "good"
    bring_along(older, village)  # the newer database is put back after all: homes were told that the run has failed
    village.restart()
    assert village.run_of(job).phase is Phase.FAILED


def test_without_the_file_of_what_was_shown_runs_end(accepted: tuple[Village, Job]) -> None:
    village, job = accepted
    village.until_phase(job, Phase.INPUT)
    village.folder.last_shown.unlink()
    village.restart()
    assert village.run_of(job).phase is Phase.FAILED


def test_runs_go_on_where_nothing_was_restored(accepted: tuple[Village, Job]) -> None:
    village, job = accepted
    village.until_phase(job, Phase.INPUT)
    for path in (village.folder.last_shown, village.folder.last_signed):
        path.unlink()
    opened(village).recovery.take_as_newest()
    village.restart()
    village.until(job, Stage.RELEASED)


def test_nobody_is_shown_a_transition_that_is_not_written_beside_the_database(
    accepted: tuple[Village, Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    village, job = accepted
    run = village.until_phase(job, Phase.INPUT)
    village.answer_all()
    caller = village.village[3].principal

    def full(*_: object, **__: object) -> None:
        raise StorageFault("No space is left.")

    with monkeypatch.context() as patch:
        patch.setattr(last_shown, "write_secret", full)
        village.coordinator.conductor.tick()
        assert village.run_of(job).phase is Phase.COMMIT
        with pytest.raises(StorageFault):
            village.coordinator.publication.next(caller, run.run_id, Phase.INPUT, 1)
    village.until(job, Stage.RELEASED)
