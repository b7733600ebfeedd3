"""A SQLite or SQLCipher database: opened, migrated, and written in named transactions."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlcipher3 import dbapi2
from vicinia.errors import StorageFault

__all__ = ["Database", "Row"]

Row = tuple[Any, ...]
_BUSY_MS = 20_000
_PAGES_KIB = 256  # many homes live in one process: a small cache each


class Database:
    """One open database; safe to share between threads, one of which writes at a time.

    With a key of 32 bytes the file is SQLCipher, without one plain SQLite. A wrong key, a damaged file, a newer
    schema or a full disk is a StorageFault that names the file.
    """

    def __init__(self, path: Path, migrations: Sequence[str], key: bytes | None = None) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._depth = 0
        with self._faults():
            # Autocommit: transactions are begun and ended here by name, never implicitly by the driver.
            self._connection = dbapi2.connect(
                str(path), check_same_thread=False, isolation_level=None, timeout=_BUSY_MS / 1000
            )
            if key is not None:
                self._connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
                self._connection.execute("PRAGMA cipher_log_level = NONE")
            self._connection.execute(f"PRAGMA cache_size = -{_PAGES_KIB}")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
        path.chmod(0o600)
        self._migrate(migrations)

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def connection(self) -> Any:
        """The DB-API connection, for readers that bring their own statements (the local query)."""
        return self._connection

    @property
    def lock(self) -> threading.RLock:
        """Held by whoever uses `connection` directly."""
        return self._lock

    @contextmanager
    def transaction(self, name: str) -> Iterator[None]:
        """All or nothing, durable on leaving; `name` says in an error what was not done. Nests into the outer one."""
        with self._bracket("BEGIN IMMEDIATE", name):
            yield

    @contextmanager
    def snapshot(self, name: str) -> Iterator[None]:
        """Everything read within is of one moment, whatever another process writes meanwhile, whom it does not keep
        from writing. Nothing may be written within. Nests into the outer one."""
        with self._bracket("BEGIN", name):
            yield

    @contextmanager
    def _bracket(self, begin: str, name: str) -> Iterator[None]:
        with self._lock, self._faults(name):
            if self._depth:
                yield
                return
            self._connection.execute(begin)
            self._depth = 1
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._depth = 0

    def run(self, statement: str, values: Sequence[object] = ()) -> int:
        """Execute one statement; the number of rows it changed."""
        with self._lock, self._faults():
            return int(self._connection.execute(statement, values).rowcount)

    def run_many(self, statement: str, rows: Sequence[Sequence[object]]) -> int:
        """Execute one statement for every row; the number of rows changed in all."""
        with self._lock, self._faults():
            return int(self._connection.executemany(statement, rows).rowcount)

    def all(self, query: str, values: Sequence[object] = ()) -> list[Row]:
        """Every row of a query."""
        with self._lock, self._faults():
            return list(self._connection.execute(query, values).fetchall())

    def one(self, query: str, values: Sequence[object] = ()) -> Row | None:
        """The first row of a query, or None."""
        with self._lock, self._faults():
            row = self._connection.execute(query, values).fetchone()
            return None if row is None else tuple(row)

    def version(self) -> tuple[int, int] | None:
        """Other than before where anything was written since, by anybody; None within a transaction.

        What was read under a version is still so while the version is the same.
        """
        with self._lock, self._faults():
            if self._depth:
                return None
            (others,) = self._connection.execute("PRAGMA data_version").fetchone()
            return int(others), int(self._connection.total_changes)

    def damage(self, *, thorough: bool) -> str:
        """What is wrong with the file, or the empty string: its structure, and with `thorough` every page's HMAC."""
        found = [str(row[0]) for row in self.all("PRAGMA cipher_integrity_check")] if thorough else []
        found = found or [str(row[0]) for row in self.all("PRAGMA quick_check(1)") if str(row[0]) != "ok"]
        return found[0] if found else ""

    def close(self) -> None:
        """Close; the database must not be used afterwards."""
        with self._lock:
            self._connection.close()

    def _migrate(self, migrations: Sequence[str]) -> None:
        if self._version() == len(migrations):  # a look without a lock, for every opening but the first
            return
        with self.transaction("migrate the store"):
            version = self._version()
            if version > len(migrations):
                raise StorageFault(
                    f"The store has schema {version}, this program knows {len(migrations)}.",
                    where=str(self._path),
                    hint="Use the newer version of the program that wrote it.",
                )
            for number, script in enumerate(migrations[version:], start=version + 1):
                for statement in script.split(";"):
                    if statement.strip():
                        self.run(statement)
                self.run(f"PRAGMA user_version = {number}")

    def _version(self) -> int:
        row = self.one("PRAGMA user_version")
        return int(row[0]) if row else 0

    @contextmanager
    def _faults(self, name: str = "") -> Iterator[None]:
        try:
            yield
        except dbapi2.Error as error:
            doing = f" while trying to {name}" if name else ""
            raise StorageFault(
                f"The store failed{doing} ({error}).",
                where=str(self._path),
                hint="Check the disk's space and rights, and that the key file belongs to this store.",
            ) from error
