"""The Merkle tree of the log and its proofs (RFC 6962, section 2.1; verification as in RFC 9162, section 2.1).

Hashes are 32 bytes of SHA-256; proofs are lists of them, from the leaf's side to the root's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from vicinia.errors import InvalidInput, ProofInvalid

__all__ = [
    "EMPTY_ROOT",
    "HASH_BYTES",
    "Tree",
    "leaf_hash",
    "node_hash",
    "root",
    "verify_consistency",
    "verify_inclusion",
]

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256().digest()


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf's bytes."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node; both sides are 32 bytes, or the split between them would be ambiguous."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaf_hashes: Iterable[bytes]) -> bytes:
    """The root of a tree of these leaf hashes; that of no leaf is SHA-256 of nothing."""
    tree = Tree()
    for one in leaf_hashes:
        tree.append_hash(one)
    return tree.root()


class Tree:
    """An append-only tree that keeps the hashes of all full subtrees: 64 bytes per leaf.

    Appending hashes O(1) nodes on average, a root or proof at any earlier size O(log n) stored hashes.
    """

    __slots__ = ("_levels",)

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._levels: list[bytearray] = [bytearray()]
        for leaf in leaves:
            self.append(leaf)

    @property
    def size(self) -> int:
        """The number of leaves."""
        return len(self._levels[0]) // HASH_BYTES

    def append(self, leaf: bytes) -> int:
        """Add a leaf's bytes; returns its index."""
        return self.append_hash(leaf_hash(leaf))

    def append_hash(self, hashed: bytes) -> int:
        """Add a leaf by its hash; returns its index. InvalidInput unless it is 32 bytes long."""
        if len(hashed) != HASH_BYTES:
            raise InvalidInput("A leaf hash is 32 bytes long.", where="log")
        index = self.size
        self._levels[0] += hashed
        level, position = 0, index
        while position % 2 == 1:
            hashed = node_hash(self._node(level, position - 1), hashed)
            level, position = level + 1, position // 2
            if level == len(self._levels):
                self._levels.append(bytearray())
            self._levels[level] += hashed
        return index

    def extended(self, leaves: Iterable[bytes]) -> Tree:
        """Another tree, with these leaves after those of this one, which stays as it is."""
        tree = Tree()
        tree._levels = [bytearray(level) for level in self._levels]
        for leaf in leaves:
            tree.append(leaf)
        return tree

    def leaf_hash(self, index: int) -> bytes:
        """The hash of the leaf at `index`; InvalidInput where there is none."""
        self._check(0 <= index < self.size, f"There is no leaf {index} in a log of {self.size}.")
        return self._node(0, index)

    def root(self, size: int | None = None) -> bytes:
        """The root of the first `size` leaves (all of them by default); InvalidInput beyond the tree."""
        end = self.size if size is None else size
        self._check_size(end)
        return self._range(0, end) if end else EMPTY_ROOT

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """The proof that leaf `index` is in the tree of the first `size` leaves (RFC 6962, section 2.1.1)."""
        self._check_size(size)
        self._check(0 <= index < size, f"There is no leaf {index} in a log of {size}.")
        proof: list[bytes] = []
        start, end = 0, size
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                proof.append(self._range(middle, end))
                end = middle
            else:
                proof.append(self._range(start, middle))
                start = middle
        return proof[::-1]

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the first `new` leaves begin with the first `old` (RFC 6962, section 2.1.2).

        Empty for equal sizes. InvalidInput unless 1 <= old <= new <= size: an empty log proves nothing.
        """
        self._check_size(new)
        self._check(1 <= old <= new, f"There is no proof from size {old} to size {new}.")
        proof: list[bytes] = []
        start, end = 0, new
        while old < end:
            middle = start + _split(end - start)
            if old <= middle:
                proof.append(self._range(middle, end))
                end = middle
            else:
                proof.append(self._range(start, middle))
                start = middle
        if start:  # the verifier does not know this subtree; where start is 0 it is the old root
            proof.append(self._range(start, end))
        return proof[::-1]

    def _node(self, level: int, position: int) -> bytes:
        return bytes(self._levels[level][position * HASH_BYTES : (position + 1) * HASH_BYTES])

    def _range(self, start: int, end: int) -> bytes:
        """The hash of leaves [start, end); start is a multiple of the smallest power of two >= end - start."""
        hashed = b""
        while start < end:  # full subtrees from the right, the smallest first
            level = ((end - start) & (start - end)).bit_length() - 1
            end -= 1 << level
            full = self._node(level, end >> level)
            hashed = node_hash(full, hashed) if hashed else full
        return hashed

    def _check_size(self, size: int) -> None:
        self._check(0 <= size <= self.size, f"The log has {self.size} leaves, not {size}.")

    @staticmethod
    def _check(holds: bool, what: str) -> None:
        if not holds:
            raise InvalidInput(what, where="log")


# Proofs of leaves of one tree share most of their upper nodes.
_shared_node_hash = lru_cache(maxsize=512)(node_hash)


def verify_inclusion(hashed: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf with this hash is at `index` of the tree of `size` leaves with this root.

    ProofInvalid otherwise (RFC 9162, section 2.1.3.2).
    """
    _require(0 <= index < size, "The proof is for a leaf outside the log.")
    _require_hashes(hashed, *proof)
    node, last = index, size - 1
    for sibling in proof:
        _require(last > 0, "The proof is too long.")
        if node % 2 == 1 or node == last:
            hashed = _shared_node_hash(sibling, hashed)
            node, last = _up_past_left_edges(node, last)
        else:
            hashed = _shared_node_hash(hashed, sibling)
        node, last = node >> 1, last >> 1
    _require(last == 0, "The proof is too short.")
    _require(hashed == root, "The proof does not lead to the root of the log.")


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Check that the log of `new` leaves begins with the log of `old` leaves, given both roots.

    ProofInvalid otherwise, and for an empty old log, which any log continues: the caller has nothing to check
    then (RFC 9162, section 2.1.4.2).
    """
    _require(1 <= old <= new, "A proof of consistency goes from a log that is not empty to a later one.")
    if old == new:
        _require(not proof, "The proof is too long.")
        _require(old_root == new_root, "Two logs of the same size have different roots.")
        return
    _require_hashes(old_root, new_root, *proof)
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    _require(bool(path), "The proof is too short.")
    node, last = old - 1, new - 1
    while node % 2 == 1:
        node, last = node >> 1, last >> 1
    older = newer = path[0]
    for sibling in path[1:]:
        _require(last > 0, "The proof is too long.")
        if node % 2 == 1 or node == last:
            older, newer = node_hash(sibling, older), node_hash(sibling, newer)
            node, last = _up_past_left_edges(node, last)
        else:
            newer = node_hash(newer, sibling)
        node, last = node >> 1, last >> 1
    _require(last == 0, "The proof is too short.")
    _require(older == old_root, "The proof does not lead to the root of the old log.")
    _require(newer == new_root, "The proof does not lead to the root of the new log.")


def _up_past_left_edges(node: int, last: int) -> tuple[int, int]:
    """Skip the levels on which the last node has no sibling."""
    while node % 2 == 0 and node != 0:
        node, last = node >> 1, last >> 1
    return node, last


def _split(count: int) -> int:
    """The largest power of two below `count` (>= 2): where the tree divides."""
    return 1 << ((count - 1).bit_length() - 1)


def _require_hashes(*hashes: bytes) -> None:
    _require(all(len(one) == HASH_BYTES for one in hashes), "A hash is not 32 bytes long.")


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ProofInvalid(what, where="log")
