"""The database: named transactions, group commit, migrations."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from vicinia.coordinator.store import messages, tray
from vicinia.coordinator.store import schema as tables
from vicinia.coordinator.store.database import Database
from vicinia.errors import AlreadyExists, NotFound, StorageFault
from vicinia.wire.published import Phase


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database.create(tmp_path / "coordinator.db")


def put(connection: Connection, number: int) -> int:
    tray.put(connection, bytes([number]), "member", b"leaf", 1)
    return number


def waiting(database: Database) -> list[int]:
    with database.read() as connection:
        return sorted(one.digest[0] for one in tray.every(connection, ("member",)))


def test_migrations_lead_to_the_tables_of_the_program(database: Database) -> None:
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []


def test_the_newest_migration_is_the_one_that_the_program_expects() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(tables.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [tables.VERSION]


def test_a_database_is_never_made_by_accident(tmp_path: Path, database: Database) -> None:
    with pytest.raises(NotFound):
        Database(tmp_path / "another.db")
    with pytest.raises(AlreadyExists):
        Database.create(tmp_path / "coordinator.db")
    assert stat.S_IMODE((tmp_path / "coordinator.db").stat().st_mode) == 0o600


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(StorageFault, match="cannot be used"), database.write("twice") as connection:
        messages.add(connection, b"no such run", Phase.SHARE, 1, b"")
    with pytest.raises(ZeroDivisionError), database.write("half") as connection:
        put(connection, 2 // (put(connection, 2) - 2))
    assert waiting(database) == []


def test_grouped_work_commits_together_and_fails_alone(database: Database) -> None:
    results: list[int] = []
    failures: list[Exception] = []

    def work(number: int) -> None:
        def one(connection: Connection) -> int:
            put(connection, number)
            if number % 5 == 0:
                raise StorageFault("this one fails")
            return number

        try:
            results.append(database.grouped("put", one))
        except StorageFault as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(40)]
    with database.write("let them queue"):
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    expected = [number for number in range(40) if number % 5]
    assert (sorted(results), waiting(database), len(failures)) == (expected, expected, 8)


def test_a_commit_that_fails_is_acknowledged_to_nobody(database: Database) -> None:
    def broken(_connection: Connection) -> None:
        messages.add(_connection, b"no such run", Phase.SHARE, 1, b"")

    with pytest.raises(StorageFault):
        database.grouped("broken", broken)
    assert database.grouped("next", lambda connection: put(connection, 7)) == 7
    assert waiting(database) == [7]
