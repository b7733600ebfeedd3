"""The log's tree: published vectors, and every proof of every small tree."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from data import data_path
from hypothesis import given, settings
from hypothesis import strategies as st
from vicinia.errors import InvalidInput, ProofInvalid
from vicinia.tlog.merkle import (
    EMPTY_ROOT,
    Tree,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

# The eight inputs and roots that Certificate Transparency implementations have used since RFC 6962.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def hashes_of(count: int) -> list[bytes]:
    return [leaf_hash(b"leaf %d" % index) for index in range(count)]


def mth(leaves: list[bytes]) -> bytes:
    """The definition of the root, word for word as in RFC 6962, section 2.1."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while 2 * split < len(leaves):
        split *= 2
    return node_hash(mth(leaves[:split]), mth(leaves[split:]))


def test_roots_of_the_known_leaves() -> None:
    tree = Tree(LEAVES)
    assert [tree.root(size).hex() for size in range(9)] == ROOTS
    assert tree.root().hex() == ROOTS[8]
    assert Tree().root() == EMPTY_ROOT == root([])


def _cases(kind: str) -> list[Path]:
    return sorted(data_path("vectors", "merkle", "testdata", kind).rglob("*.json"))


def _hashes(case: dict[str, Any], *names: str) -> list[bytes]:
    return [base64.b64decode(case[name] or "") for name in names]


def _refuses(check: Any) -> bool:
    try:
        check()
    except ProofInvalid:
        return True
    return False


def test_published_inclusion_proofs() -> None:
    files = _cases("inclusion")
    assert len(files) == 98
    for file in files:
        case = json.loads(file.read_text())
        leaf, top = _hashes(case, "leafHash", "root")
        proof = [base64.b64decode(one) for one in case["proof"] or []]
        refused = _refuses(lambda: verify_inclusion(leaf, case["leafIdx"], case["treeSize"], proof, top))  # noqa: B023
        assert refused == case["wantErr"], file


def test_published_consistency_proofs() -> None:
    files = _cases("consistency")
    assert len(files) == 98
    for file in files:
        case = json.loads(file.read_text())
        old, new = _hashes(case, "root1", "root2")
        proof = [base64.b64decode(one) for one in case["proof"] or []]
        refused = _refuses(lambda: verify_consistency(case["size1"], case["size2"], proof, old, new))  # noqa: B023
        assert refused == case["wantErr"], file


def test_every_proof_of_every_small_tree_verifies() -> None:
    hashes = hashes_of(40)
    tree = Tree(b"leaf %d" % index for index in range(40))
    for size in range(1, 41):
        top = mth(hashes[:size])
        assert tree.root(size) == top == root(hashes[:size])
        for index in range(size):
            verify_inclusion(hashes[index], index, size, tree.inclusion(index, size), top)
        for old in range(1, size + 1):
            verify_consistency(old, size, tree.consistency(old, size), mth(hashes[:old]), top)


def _mutations(proof: list[bytes], position: int, bit: int) -> list[list[bytes]]:
    """The proof with one bit flipped, one hash missing, doubled, too short, too long, and one more at each end."""
    junk = bytes(32)
    changed = [[junk, *proof], [*proof, junk]]
    if proof:
        at = position % len(proof)
        one = bytearray(proof[at])
        one[bit // 8] ^= 1 << bit % 8
        before, after = proof[:at], proof[at + 1 :]
        changed += [[*before, other, *after] for other in (bytes(one), proof[at][:-1], proof[at] + b"\0", b"")]
        changed += [[*before, *after], [*before, proof[at], proof[at], *after]]
    if len(proof) > 1:
        changed += [proof[::-1]] if proof != proof[::-1] else []
        changed += [[proof[0][:-1], proof[0][-1:] + proof[1], *proof[2:]]]
    return changed


@given(st.integers(1, 300), st.data())
@settings(max_examples=60)
def test_a_changed_inclusion_proof_is_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    hashes = hashes_of(size)
    tree = Tree(b"leaf %d" % number for number in range(size))
    proof, top = tree.inclusion(index, size), tree.root()
    verify_inclusion(hashes[index], index, size, proof, top)
    for changed in _mutations(proof, data.draw(st.integers(0, 20)), data.draw(st.integers(0, 255))):
        with pytest.raises(ProofInvalid):
            verify_inclusion(hashes[index], index, size, changed, top)
    other = data.draw(st.integers(-2, size + 2).filter(lambda one: one != index))
    with pytest.raises(ProofInvalid):
        verify_inclusion(hashes[index], other, size, proof, top)
    for leaf, wrong_root in ((bytes(32), top), (hashes[index], bytes(32)), (hashes[index][:31], top), (b"", top)):
        with pytest.raises(ProofInvalid):
            verify_inclusion(leaf, index, size, proof, wrong_root)


@given(st.integers(2, 300), st.data())
@settings(max_examples=60)
def test_a_changed_consistency_proof_is_refused(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new - 1))
    tree = Tree(b"leaf %d" % number for number in range(new))
    proof, old_root, new_root = tree.consistency(old, new), tree.root(old), tree.root()
    verify_consistency(old, new, proof, old_root, new_root)
    for changed in _mutations(proof, data.draw(st.integers(0, 20)), data.draw(st.integers(0, 255))):
        with pytest.raises(ProofInvalid):
            verify_consistency(old, new, changed, old_root, new_root)
    for first, second in ((new_root, old_root), (old_root, bytes(32)), (bytes(32), new_root), (b"", new_root)):
        with pytest.raises(ProofInvalid):
            verify_consistency(old, new, proof, first, second)
    for first_size, second_size in ((0, new), (new, old), (new + 1, new), (new, new), (-1, new)):
        with pytest.raises(ProofInvalid):
            verify_consistency(first_size, second_size, proof, old_root, new_root)


@given(st.integers(2, 200), st.data())
@settings(max_examples=40)
def test_two_histories_have_no_consistency_proof(new: int, data: st.DataObject) -> None:
    """A log that changed one old leaf cannot prove that it continues the log it showed before."""
    old = data.draw(st.integers(1, new - 1))
    forged = data.draw(st.integers(0, old - 1))
    honest = Tree(b"leaf %d" % number for number in range(old))
    other = Tree(b"forged" if number == forged else b"leaf %d" % number for number in range(new))
    with pytest.raises(ProofInvalid):
        verify_consistency(old, new, other.consistency(old, new), honest.root(), other.root())


def test_a_tree_that_is_extended_stays_as_it_is() -> None:
    for size in range(20):
        leaves = [bytes([place]) for place in range(size)]
        for more in range(9):
            added = [bytes([100 + place]) for place in range(more)]
            tree = Tree(leaves)
            longer = tree.extended(added)
            assert (tree.size, tree.root()) == (size, Tree(leaves).root())
            assert (longer.size, longer.root()) == (size + more, Tree(leaves + added).root())


def test_sizes_and_indices_outside_the_tree_are_refused() -> None:
    tree = Tree(LEAVES)
    for refused in (
        lambda: tree.root(9),
        lambda: tree.root(-1),
        lambda: tree.inclusion(8, 8),
        lambda: tree.inclusion(-1, 8),
        lambda: tree.inclusion(0, 9),
        lambda: tree.consistency(0, 8),
        lambda: tree.consistency(5, 4),
        lambda: tree.consistency(5, 9),
        lambda: tree.leaf_hash(8),
        lambda: tree.append_hash(b"short"),
    ):
        with pytest.raises(InvalidInput):
            refused()
    assert tree.size == 8
    assert tree.leaf_hash(3) == leaf_hash(LEAVES[3])


def test_a_city_of_leaves() -> None:
    tree = Tree()
    for number in range(100_000):
        assert tree.append(b"%d" % number) == number
    for index in (0, 65_535, 65_536, 99_999):
        verify_inclusion(leaf_hash(b"%d" % index), index, 100_000, tree.inclusion(index, 100_000), tree.root())
    for old in (1, 65_536, 77_777, 100_000):
        proof = tree.consistency(old, 100_000)
        assert len(proof) <= 18
        verify_consistency(old, 100_000, proof, tree.root(old), tree.root())
