"""One household's directory: the encrypted store, the key file, and the marker that shows an older store."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vicinia.errors import AlreadyExists, NotFound, PermissionDenied, StorageFault
from vicinia.identity.keyfile import read_secret, write_secret
from vicinia.node.store.database import Database
from vicinia.node.store.facts import Facts
from vicinia.node.store.schema import HOME

__all__ = ["Home", "is_home"]

_STORE, _KEY, _MARKER = "home.db", "store.key", "marker"
_MARKER_BYTES = 20
_RESTORED = "the store is older than the marker beside it: it was restored from a copy."


def is_home(directory: Path) -> bool:
    """Whether a home was made in this directory."""
    return (directory / _STORE).exists() and (directory / _KEY).exists()


class Home:
    """An open home. Everything in it is encrypted under the key file (0600), which never leaves the directory.

    The store counts its critical commits; the marker outside holds the count last seen. A store with a smaller count
    than its marker was restored, and the home locks itself.
    """

    def __init__(self, directory: Path, key: bytes) -> None:
        self.directory = directory
        self.name = directory.name
        self._key = key
        self.database = Database(directory / _STORE, HOME, key)
        self.facts = Facts(self.database)

    @classmethod
    def create(cls, directory: Path) -> Home:
        """Make a new home; one that is there already is an AlreadyExists."""
        if (directory / _STORE).exists() or (directory / _KEY).exists():
            raise AlreadyExists(
                "A home is here already.",
                where=str(directory),
                hint="Its public key: vicinia-node status. For another home choose another --dir.",
            )
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        directory.chmod(0o700)
        key = secrets.token_bytes(32)
        write_secret(directory / _KEY, key.hex().encode())
        home = cls(directory, key)
        home._write_marker(0)
        return home

    @classmethod
    def open(cls, directory: Path) -> Home:
        """Open an existing home; a restored store is locked on the way."""
        if not is_home(directory):
            raise NotFound("There is no home here.", where=str(directory), hint="Run: vicinia-node init")
        home = cls(directory, _read_key(directory / _KEY))
        # The marker first: it is written after the commit that it counts, so it is never above a count read later.
        marker = home._read_marker()
        generation = home.facts.number("generation")
        if (marker is None and generation) or (marker is not None and marker > generation):
            home.lock(_RESTORED)
        return home

    @contextmanager
    def critical(self, name: str) -> Iterator[None]:
        """A transaction after which an older copy of the store can no longer pass for the current one."""
        with self.database.transaction(name):
            yield
            generation = self.facts.number("generation") + 1
            self.facts.put("generation", generation)
        self._write_marker(generation)

    def reader(self) -> Database:
        """A second connection that writes nothing, for statements that are limited in what they may read."""
        database = Database(self.directory / _STORE, HOME, self._key)
        database.run("PRAGMA query_only = ON")
        return database

    @property
    def locked(self) -> str:
        """Why this home takes part in nothing, or the empty string."""
        return self.facts.text("locked") or ""

    def lock(self, reason: str) -> None:
        """Take part in nothing from now on; the first reason stays."""
        if not self.locked:
            self.facts.put("locked", reason)

    def unlock(self) -> None:
        """Take part again; the marker is set to this store's count."""
        with self.critical("unlock the home"):
            self.facts.drop("locked")
        self._write_marker(self.facts.number("generation"), exactly=True)

    def require_unlocked(self) -> None:
        """Raise PermissionDenied where the home is locked."""
        if self.locked:
            raise PermissionDenied(
                f"This home is locked: {self.locked}", where=self.name, hint="Run: vicinia-node unlock --rotate"
            )

    def close(self) -> None:
        """Close the store."""
        self.database.close()

    def discard(self) -> None:
        """Remove a home that was made just now and is of no use, and its folder where nothing else is in it."""
        self.close()
        for name in (_STORE, f"{_STORE}-wal", f"{_STORE}-shm", _MARKER, _KEY):
            (self.directory / name).unlink(missing_ok=True)
        with suppress(OSError):
            self.directory.rmdir()

    def _read_marker(self) -> int | None:
        try:
            found = _number((self.directory / _MARKER).read_bytes())
        except OSError:
            return None
        return None if found < 0 else found

    def _write_marker(self, generation: int, *, exactly: bool = False) -> None:
        """In place: so few bytes of always the same number are written by one call, or not at all."""
        descriptor = os.open(self.directory / _MARKER, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # the daemon and its worker both count
            if exactly or _number(os.pread(descriptor, _MARKER_BYTES, 0)) < generation:
                os.pwrite(descriptor, b"%0*d" % (_MARKER_BYTES, generation), 0)
        finally:
            os.close(descriptor)


def _number(marker: bytes) -> int:
    """The count in a marker, -1 where there is none."""
    return int(marker) if marker.isdigit() else -1


def _read_key(path: Path) -> bytes:
    text = read_secret(path).strip()
    if len(text) != 64 or not set(text) <= set(b"0123456789abcdef"):
        raise StorageFault(
            "This is not the key of a store.", where=str(path), hint="Bring it back from your backup of the home."
        )
    return bytes.fromhex(text.decode("ascii"))
