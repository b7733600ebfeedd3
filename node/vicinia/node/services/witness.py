"""A witness home's duty: to cosign a checkpoint only after checking that the log grew and was not rewritten."""

from __future__ import annotations

from vicinia.errors import ProofInvalid
from vicinia.node.services.clock import Clock
from vicinia.node.services.keyring import identity, membership
from vicinia.node.services.ports import Link
from vicinia.node.services.replica import Replica
from vicinia.node.store.alerts import Alerts
from vicinia.node.store.home import Home
from vicinia.tlog.checkpoint import Checkpoint, cosign, log_origin, open_checkpoint, witness_name
from vicinia.tlog.merkle import Tree, verify_consistency
from vicinia.tlog.statement import Statement

__all__ = ["is_witness", "witness_checkpoint"]

_SEEN = "cosigned"  # size (8 bytes) and root of the last checkpoint that this home cosigned
_BATCH = 1000


def is_witness(home: Home, replica: Replica, link: Link) -> bool:
    """Whether the founding statement names this home's key."""
    return identity(home.facts).public in replica.genesis(link).witnesses


def witness_checkpoint(home: Home, replica: Replica, link: Link, note: bytes, clock: Clock) -> bool:
    """Cosign a checkpoint; False where an older one is shown again. Two histories are a ProofInvalid and evidence.

    What is cosigned is in the store before the cosignature is sent: a witness never signs two roots of one size.
    """
    if home.locked or replica.accused or not is_witness(home, replica, link):
        return False
    member = membership(home.facts)
    signed = open_checkpoint(note, log_origin(member.coop), member.log_key, {})
    checkpoint = signed.checkpoint
    seen = home.facts.get(_SEEN)
    size, root = (int.from_bytes(seen[:8], "big"), seen[8:40]) if seen else (0, b"")
    if checkpoint.size < size or not checkpoint.size:
        return False
    try:
        _check(link, checkpoint, size, root, member.genesis)
    except ProofInvalid as error:
        what = "the coordinator asked this witness to cosign a log that was rewritten."
        replica.store.add_evidence(what, seen[40:] if seen else b"", note, clock())
        Alerts(home.database).add(f"{what} ({error.what})", clock())
        raise
    with home.critical("cosign a checkpoint"):
        home.facts.put(_SEEN, checkpoint.size.to_bytes(8, "big") + checkpoint.root + note)
    key = identity(home.facts)
    line = cosign(note, key, witness_name(member.coop, key.public), clock() // 1000)
    link.cosign(checkpoint.size, line)
    return True


def _check(link: Link, checkpoint: Checkpoint, size: int, root: bytes, genesis: bytes) -> None:
    if size == checkpoint.size:
        if root != checkpoint.root:
            raise ProofInvalid("two roots of one size were signed.", where="log")
    elif size:
        proof = link.consistency(size, checkpoint.size)
        verify_consistency(size, checkpoint.size, proof, root, checkpoint.root)
    else:
        _check_from_start(link, checkpoint, genesis)


def _check_from_start(link: Link, checkpoint: Checkpoint, genesis: bytes) -> None:
    """The first time, the whole log is read: it must begin with the pinned statement and have this root."""
    tree = Tree()
    while tree.size < checkpoint.size:
        leaves = link.entries(tree.size, min(checkpoint.size, tree.size + _BATCH))
        if not leaves:
            raise ProofInvalid("leaves of the log are missing.", where="log")
        if not tree.size and Statement.parse(leaves[0]).digest != genesis:
            raise ProofInvalid("the log begins with another statement.", where="log")
        for leaf in leaves:
            tree.append(leaf)
    if tree.root() != checkpoint.root:
        raise ProofInvalid("the leaves do not add up to the signed root.", where="log")
