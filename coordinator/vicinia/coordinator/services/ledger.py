"""The log: the only place that appends to it, in memory and in the database at once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sqlalchemy import Connection
from vicinia.assembly import Assembly
from vicinia.coordinator.clock import Clock
from vicinia.coordinator.store import leaves
from vicinia.coordinator.store.database import Database
from vicinia.coordinator.store.leaves import Logged
from vicinia.errors import InvalidInput, StorageFault, ViciniaError
from vicinia.identity import SigningKey
from vicinia.tlog.merkle import Tree
from vicinia.tlog.statement import Statement

__all__ = ["MAX_ENTRIES", "MAX_ENTRIES_BYTES", "Ledger"]

MAX_ENTRIES = 1_000
MAX_ENTRIES_BYTES = 3 * 1024 * 1024  # below the 4 MiB that a gRPC message may have

_log = logging.getLogger(__name__)


class Ledger:
    """Appends statements that the assembly's rules allow at this place, and proves what is there.

    `halted` says why nothing is appended any more; empty as a rule.
    `lock` guards tree and assembly together; whoever holds it may open a database transaction, never the reverse.
    """

    def __init__(self, database: Database, key: SigningKey, clock: Clock) -> None:
        self.lock = threading.RLock()
        self._database = database
        self._key = key
        self._clock = clock
        self.halted = ""
        self._reload()

    @property
    def coop(self) -> str:
        """The cooperative's id."""
        return self.assembly.genesis.coop

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self.tree.size

    def append(self, statement: Statement, also: Callable[[Connection, int], None] | None = None) -> int:
        """Append a complete statement; returns its index, the old one where it is in the log already.

        Refused (ProofInvalid, NotAccepted, InvalidInput), and nothing changed, where the assembly's rules do not
        allow it here. `also` does what belongs to it in the same transaction.
        """
        leaf, digest = statement.leaf(), statement.digest
        with self.lock:
            with self._database.read() as connection:
                kept = leaves.find(connection, digest)
            if kept is not None:
                return kept
            if self.halted:
                raise StorageFault(self.halted, where="log", hint="The coordinator's steward must restart it.")
            self.assembly.append(leaf)
            index = self.tree.size
            try:
                with self._database.write(f"append {statement.kind}") as connection:
                    leaves.append(connection, Logged(index, statement.kind, digest, leaf), self._clock())
                    if also is not None:
                        also(connection, index)
            except BaseException:
                self._undo()
                raise
            self.tree.append(leaf)
            _log.info("log: %s at %d", statement.kind, index)
            return index

    def halt(self, why: str) -> None:
        """Append nothing more: a signed note proves that the log in the database is not the one that was published."""
        self.halted = why
        _log.critical("the log is halted: %s", why)

    def sign(self, statement: Statement) -> Statement:
        """A statement of the log itself, signed: close, tally, certificate, roster, release."""
        return statement.sign(self._key)

    @property
    def key(self) -> SigningKey:
        """The log's key."""
        return self._key

    def entries(self, start: int, end: int) -> list[bytes]:
        """Leaves [start, end), at most 1,000 and 3 MiB; fewer may come."""
        if not start <= end:
            raise InvalidInput(f"A range of leaves cannot go from {start} to {end}.", where="entries")
        end = min(end, start + MAX_ENTRIES, self.tree.size)
        with self._database.read() as connection:
            return leaves.between(connection, start, end, MAX_ENTRIES_BYTES)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """The proof that leaf `index` is among the first `size`."""
        with self.lock:
            return self.tree.inclusion(index, size)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the first `new` leaves begin with the first `old`."""
        with self.lock:
            return self.tree.consistency(old, new)

    def _undo(self) -> None:
        """Bring memory back to what is on disk; a leaf that only memory has must never have another one after it."""
        try:
            self._reload()
        except BaseException:
            self.halt("A leaf was not written, and the log could not be read again: memory is not what is on disk.")
            _log.exception("the log cannot be read")

    def _reload(self) -> None:
        """Rebuild tree and assembly from what is on disk."""
        with self._database.read() as connection:
            bodies = list(leaves.every_body(connection))
        try:
            self.assembly = Assembly.from_leaves(bodies)
        except ViciniaError as error:
            raise StorageFault(
                f"The log in the database breaks its own rules: {error}", hint="Restore the database from a backup."
            ) from error
        self.tree = Tree(bodies)
