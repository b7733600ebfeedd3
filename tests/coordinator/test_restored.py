"""A coordinator that was restored from a backup signs no second history; nobody else can make it stop."""

from __future__ import annotations

import logging
import shutil
import stat
from pathlib import Path

import pytest
from simulator_village import COOP, Home, Village
from vicinia.assembly import build_resign
from vicinia.coordinator.services import checkpoints as checkpoints_module
from vicinia.coordinator.services.cooperative import Cooperative
from vicinia.coordinator.services.overview import overview
from vicinia.coordinator.store import checkpoints
from vicinia.errors import NotFound, ProofInvalid, StorageFault, TooLarge
from vicinia.identity import SigningKey
from vicinia.tlog.checkpoint import Checkpoint, log_origin, sign_checkpoint


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
    """Only the database is from the backup: the file beside it is the newer one."""
    shutil.copy(village.folder.last_signed, backup.folder.last_signed)


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
    kept.cosign(anybody, 11, newest_note(village))  # its own, which it knows
    resign(village, village.village[5])
    village.tick()
    village.restart()
    with pytest.raises(NotFound):
        village.coordinator.checkpoints.cosign(village.village[0].principal.id, 99, b"no note")
