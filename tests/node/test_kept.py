"""What is kept of a query is what is on disk, whoever wrote it, and nothing that was undone."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from vicinia.node.store.database import Database
from vicinia.node.store.kept import Kept

SCHEMA = ("CREATE TABLE fruit(name TEXT NOT NULL);",)


class Shelf:
    def __init__(self, path: Path) -> None:
        self.database, self.reads = Database(path, SCHEMA), 0
        self.fruit = Kept(self.database, self._read)

    def _read(self) -> list[str]:
        self.reads += 1
        return [str(row[0]) for row in self.database.all("SELECT name FROM fruit ORDER BY name")]

    def put(self, name: str) -> None:
        self.database.run("INSERT INTO fruit(name) VALUES(?)", (name,))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "shelf.db")


def test_it_is_read_once_until_something_is_written(shelf: Shelf) -> None:
    assert [shelf.fruit() for _ in range(3)] == [[], [], []]
    assert shelf.reads == 1
    shelf.put("apple")
    assert [shelf.fruit() for _ in range(3)] == [["apple"]] * 3
    assert shelf.reads == 2


def test_what_another_process_writes_is_seen(shelf: Shelf, tmp_path: Path) -> None:
    assert shelf.fruit() == []
    other = Shelf(tmp_path / "shelf.db")
    other.put("pear")
    assert shelf.fruit() == other.fruit() == ["pear"]


def test_what_a_transaction_undoes_is_not_kept(shelf: Shelf) -> None:
    shelf.put("apple")
    assert shelf.fruit() == ["apple"]
    with suppress(RuntimeError), shelf.database.transaction("try"):
        shelf.put("quince")
        assert shelf.fruit() == ["apple", "quince"]
        raise RuntimeError
    assert shelf.fruit() == ["apple"]
    shelf.put("cherry")
    assert shelf.fruit() == ["apple", "cherry"]
