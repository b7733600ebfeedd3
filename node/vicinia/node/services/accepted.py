"""The log as this process has accepted it, in memory: the state that its leaves add up to, and the note over them."""

from __future__ import annotations

from collections.abc import Sequence

from vicinia.assembly.state import Assembly
from vicinia.assembly.statements import PAYLOADS, Genesis
from vicinia.errors import Incompatible, NotAccepted
from vicinia.node.services.cooperative import Cooperative
from vicinia.tlog.checkpoint import SignedCheckpoint
from vicinia.tlog.merkle import Tree
from vicinia.tlog.statement import Statement

__all__ = ["Accepted"]


class Accepted:
    """What was accepted of one cooperative's log; who takes leaves in has checked that they belong under the note.

    `genesis`: the founding statement, as soon as it is known; `note`: under which the leaves in memory were accepted.
    """

    def __init__(self, cooperative: Cooperative) -> None:
        self._cooperative = cooperative
        self._assembly: Assembly | None = None
        self._opened: tuple[bytes, SignedCheckpoint] | None = None
        self.genesis: Genesis | None = None
        self.note = b""

    @property
    def size(self) -> int:
        """Leaves that were taken."""
        return self._assembly.size if self._assembly is not None else 0

    @property
    def assembly(self) -> Assembly:
        """The state that the leaves add up to; NotAccepted where there are none."""
        if self._assembly is None:
            raise NotAccepted(
                "This home has no checkpoint of the public log yet.",
                where="log",
                hint="Start the daemon: vicinia-node run",
            )
        return self._assembly

    @property
    def signed(self) -> SignedCheckpoint:
        """The note's checkpoint with its cosignatures; NotAccepted where there is none."""
        if self.genesis is None or not self.note:
            raise NotAccepted("This home has no checkpoint of the public log yet.", where="log")
        if self._opened is None or self._opened[0] != self.note:
            self._opened = self.note, self._cooperative.open(self.note, self.genesis)
        return self._opened[1]

    def tree_with(self, leaves: Sequence[bytes]) -> Tree:
        """The tree of all leaves and these after them, which are not taken."""
        return Tree(leaves) if self._assembly is None else self._assembly.tree_with(leaves)

    def take(self, leaf: bytes, *, verified: bool) -> None:
        """Append a leaf; a ViciniaError where it may not be there, Incompatible where this program cannot tell.

        `verified`: this home took it once before.
        """
        if self._assembly is None:
            self._assembly = Assembly(leaf, self._cooperative.genesis)
            self.genesis = self._assembly.genesis
            return
        kind = Statement.parse(leaf).kind
        if kind not in PAYLOADS:
            raise Incompatible(
                f"This program is too old for the log, which holds a statement of the kind {kind[:40]!r}.",
                hint="Update it, and start it again.",
            )
        self._assembly.append(leaf, verified=verified)

    def forget(self) -> None:
        """Drop the leaves."""
        self._assembly = None
