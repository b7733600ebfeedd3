"""Whether the log was rewritten, and what proves it to somebody else.

Only what the log has signed accuses it. Leaves and proofs come without a signature: whoever stands between, or a
fault, can garble them, and a home that halted for that would be halted by anybody. So a suspicion is looked into by
fetching every leaf under the new signed root; only if they add up to it, their beginning is compared.

Evidence is two notes that the log has signed and a consistency proof (RFC 9162, 2.1.4) of canonical JSON `{"size",
"root", "consistency"}`: under the larger note, the first `size` leaves have `root`, and the smaller note says another.
"""

from __future__ import annotations

from collections.abc import Iterator

from vicinia.errors import ProofInvalid, Unavailable
from vicinia.node.services.ports import Link
from vicinia.tlog.canonical import canonical, parse_canonical
from vicinia.tlog.checkpoint import Checkpoint
from vicinia.tlog.merkle import Tree, verify_consistency

__all__ = ["contradict", "does_not_add_up", "everything_under", "fetched", "place_of", "proof_of"]

_BATCH = 1000


def fetched(link: Link, start: int, end: int) -> Iterator[list[bytes]]:
    """The log's leaves [start, end), in parts; Unavailable where the coordinator does not send them."""
    while start < end:
        leaves = link.entries(start, min(end, start + _BATCH))
        if not leaves or len(leaves) > end - start:
            raise Unavailable("The coordinator did not send the leaves of its checkpoint.", where="log")
        yield leaves
        start += len(leaves)


def everything_under(link: Link, checkpoint: Checkpoint) -> tuple[Tree, bytes]:
    """The tree of all leaves under a signed checkpoint, fetched anew, and the first leaf.

    ProofInvalid, which accuses nobody, where they do not add up to it.
    """
    tree, first = Tree(), b""
    for leaves in fetched(link, 0, checkpoint.size):
        first = first or leaves[0]
        for leaf in leaves:
            tree.append(leaf)
    if tree.root() != checkpoint.root:
        raise does_not_add_up()
    return tree, first


def does_not_add_up() -> ProofInvalid:
    """Leaves are not those under the signed root: a fault on the way, or a lie that nothing signed proves."""
    return ProofInvalid(
        "The leaves sent do not add up to the signed checkpoint.",
        where="log",
        hint="They are fetched again; until they do, no new job runs.",
    )


def proof_of(tree: Tree, size: int) -> bytes:
    """What the whole of a tree says about its first `size` leaves, for somebody who has only its root."""
    hashes = [one.hex() for one in tree.consistency(size, tree.size)]
    return canonical({"size": size, "root": tree.root(size).hex(), "consistency": hashes})


def place_of(tree: Tree, index: int) -> bytes:
    """Where a leaf of a tree stands, for somebody who has only the tree's root."""
    return canonical({"index": index, "inclusion": [one.hex() for one in tree.inclusion(index, tree.size)]})


def contradict(one: Checkpoint, other: Checkpoint, proof: bytes) -> None:
    """Check that two checkpoints are of different histories; ProofInvalid where this is not proven.

    Two of the same size need no proof. The signatures under both are the caller's to check.
    """
    smaller, larger = sorted((one, other), key=lambda checkpoint: checkpoint.size)
    if smaller.size == larger.size:
        if smaller.root == larger.root:
            raise ProofInvalid("These are two checkpoints of the same history.", where="evidence")
        return
    fields = parse_canonical(proof, where="evidence")
    try:
        size, root = int(str(fields["size"])), bytes.fromhex(str(fields["root"]))
        hashes = [bytes.fromhex(str(text)) for text in _list(fields["consistency"])]
    except (KeyError, ValueError, TypeError) as error:
        raise ProofInvalid("The proof cannot be read.", where="evidence") from error
    verify_consistency(size, larger.size, hashes, root, larger.root)
    if size != smaller.size or root == smaller.root:
        raise ProofInvalid("The proof does not contradict the smaller checkpoint.", where="evidence")


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError
    return value
