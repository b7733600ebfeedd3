"""The home's own copy of the public log: every leaf checked, every checkpoint under signatures, or not accepted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from vicinia.assembly.state import Assembly
from vicinia.assembly.statements import PAYLOADS, Genesis
from vicinia.errors import (
    Incompatible,
    InvalidInput,
    NotAccepted,
    NotFound,
    ProofInvalid,
    StorageFault,
    Unavailable,
    ViciniaError,
)
from vicinia.identity import VerifyingKey
from vicinia.node.services import histories
from vicinia.node.services.clock import Clock
from vicinia.node.services.keyring import is_joined, membership
from vicinia.node.services.ports import Link
from vicinia.node.store.home import Home
from vicinia.node.store.replica import ReplicaStore
from vicinia.tlog.canonical import canonical
from vicinia.tlog.checkpoint import Checkpoint, SignedCheckpoint, log_origin, open_checkpoint, witness_name
from vicinia.tlog.merkle import EMPTY_ROOT, Tree
from vicinia.tlog.statement import Statement

__all__ = ["Cooperative", "Replica", "cooperative_of", "open_replica"]

_BATCH = 1000
_FOLLOW_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Cooperative:
    """What an invitation pins: id, digest of the first statement, and the key that signs the log."""

    coop: str
    genesis: bytes
    log_key: VerifyingKey


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
        self._genesis: Genesis | None = None
        self._assembly: Assembly | None = None
        self._note = b""  # under which the leaves in memory were accepted
        self._opened: tuple[bytes, SignedCheckpoint] | None = None
        self._outgrown = ""  # why this program cannot follow the log any further; gone with the next start
        self.refresh()

    @property
    def size(self) -> int:
        """Leaves under the last accepted checkpoint."""
        return self._assembly.size if self._assembly is not None else 0

    @property
    def assembly(self) -> Assembly:
        """The state that the leaves add up to; NotAccepted before the first sync."""
        with self._lock:
            if self._assembly is None:
                raise NotAccepted(
                    "This home has no checkpoint of the public log yet.",
                    where="log",
                    hint="Start the daemon: vicinia-node run",
                )
            return self._assembly

    @property
    def checkpoint(self) -> SignedCheckpoint:
        """The last accepted checkpoint with its cosignatures; NotAccepted before the first sync.

        It is never of more leaves than `assembly` holds afterwards: another process may have taken in some meanwhile.
        """
        with self._lock:
            self.refresh()
            if self._genesis is None or not self._note:
                raise NotAccepted("This home has no checkpoint of the public log yet.", where="log")
            if self._opened is None or self._opened[0] != self._note:
                self._opened = self._note, self._open(self._note, self._genesis)
            return self._opened[1]

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
            if self._genesis is None:
                leaves = link.entries(0, 1)
                if len(leaves) != 1:
                    raise Unavailable("The coordinator did not send the founding statement.", where="log")
                self._genesis = self._check_genesis(leaves[0])
            return self._genesis

    def refresh(self) -> None:
        """Take in what another process has accepted."""
        with self._lock:
            known = self._store.checkpoint()
            if known is None or self.size > known[0]:
                return
            if self.size == known[0]:
                self._note = known[1]  # perhaps the same under newer cosignatures
                return
            leaves = self._store.leaves(self.size, known[0])
            if self.size + len(leaves) != known[0]:
                hint = "Move that file away: the log is fetched and checked again."
                raise StorageFault("The copy of the public log is damaged.", where=str(self._store.path), hint=hint)
            genesis = self._genesis or self._check_genesis(leaves[0])
            # Under the note that was accepted and stored with them, all were verified before.
            verified = self._open(known[1], genesis).checkpoint.root == self._tree_with(leaves).root()
            self._take(leaves, verified=verified)
            self._note = known[1]

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
            signed = self._open(note, genesis)
            self._require_cosigned(signed, genesis)
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
        earlier = self._note
        leaves: list[bytes] = []
        while start + len(leaves) < size:
            batch = link.entries(start + len(leaves), min(size, start + len(leaves) + _BATCH))
            if not batch or len(batch) > size - start - len(leaves):
                raise Unavailable("The coordinator did not send the leaves of its checkpoint.", where="log")
            leaves += batch
        # Leaves prove something against who signed the root only where that root is theirs: anybody can garble them.
        tree = self._tree_with(leaves)
        if tree.root(size) != root:
            self._look_into(link, note, start, signed.checkpoint)
        try:
            self._take(leaves, note, tree)
            if self._store.advance(start, leaves, note):
                self._note = note
                self._note_proposals(start, signed, earlier)
                return
            # Another process was first; what it has stored, it has checked. That is nearly always the same.
            stored = self._store.leaves(start, size)
            if stored != leaves:
                self._assembly = None
            self.refresh()
        except BaseException:
            # Nothing half-checked stays in memory: what was accepted is what the store holds.
            self._assembly = None
            self.refresh()
            raise

    def _note_proposals(self, start: int, signed: SignedCheckpoint, earlier: bytes) -> None:
        """Proposals since leaf `start` are confirmed from this checkpoint on, for all that this copy can tell.

        A copy that had not looked since a proposal's deadline cannot tell how old it is: none is logged after its
        deadline, so it was confirmed within a checkpoint's age of that, or every vote that was never closed would be
        open again. Who had looked since, and had not seen it, knows better: it may have been held back.
        """
        assembly = self.assembly
        needed, age_ms = assembly.bylaws.witnesses_needed, assembly.bylaws.checkpoint_age_seconds * 1000
        new = [vote.proposal for vote in assembly.votes.values() if vote.leaf >= start]
        confirmed = signed.kth_newest(needed)
        if not new or confirmed is None:
            return
        looked_ms = 1000 * ((self._open(earlier, assembly.genesis).kth_newest(needed) or 0) if earlier else 0)
        found = {one.job: confirmed * 1000 for one in new}
        for one in new:
            if looked_ms < one.deadline:
                found[one.job] = min(found[one.job], one.deadline + age_ms)
        self._store.note_witnessed(found)

    def _tree_with(self, leaves: list[bytes]) -> Tree:
        return Tree(leaves) if self._assembly is None else self._assembly.tree_with(leaves)

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
        ours, genesis = self._note, self.assembly.genesis
        histories.contradict(self._open(ours, genesis).checkpoint, self._open(theirs, genesis).checkpoint, proof)
        self._accuse("The coordinator signed two histories of the log.", ours, theirs, proof)

    def _accuse(self, what: str, ours: bytes, theirs: bytes, proof: bytes) -> NoReturn:
        self._store.add_evidence(what, ours, theirs, self._clock(), proof)
        raise ProofInvalid(
            what, where="log", hint="Every job is halted. Show the evidence to the members: vicinia-node status --json"
        )

    def _require_cosigned(self, signed: SignedCheckpoint, genesis: Genesis) -> None:
        needed = genesis.bylaws.witnesses_needed
        time = signed.kth_newest(needed)
        if time is None:
            raise ProofInvalid(
                f"The checkpoint has {len(signed.cosignatures)} cosignatures of witnesses, {needed} are needed.",
                where="log",
            )
        age = self._clock() // 1000 - time
        if age > genesis.bylaws.checkpoint_age_seconds:
            raise ProofInvalid(f"The checkpoint is {age} seconds old, which is too old.", where="log")

    def _open(self, note: bytes, genesis: Genesis) -> SignedCheckpoint:
        coop = self._cooperative.coop
        witnesses: Mapping[str, VerifyingKey] = {witness_name(coop, key): key for key in genesis.witnesses}
        return open_checkpoint(note, log_origin(coop), self._cooperative.log_key, witnesses)

    def _check_genesis(self, leaf: bytes) -> Genesis:
        return Assembly(leaf, self._cooperative.genesis).genesis

    def _take(
        self, leaves: list[bytes], note: bytes = b"", tree: Tree | None = None, *, verified: bool = False
    ) -> None:
        """Append to the state in memory; a leaf that may not be there accuses the coordinator when it is `note`'s.

        `tree`: of all leaves under `note`, which has its root. `verified`: this home took them once before.
        """
        for leaf in leaves:
            if self._assembly is None:
                self._assembly = Assembly(leaf, self._cooperative.genesis)
                self._genesis = self._assembly.genesis
            else:
                try:
                    _require_known(leaf)
                    self._assembly.append(leaf, verified=verified)
                except Incompatible:
                    raise  # of a newer version of the statements: nobody's fault
                except ViciniaError as error:
                    if tree is None:
                        raise
                    index = self._assembly.size
                    place = {"index": index, "inclusion": [one.hex() for one in tree.inclusion(index, tree.size)]}
                    what = f"The log holds a leaf that is not valid: {error.what}"
                    self._accuse(what, leaf, note, canonical(place))


def _require_known(leaf: bytes) -> None:
    kind = Statement.parse(leaf).kind
    if kind not in PAYLOADS:
        raise Incompatible(
            f"This program is too old for the log, which holds a statement of the kind {kind[:40]!r}.",
            hint="Update it, and start it again.",
        )


def cooperative_of(homes: Mapping[str, Home]) -> Cooperative:
    """The cooperative that these homes joined; NotFound or InvalidInput where it is none or several."""
    found = {
        Cooperative(member.coop, member.genesis, member.log_key)
        for member in (membership(home.facts) for home in homes.values() if is_joined(home.facts))
    }
    if not found:
        raise NotFound(
            "No cooperative was joined here.", where=", ".join(homes)[:80], hint="Run: vicinia-node join INVITATION"
        )
    if len(found) != 1:
        raise InvalidInput("These homes belong to different cooperatives.", hint="Keep them in different folders.")
    return found.pop()


def open_replica(path: Path, cooperative: Cooperative, clock: Clock) -> Replica:
    """The copy of the log in a file that homes share."""
    return Replica(ReplicaStore(path), cooperative, clock)
