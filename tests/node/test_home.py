"""The store at rest: encrypted, private, migrated, and aware of being restored."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest
from simulator_cooperative import Cooperative
from simulator_link import Server
from vicinia.errors import AlreadyExists, NotFound, PermissionDenied, StorageFault
from vicinia.node.homes import Selection
from vicinia.node.services import guard
from vicinia.node.services.keyring import identity
from vicinia.node.store.accounts import Accounts
from vicinia.node.store.database import Database
from vicinia.node.store.facts import Facts
from vicinia.node.store.hold import Hold
from vicinia.node.store.home import Home
from vicinia.node.store.schema import HOME
from vicinia.node.worker import Worker


def test_the_store_is_encrypted_and_private(tmp_path: Path) -> None:
    home = Home.create(tmp_path / "h")
    home.facts.put("secret", b"a very recognisable secret")
    home.close()
    for path in (tmp_path / "h").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        assert b"recognisable" not in path.read_bytes()
        assert not path.read_bytes().startswith(b"SQLite format 3")
    assert stat.S_IMODE((tmp_path / "h").stat().st_mode) == 0o700


def test_a_home_is_not_made_twice_nor_opened_where_there_is_none(tmp_path: Path) -> None:
    Home.create(tmp_path / "h").close()
    with pytest.raises(AlreadyExists):
        Home.create(tmp_path / "h")
    with pytest.raises(NotFound):
        Home.open(tmp_path / "other")


def test_a_wrong_key_a_damaged_file_and_a_newer_schema_are_faults_in_words(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    Database(path, HOME, bytes(32)).close()
    with pytest.raises(StorageFault, match="key file"):
        Database(path, HOME, bytes([1]) * 32)
    database = Database(path, HOME, bytes(32))
    database.run(f"PRAGMA user_version = {len(HOME) + 1}")
    database.close()
    with pytest.raises(StorageFault, match="schema"):
        Database(path, HOME, bytes(32))
    path.write_bytes(b"rubbish" * 1000)
    with pytest.raises(StorageFault):
        Database(path, HOME, bytes(32))


def test_one_process_at_a_time_serves_a_home_in_a_role(home: Home) -> None:
    hold = Hold(home.directory, "daemon")
    with pytest.raises(AlreadyExists, match="another daemon serves"):
        Hold(home.directory, "daemon")
    Hold(home.directory, "worker").close()
    hold.close()
    Hold(home.directory, "daemon").close()
    assert stat.S_IMODE((home.directory / "daemon.lock").stat().st_mode) == 0o600


def test_a_second_worker_leaves_the_home_to_the_first(tmp_path: Path) -> None:
    Home.create(tmp_path / "h").close()
    hold = Hold(tmp_path / "h", "worker")
    second = Worker(Selection(tmp_path / "h", False))
    with pytest.raises(AlreadyExists):
        second._home("h")
    hold.close()
    assert second._home("h") is second._home("h")
    second.close()
    Hold(tmp_path / "h", "worker").close()


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    Home.create(tmp_path / "h").close()
    (tmp_path / "h" / "store.key").chmod(0o644)
    with pytest.raises(StorageFault):
        Home.open(tmp_path / "h")


def test_a_transaction_that_fails_changes_nothing(home: Home) -> None:
    def fail() -> None:
        with home.critical("test"):
            home.facts.put("a", b"1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert home.facts.get("a") is None
    assert home.facts.number("generation") == 0


def copy_back(home: Home, copy: Path) -> Home:
    """What a restore of the store's file alone does."""
    home.close()
    for path in copy.iterdir():
        shutil.copy(path, home.directory / path.name)
    return Home.open(home.directory)


def test_a_restored_store_locks_itself_until_its_key_is_rotated(tmp_path: Path) -> None:
    server = Server(Cooperative.found(households=12))
    home = server.homes(tmp_path, 2)[1]
    replica, link = server.replica(tmp_path), server.link(1)
    replica.sync(link)
    guard.OwnSignatures(home, replica, server.clock).check()
    with home.critical("before"):
        home.facts.put("a", b"1")
    home.database.run("PRAGMA wal_checkpoint(TRUNCATE)")
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(home.directory / "home.db", copy)
    with home.critical("after"):
        home.facts.put("a", b"2")
    home.database.run("PRAGMA wal_checkpoint(TRUNCATE)")
    restored = copy_back(home, copy)
    assert "restored" in restored.locked
    with pytest.raises(PermissionDenied, match="unlock --rotate"):
        restored.require_unlocked()

    from vicinia.node.store.datasets import DataSets

    DataSets(restored.database).put("budget", b"{}", 1)
    job = server.accept_job()
    server.coop.roster(job)
    server.confirm()
    old = identity(restored.facts).public
    assert "witnesses" in guard.rotate(restored, replica, link, server.clock)
    assert restored.locked
    server.confirm()
    assert guard.rotate(restored, replica, link, server.clock) == ""
    assert not restored.locked
    member = server.coop.assembly.members.by_id(old.id)
    assert member is not None
    assert member.key == identity(restored.facts).public != old
    (charge,) = Accounts(restored.database).charges()
    assert charge.rho_nano == job.rho_nano  # a run that it may have forgotten
    restored.close()
    assert not Home.open(restored.directory).locked


def test_a_commit_while_a_home_is_opened_is_no_restored_store(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def commit() -> None:
        with home.critical("by another process"):
            home.facts.put("a", b"1")

    number, read_marker = Facts.number, Home._read_marker

    def slow_number(facts: Facts, name: str) -> int:
        found = number(facts, name)
        if facts is not home.facts:
            commit()
        return found

    def slow_marker(opened: Home) -> int | None:
        found = read_marker(opened)
        commit()
        return found

    commit()
    monkeypatch.setattr(Facts, "number", slow_number)
    monkeypatch.setattr(Home, "_read_marker", slow_marker)
    again = Home.open(home.directory)
    assert not again.locked
    again.close()


def test_a_store_without_its_marker_is_locked_too(home: Home) -> None:
    with home.critical("test"):
        home.facts.put("a", b"1")
    home.close()
    (home.directory / "marker").unlink()
    assert Home.open(home.directory).locked


def test_the_marker_never_goes_back_and_is_no_longer_than_it_was(home: Home) -> None:
    for name in ("first", "second"):
        with home.critical(name):
            home.facts.put(name, 1)
    marker = home.directory / "marker"
    assert int(marker.read_text()) == 2
    home._write_marker(1)
    assert int(marker.read_text()) == 2
    marker.write_text("7")  # as an earlier version wrote it
    home._write_marker(8)
    assert int(marker.read_text()) == 8
    assert marker.stat().st_mode & 0o77 == 0
