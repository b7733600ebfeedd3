"""The home's own copy of the public log: every leaf checked, every checkpoint under signatures, or not accepted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from vicinia.assembly.state import Assembly
from vicinia.assembly.statements import Genesis
from vicinia.errors import Incompatible, ProofInvalid, StorageFault, Unavailable, ViciniaError
from vicinia.node.services import histories
from vicinia.node.services.accepted import Accepted
from vicinia.node.services.clock import Clock
from vicinia.node.services.confirmation import proposals_confirmed, require_fresh
from vicinia.node.services.cooperative import Cooperative
from vicinia.node.services.ports import Link
from vicinia.node.store.replica import ReplicaStore
from vicinia.tlog.checkpoint import Checkpoint, SignedCheckpoint
from vicinia.tlog.merkle import EMPTY_ROOT, Tree

__all__ = ["Replica", "open_replica"]

_FOLLOW_SECONDS = 1.0


class Replica:
    """The verified log of one cooperative. Safe to share between threads and, through its file, between processes.

    A signed checkpoint that contradicts the leaves held here, or a leaf that no honest coordinator would have logged,
    is stored as evidence; from then on `halted` says so, and no job runs. A statement of a kind that this program does
    not know halts the same way, without evidence, until a newer program is started.
    """

    def __init__(
        self,
        store: ReplicaStore,
        cooperative: Cooperative,
        clock: Clock,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._cooperative = cooperative
        self._clock = clock
        self._elapsed = elapsed
        self._lock = threading.RLock()
        self._following = threading.Lock()
        self._followed: tuple[float, Link | None] = -_FOLLOW_SECONDS, None  # when and for whom it was done last
        self._accepted = Accepted(cooperative)
        self._outgrown = ""  # why this program cannot follow the log any further; gone with the next start
        self.refresh()

    @property
    def size(self) -> int:
        """Leaves under the last accepted checkpoint."""
        return self._accepted.size

    @property
    def assembly(self) -> Assembly:
        """The state that the leaves add up to; NotAccepted before the first sync."""
        with self._lock:
            return self._accepted.assembly

    @property
    def checkpoint(self) -> SignedCheckpoint:
        """The last accepted checkpoint with its cosignatures; NotAccepted before the first sync.

        It is never of more leaves than `assembly` holds afterwards: another process may have taken in some meanwhile.
        """
        with self._lock:
            self.refresh()
            return self._accepted.signed

    @property
    def store(self) -> ReplicaStore:
        """The file."""
        return self._store

    @property
    def halted(self) -> str:
        """Why no job runs any more, or the empty string."""
        evidence = self._store.evidence()
        return evidence[0][1] if evidence else self._outgrown

    @property
    def accused(self) -> bool:
        """Whether there is evidence against the log."""
        return bool(self._store.evidence())

    def root(self, size: int) -> bytes:
        """Root of the first `size` leaves."""
        with self._lock:
            return self.assembly.root(size) if size else EMPTY_ROOT

    def leaves_since(self, start: int) -> list[bytes]:
        """Accepted leaves from `start` on."""
        return self._store.leaves(start, self.size)

    def genesis(self, link: Link) -> Genesis:
        """The founding statement, fetched when it is not here yet, as the invitation pins it."""
        with self._lock:
            if self._accepted.genesis is None:
                leaves = link.entries(0, 1)
                if len(leaves) != 1:
                    raise Unavailable("The coordinator did not send the founding statement.", where="log")
                self._accepted.genesis = self._cooperative.founded_by(leaves[0])
            return self._accepted.genesis

    def refresh(self) -> None:
        """Take in what another process has accepted."""
        with self._lock:
            known = self._store.checkpoint()
            if known is None or self.size > known[0]:
                return
            if self.size == known[0]:
                self._accepted.note = known[1]  # perhaps the same under newer cosignatures
                return
            leaves = self._store.leaves(self.size, known[0])
            if self.size + len(leaves) != known[0]:
                hint = "Move that file away: the log is fetched and checked again."
                raise StorageFault("The copy of the public log is damaged.", where=str(self._store.path), hint=hint)
            genesis = self._accepted.genesis or self._cooperative.founded_by(leaves[0])
            # Under the note that was accepted and stored with them, all were verified before.
            signed = self._cooperative.open(known[1], genesis)
            verified = signed.checkpoint.root == self._accepted.tree_with(leaves).root()
            self._take(leaves, verified=verified)
            self._accepted.note = known[1]

    def follow(self, link: Link, note: bytes) -> None:
        """As `sync`, but not while another home does, nor within a second of it: a log in a vote grows all the time,
        and homes that share this copy are told so one after the other."""
        at, by = self._followed
        if (by is not link and self._elapsed() < at + _FOLLOW_SECONDS) or not self._following.acquire(blocking=False):
            return
        try:
            self._followed = self._elapsed(), link
            self.sync(link, note)
        finally:
            self._following.release()

    def sync(self, link: Link, note: bytes = b"") -> bool:
        """Accept a newer checkpoint (fetched where `note` is empty) and its leaves; True where something was new."""
        with self._lock:
            self.refresh()
            genesis = self.genesis(link)
            note = note or link.checkpoint()
            signed = self._cooperative.open(note, genesis)
            require_fresh(signed, genesis.bylaws, self._clock())
            size, root = signed.checkpoint.size, signed.checkpoint.root
            if size <= self.size:
                self._require_same(note, size, root)
                return size == self.size and self._renew(note, signed)
            if self._outgrown:
                return False
            try:
                self._advance(link, note, signed)
            except Incompatible as error:
                self._outgrown = str(error)
                return False
            return True

    def contains(self, size: int, root: bytes) -> bool:
        """Whether the accepted log had this root at this size."""
        with self._lock:
            return 0 < size <= self.size and self.root(size) == root

    def _advance(self, link: Link, note: bytes, signed: SignedCheckpoint) -> None:
        start, size, root = self.size, signed.checkpoint.size, signed.checkpoint.root
        earlier = self._accepted.note
        leaves = [leaf for batch in histories.fetched(link, start, size) for leaf in batch]
        # Leaves prove something against who signed the root only where that root is theirs: anybody can garble them.
        tree = self._accepted.tree_with(leaves)
        if tree.root(size) != root:
            self._look_into(link, note, start, signed.checkpoint)
        try:
            self._take(leaves, note, tree)
            if self._store.advance(start, leaves, note):
                self._accepted.note = note
                self._note_proposals(start, signed, earlier)
                return
            # Another process was first; what it has stored, it has checked. That is nearly always the same.
            if self._store.leaves(start, size) != leaves:
                self._accepted.forget()
            self.refresh()
            if size <= self.size:  # else what comes next tells
                self._require_same(note, size, root)
        except BaseException:
            # Nothing half-checked stays in memory: what was accepted is what the store holds.
            self._accepted.forget()
            self.refresh()
            raise

    def _note_proposals(self, start: int, signed: SignedCheckpoint, earlier: bytes) -> None:
        """Keep when the proposals since leaf `start` were confirmed, for all that this copy can tell."""
        genesis = self.assembly.genesis
        new = [vote.proposal for vote in self.assembly.votes.values() if vote.leaf >= start]
        if new:
            before = self._cooperative.open(earlier, genesis) if earlier else None
            self._store.note_witnessed(proposals_confirmed(new, genesis.bylaws, signed, before))

    def _look_into(self, link: Link, note: bytes, start: int, signed: Checkpoint) -> NoReturn:
        """The leaves do not add up to the signed root: sent wrong, or a log that was rewritten. Only proof accuses."""
        if start:
            theirs, _ = histories.everything_under(link, signed)
            if theirs.root(start) != self.root(start):
                self._accuse_of_two_histories(note, histories.proof_of(theirs, start))
        raise histories.does_not_add_up()

    def _require_same(self, note: bytes, size: int, root: bytes) -> None:
        if size and self.root(size) != root:
            ours = Tree(self._store.leaves(0, self.size))
            self._accuse_of_two_histories(note, histories.proof_of(ours, size))

    def _renew(self, note: bytes, signed: SignedCheckpoint) -> bool:
        """Keep the same checkpoint under newer cosignatures: the k-th newest is what its age is counted from."""
        needed = self.assembly.bylaws.witnesses_needed
        known, offered = self.checkpoint.kth_newest(needed), signed.kth_newest(needed)
        if offered is None or (known is not None and offered <= known):
            return False
        return self._store.advance(self.size, [], note)

    def _accuse_of_two_histories(self, theirs: bytes, proof: bytes) -> NoReturn:
        ours, genesis = self._accepted.note, self.assembly.genesis
        one, other = (self._cooperative.open(note, genesis).checkpoint for note in (ours, theirs))
        histories.contradict(one, other, proof)
        self._accuse("The coordinator signed two histories of the log.", ours, theirs, proof)

    def _accuse(self, what: str, ours: bytes, theirs: bytes, proof: bytes) -> NoReturn:
        self._store.add_evidence(what, ours, theirs, self._clock(), proof)
        raise ProofInvalid(
            what, where="log", hint="Every job is halted. Show the evidence to the members: vicinia-node status --json"
        )

    def _take(
        self, leaves: list[bytes], note: bytes = b"", tree: Tree | None = None, *, verified: bool = False
    ) -> None:
        """Append to the state in memory; a leaf that may not be there accuses the coordinator when it is `note`'s.

        `tree`: of all leaves under `note`, which has its root. `verified`: this home took them once before.
        """
        for leaf in leaves:
            index = self.size
            try:
                self._accepted.take(leaf, verified=verified)
            except Incompatible:
                raise  # of a newer version of the statements: nobody's fault
            except ViciniaError as error:
                if tree is None or not index:
                    raise
                what = f"The log holds a leaf that is not valid: {error.what}"
                self._accuse(what, leaf, note, histories.place_of(tree, index))


def open_replica(path: Path, cooperative: Cooperative, clock: Clock) -> Replica:
    """The copy of the log in a file that homes share."""
    return Replica(ReplicaStore(path), cooperative, clock)
