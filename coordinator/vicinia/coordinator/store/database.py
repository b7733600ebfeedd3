"""One SQLite database in WAL mode: reads beside one writer, every write a named transaction."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DatabaseError, SQLAlchemyError
from vicinia.coordinator.store.schema import VERSION
from vicinia.errors import AlreadyExists, NotFound, StorageFault

__all__ = ["Database"]

_log = logging.getLogger(__name__)
T = TypeVar("T")

# What was acknowledged outlives a power cut. Tests that kill no machine set it to OFF.
SYNCHRONOUS = "FULL"


class Database:
    """Opens transactions on one database file.

    SQLite has one writer: writes of this process queue on a lock here, those of another process (the command
    line beside `serve`) wait in SQLite itself. A committed write has reached the disk (`synchronous = FULL`).
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise NotFound("There is no cooperative here.", where=str(path), hint="Found one with `found`.")
        self._path = path
        self._engine = _engine(path)
        self._writer = threading.RLock()
        self._group = _GroupCommit(self)

    @classmethod
    def create(cls, path: Path) -> Database:
        """Make a new, empty database with the newest schema; refuses to touch one that exists."""
        if path.exists():
            raise AlreadyExists("A database is there already.", where=str(path))
        path.touch(mode=0o600)
        database = cls(path)
        database.upgrade()
        return database

    def upgrade(self) -> None:
        """Bring the schema up to this version of the program."""
        if self._version() == VERSION:
            return
        from alembic import command
        from alembic.config import Config

        with as_file(files(__package__) / "migrations") as scripts, self.write("upgrade schema") as connection:
            config = Config()
            config.set_main_option("script_location", str(scripts))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _version(self) -> str | None:
        with self.read() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view; nothing may be written through it."""
        with _storage_faults(self._path), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, name: str) -> Iterator[Connection]:
        """One transaction: all of it or nothing. `name` says in the log what it was for."""
        with _storage_faults(self._path), self._writer:
            with self._engine.connect().execution_options(vicinia_write=True) as connection, connection.begin():
                yield connection
            _log.debug("committed: %s", name)

    def grouped(self, name: str, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction that it may share with others that wait; returns once it is on disk.

        What `work` raises is raised here, and only its own changes are undone.
        """
        return self._group.run(name, work)

    def close(self) -> None:
        """Give back every connection."""
        self._engine.dispose()


class _Task(Generic[T]):
    """One piece of work that waits for a transaction."""

    def __init__(self, work: Callable[[Connection], T]) -> None:
        self.work = work
        self.done = False
        self.value: T | None = None
        self.error: BaseException | None = None

    def outcome(self) -> T:
        if self.error is not None:
            raise self.error
        return cast(T, self.value)


class _GroupCommit:
    """Whoever gets the turn commits for everybody who is waiting."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Task[Any]] = []
        self._queue = threading.Lock()
        self._turn = threading.Lock()

    def run(self, name: str, work: Callable[[Connection], T]) -> T:
        task = _Task(work)
        with self._queue:
            self._waiting.append(task)
        with self._turn:
            if not task.done:
                with self._queue:
                    batch, self._waiting = self._waiting, []
                self._commit(name, batch)
        return task.outcome()

    def _commit(self, name: str, batch: list[_Task[Any]]) -> None:
        try:
            with self._database.write(f"{name} ({len(batch)} together)") as connection:
                if len(batch) == 1:  # nobody else's work to protect: a failure undoes the transaction
                    batch[0].value = batch[0].work(connection)
                    return
                for task in batch:
                    _attempt(connection, task)
        except BaseException as error:  # whatever it was: nobody may take an uncommitted write for a committed one
            for task in batch:
                task.error = task.error or error
        finally:
            for task in batch:
                task.done = True


def _attempt(connection: Connection, task: _Task[Any]) -> None:
    """Run one task in a savepoint, so that its failure leaves the others' work alone."""
    try:
        with connection.begin_nested():
            task.value = task.work(connection)
    except SQLAlchemyError:
        raise
    except Exception as error:
        task.error = error


@contextmanager
def _storage_faults(path: Path) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        cause = error.orig if isinstance(error, DatabaseError) else error
        raise StorageFault(
            f"The database cannot be used: {cause}.",
            where=str(path),
            hint="Is the disk full, or another version at work?",
        ) from error


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", pool_size=32, max_overflow=32, connect_args={"timeout": 15.0})

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode = WAL", f"synchronous = {SYNCHRONOUS}", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("vicinia_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine
