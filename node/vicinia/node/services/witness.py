"""A witness home's duty: to cosign a checkpoint only after checking that the log grew and was not rewritten."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from vicinia.errors import ProofInvalid, ViciniaError
from vicinia.node.services import histories
from vicinia.node.services.clock import Clock
from vicinia.node.services.keyring import identity, membership
from vicinia.node.services.ports import Link
from vicinia.node.services.replica import Replica
from vicinia.node.store.alerts import Alerts
from vicinia.node.store.home import Home
from vicinia.tlog.checkpoint import Checkpoint, cosign, log_origin, open_checkpoint, witness_name
from vicinia.tlog.merkle import verify_consistency
from vicinia.tlog.statement import Statement

__all__ = ["is_witness", "witness_checkpoint"]

_SEEN = "cosigned"  # size (8 bytes), root and note of the last checkpoint that this home cosigned
_NOTE_AT = 40


def is_witness(home: Home, replica: Replica, link: Link) -> bool:
    """Whether the founding statement names this home's key."""
    return identity(home.facts).public in replica.genesis(link).witnesses


def witness_checkpoint(home: Home, replica: Replica, link: Link, note: bytes, clock: Clock) -> bool:
    """Cosign a checkpoint; False where an older one is shown again.

    A log that was rewritten is a ProofInvalid and, as far as the log has signed it, evidence. What is cosigned is in
    the store before the cosignature is sent: a witness never signs two roots of one size.
    """
    if home.locked or replica.accused or not is_witness(home, replica, link):
        return False
    member = membership(home.facts)
    signed = open_checkpoint(note, log_origin(member.coop), member.log_key, {})
    checkpoint = signed.checkpoint
    seen = home.facts.get(_SEEN)
    size, root = (int.from_bytes(seen[:8], "big"), seen[8:_NOTE_AT]) if seen else (0, b"")
    if checkpoint.size < size:
        _show_newer(link, size, seen)
    if checkpoint.size < size or not checkpoint.size:
        return False
    evidence = _inspect(link, checkpoint, size, root, member.genesis)
    if evidence is not None:
        what = f"The coordinator asked this witness to cosign {evidence.what}."
        replica.store.add_evidence(
            what, evidence.ours or (seen[_NOTE_AT:] if seen else b""), note, clock(), evidence.proof
        )
        Alerts(home.database).add(what, clock())
        _show_newer(link, size, seen)
        raise ProofInvalid(what, where="log")
    with home.critical("cosign a checkpoint"):
        home.facts.put(_SEEN, checkpoint.size.to_bytes(8, "big") + checkpoint.root + note)
    key = identity(home.facts)
    line = cosign(note, key, witness_name(member.coop, key.public), clock() // 1000)
    link.cosign(checkpoint.size, line)
    return True


def _show_newer(link: Link, size: int, seen: bytes | None) -> None:
    """Hand the log's own newer note back: a coordinator that was restored from a backup stops before it forks.

    Shown because of an older poll's answer, it tells an honest coordinator nothing new. What becomes of it changes
    nothing here.
    """
    if seen is not None and len(seen) > _NOTE_AT:
        with suppress(ViciniaError):
            link.cosign(size, seen[_NOTE_AT:])


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What the log has signed that no honest log would; `ours`: what stands against it, where it is no earlier note."""

    what: str
    proof: bytes = b""
    ours: bytes = b""


def _inspect(link: Link, checkpoint: Checkpoint, size: int, root: bytes, genesis: bytes) -> _Evidence | None:
    """None where the log grew; ProofInvalid, which accuses nobody, where what was sent is not what the log signed."""
    if size == checkpoint.size:
        return None if root == checkpoint.root else _Evidence("two logs of one size")
    if size and _grew(link, checkpoint, size, root):
        return None
    # The first time, or where the proof fails, which nobody has signed: the whole log is read.
    tree, first = histories.everything_under(link, checkpoint)
    if size and tree.root(size) != root:
        return _Evidence("a log that was rewritten", histories.proof_of(tree, size))
    if not size and Statement.parse(first).digest != genesis:
        what = "a log that begins with another statement than the founding one"
        return _Evidence(what, histories.place_of(tree, 0), first)
    return None


def _grew(link: Link, checkpoint: Checkpoint, size: int, root: bytes) -> bool:
    try:
        verify_consistency(size, checkpoint.size, link.consistency(size, checkpoint.size), root, checkpoint.root)
    except ProofInvalid:
        return False
    return True
