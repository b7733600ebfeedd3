"""An append that fails leaves memory as the disk is, or the log halts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from simulator_village import COOP, Home, Village
from sqlalchemy import Connection
from vicinia.assembly import build_resign
from vicinia.coordinator.store.database import Database
from vicinia.errors import StorageFault


def resign(village: Village, home: Home) -> None:
    village.coordinator.statements.submit(build_resign(COOP, home.principal.id).sign(home.key).leaf())


@contextmanager
def broken_disk(patch: pytest.MonkeyPatch, *, readable: bool) -> Iterator[None]:
    """No leaf can be written; `readable`: what is there can be read nevertheless."""
    write, read, failed = Database.write, Database.read, False

    @contextmanager
    def no_append(self: Database, name: str) -> Iterator[Connection]:
        nonlocal failed
        if name.startswith("append"):
            failed = True
            raise StorageFault("No space is left.")
        with write(self, name) as connection:
            yield connection

    @contextmanager
    def no_read(self: Database) -> Iterator[Connection]:
        if failed and not readable:
            raise StorageFault("Too many files are open.")
        with read(self) as connection:
            yield connection

    with patch.context() as within:
        within.setattr(Database, "write", no_append)
        within.setattr(Database, "read", no_read)
        yield


def test_a_leaf_that_was_not_written_is_not_in_memory(village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = village.coordinator.ledger
    with broken_disk(monkeypatch, readable=True), pytest.raises(StorageFault, match="space"):
        resign(village, village.village[5])
    assert (ledger.assembly.root(), ledger.assembly.size, ledger.halted) == (ledger.tree.root(), 11, "")
    resign(village, village.village[5])
    assert ledger.size == 12


def test_memory_that_cannot_be_brought_back_halts_the_log(village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    with broken_disk(monkeypatch, readable=False), pytest.raises(StorageFault, match="space"):
        resign(village, village.village[5])
    assert "memory is not what is on disk" in village.coordinator.ledger.halted
    with pytest.raises(StorageFault, match="memory is not what is on disk"):
        resign(village, village.village[6])
    village.tick()
    village.restart()
    for number in (5, 6):
        resign(village, village.village[number])
    assert village.coordinator.ledger.assembly.root() == village.coordinator.ledger.tree.root()
