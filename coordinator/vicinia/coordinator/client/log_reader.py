"""The cooperative's public log, as a researcher's client checks it before it believes any result."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property

from vicinia.assembly import Assembly
from vicinia.assembly.statements import Genesis
from vicinia.coordinator.client.folder import Membership
from vicinia.coordinator.client.link import Link
from vicinia.errors import ProofInvalid, Unavailable
from vicinia.tlog.checkpoint import SignedCheckpoint, log_origin, open_checkpoint, witness_name
from vicinia.tlog.merkle import Tree
from vicinia.tlog.statement import Statement

__all__ = ["ConfirmedLog", "LogReader"]

LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class ConfirmedLog:
    """The whole log under a root that enough witnesses signed, and what it says."""

    leaves: list[bytes]
    root: bytes
    assembly: Assembly

    @property
    def size(self) -> int:
        """How many leaves."""
        return len(self.leaves)


class LogReader:
    """Reads the log of the cooperative that the invitation pinned."""

    def __init__(self, link: Link, membership: Membership) -> None:
        self._link = link
        self._membership = membership

    @cached_property
    def genesis(self) -> Genesis:
        """The first leaf, which the invitation named."""
        statement = Statement.parse(next(self._link.leaves(1)))
        if statement.digest.hex() != self._membership.genesis:
            raise ProofInvalid("This is not the cooperative that the invitation named.", where="log, leaf 0")
        return Genesis.from_payload(statement.payload)

    def confirmed(self, size: int, patience_seconds: float) -> ConfirmedLog:
        """The whole log, replayed, of at least `size` leaves; Unavailable where the witnesses take longer."""
        ends = time.monotonic() + patience_seconds
        while (signed := self._newest()).checkpoint.size < size:
            if time.monotonic() >= ends:
                raise Unavailable(
                    "The witnesses have not confirmed the release yet.", where="log", hint="Try again in some minutes."
                )
            time.sleep(LOOK_SECONDS)
        leaves = list(self._link.leaves(signed.checkpoint.size))
        if Tree(leaves).root() != signed.checkpoint.root:
            raise ProofInvalid("The leaves are not those that the witnesses saw.", where="log")
        return ConfirmedLog(leaves, signed.checkpoint.root, Assembly.from_leaves(leaves))

    def _newest(self) -> SignedCheckpoint:
        """The newest checkpoint that the log key and enough witnesses signed."""
        genesis = self.genesis
        witnesses = {witness_name(genesis.coop, key): key for key in genesis.witnesses}
        signed = open_checkpoint(self._link.checkpoint(), log_origin(genesis.coop), genesis.log_key, witnesses)
        if len(signed.cosignatures) < genesis.bylaws.witnesses_needed:
            raise ProofInvalid("Too few witnesses have cosigned the log.", where="checkpoint")
        return signed
