"""Checkpoints: signed when the log has grown, offered to the witnesses, published once k of them cosigned."""

from __future__ import annotations

import logging
import threading

from vicinia.coordinator.clock import Clock
from vicinia.coordinator.services.bell import Bell
from vicinia.coordinator.services.last_signed import LastSigned, contradiction
from vicinia.coordinator.services.ledger import Ledger
from vicinia.coordinator.store import checkpoints
from vicinia.coordinator.store.checkpoints import Cosigned
from vicinia.coordinator.store.database import Database
from vicinia.errors import InvalidInput, NotFound, PermissionDenied, TooLarge
from vicinia.tlog.checkpoint import (
    Checkpoint,
    log_origin,
    open_checkpoint,
    open_cosignature,
    sign_checkpoint,
    witness_name,
)

__all__ = ["Checkpoints"]

_MAX_SHOWN = 1_000  # bytes of a note under the log's signature alone
_SKEW_SECONDS = 300  # how far ahead of ours a witness's clock may be
_log = logging.getLogger(__name__)


class Checkpoints:
    """One candidate at a time: the next checkpoint is signed when this one has its k cosignatures.

    Otherwise witnesses of a log that grows quickly would cosign different sizes, and none would ever have k.
    """

    def __init__(self, database: Database, ledger: Ledger, signed: LastSigned, bell: Bell, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._signed = signed
        self._bell = bell
        self._clock = clock
        self._lock = threading.Lock()
        genesis = ledger.assembly.genesis
        self._needed = genesis.bylaws.witnesses_needed
        self._age_s = genesis.bylaws.checkpoint_age_seconds
        self._witnesses = {witness_name(ledger.coop, key): key for key in genesis.witnesses}
        self._names = {key.id: witness_name(ledger.coop, key) for key in genesis.witnesses}
        self._origin = log_origin(ledger.coop)
        self._demanded_s = 0
        self._ahead = 0
        self._load()

    @property
    def accepted(self) -> Cosigned | None:
        """The newest checkpoint with k cosignatures."""
        return self._accepted

    @property
    def dated(self) -> int | None:
        """The k-th newest cosignature's second under the accepted checkpoint."""
        return self._accepted.dated(self._needed) if self._accepted else None

    def tick(self) -> None:
        """Sign a checkpoint when the log has grown and the last candidate has been accepted."""
        with self._lock:
            accepted_size = self._accepted.size if self._accepted else 0
            waits = self._newest is not None and self._newest.size > accepted_size
            with self._ledger.lock:
                size, root = self._ledger.size, self._ledger.tree.root()
            if self._ledger.halted or waits or (self._newest is not None and self._newest.size >= size):
                return
            note = self._sign(Checkpoint(self._origin, size, root))
            with self._database.write("sign checkpoint") as connection:
                checkpoints.add(connection, size, note, self._clock())
            self._newest = Cosigned(size, note, ())

    def _sign(self, checkpoint: Checkpoint) -> bytes:
        """The only place that signs the log; never a history beside the one that was signed last."""
        fault = self._signed.fault(self._signed.read(), self._ledger.tree)
        if fault is not None:
            raise fault
        self._signed.write(checkpoint)
        return sign_checkpoint(checkpoint, self._ledger.key)

    def demand(self, since_s: int) -> None:
        """Ask for cosignatures dated at or after this second: a close needs them."""
        self._demanded_s = max(self._demanded_s, since_s)

    def due_for(self, witness_id: str) -> bytes:
        """The note that this party should cosign now; empty for a party that is no witness, or has done so."""
        name = self._names.get(witness_id)
        newest = self._newest
        if name is None or newest is None:
            return b""
        given = next((timestamp for witness, timestamp, _ in newest.lines if witness == name), 0)
        return newest.note if given < self._wanted_since() or not given else b""

    def news_for(self, log_size: int, interval_ms: int) -> bytes:
        """The accepted note for a home whose replica has `log_size` leaves; empty when it says nothing new.

        A note of the same size is new after it was cosigned again, for two intervals in which homes poll.
        """
        accepted = self._accepted
        if log_size > max(2 * self._ahead, self._ledger.size):
            self._ahead = log_size  # a bare number proves nothing: it stops nothing, and is not told of often
            _log.warning(
                "a home says that its log has %d leaves, and here are %d: was the database restored from a backup?",
                log_size,
                self._ledger.size,
            )
        if accepted is None or accepted.size < log_size:
            return b""
        recently = self._clock() - self._recosigned_ms < 2 * interval_ms
        return accepted.note if accepted.size > log_size or recently else b""

    def cosign(self, caller_id: str, size: int, line: bytes) -> None:
        """Keep the caller's cosignature line after checking it; ProofInvalid for one that does not fit.

        In its place may come a note that this log has signed: a witness that knows of a longer log, or of another,
        shows it so, and everything halts if it is true.
        """
        if line.startswith(self._origin.encode() + b"\n"):
            self._shown(line)
            return
        name = self._names.get(caller_id)
        if name is None:
            raise PermissionDenied("Only the witnesses that the genesis names cosign checkpoints.", where="cosign")
        if len(line) > 1_000:
            raise TooLarge("A cosignature is one short line.", where="cosign")
        with self._database.read() as connection:
            kept = checkpoints.of_size(connection, size)
        if kept is None:
            raise NotFound(f"There is no checkpoint of size {size}.", where="cosign")
        seen_s = open_cosignature(kept.body, line, name, self._witnesses[name])
        if seen_s > self._clock() // 1000 + _SKEW_SECONDS:
            raise InvalidInput("The cosignature is dated in the future.", where="cosign", hint="Set the home's clock.")
        self._database.grouped("cosign", lambda connection: checkpoints.cosign(connection, size, name, seen_s, line))
        with self._lock:
            before = self._accepted
            self._load()
            news = self._accepted != before
        if news:
            self._bell.ring()

    def _shown(self, note: bytes) -> None:
        """Only this log's own signature halts it, and only under leaves that it does not have."""
        if len(note) > _MAX_SHOWN:
            raise TooLarge("A note that the log has signed is shorter.", where="cosign")
        signed = open_checkpoint(note, self._origin, self._ledger.key.public, {}).checkpoint
        with self._lock:
            with self._ledger.lock:
                why = contradiction(self._ledger.tree, signed)
                if not why or self._ledger.halted:
                    return
                self._ledger.halt(why)
            self._signed.write(signed)  # from now on the next start is refused, too

    def _wanted_since(self) -> int:
        """Second from which a cosignature is fresh enough; a close's demand lasts until it is met."""
        return max(self._demanded_s, self._clock() // 1000 - self._age_s // 4)

    def _load(self) -> None:
        with self._database.read() as connection:
            newest = checkpoints.newest(connection, limit=2)
        before = getattr(self, "_accepted", None)
        self._newest = newest[0] if newest else None
        self._accepted = next((one for one in newest if one.dated(self._needed) is not None), None)
        if before is not None and self._accepted is not None and self._accepted != before:
            self._recosigned_ms = self._clock() if self._accepted.size == before.size else 0

    _newest: Cosigned | None
    _accepted: Cosigned | None
    _recosigned_ms: int = 0
