"""Evidence against a log: it convinces where there are two histories, and can be made for no honest log."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vicinia.errors import InvalidInput, ProofInvalid
from vicinia.node.services.histories import contradict, proof_of
from vicinia.tlog.checkpoint import Checkpoint
from vicinia.tlog.merkle import Tree

ORIGIN = "vicinia/valley"


def checkpoint(leaves: list[bytes]) -> Checkpoint:
    return Checkpoint(ORIGIN, len(leaves), Tree(leaves).root())


@settings(deadline=None, max_examples=80)
@given(
    leaves=st.lists(st.binary(max_size=3), min_size=2, max_size=40),
    grown=st.integers(0, 12),
    data=st.data(),
)
def test_a_rewritten_log_is_proven_and_a_log_that_grew_never_is(
    leaves: list[bytes], grown: int, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(leaves) - 1))
    honest = [*leaves, *(b"more %d" % number for number in range(grown))]
    forked = [*honest[:place], b"other " + honest[place], *honest[place + 1 :]]
    contradict(checkpoint(leaves), checkpoint(forked), proof_of(Tree(forked), len(leaves)))
    contradict(checkpoint(forked), checkpoint(leaves), proof_of(Tree(forked), len(leaves)))
    if grown:  # of one size, two roots are proof enough
        for liar in (honest, forked):
            size = data.draw(st.integers(1, len(liar)))
            with pytest.raises((ProofInvalid, InvalidInput)):
                contradict(checkpoint(leaves), checkpoint(honest), proof_of(Tree(liar), size))
    with pytest.raises(ProofInvalid):
        contradict(checkpoint(leaves), checkpoint(leaves), proof_of(Tree(honest), len(leaves)))


@given(proof=st.binary(max_size=60))
def test_what_cannot_be_read_proves_nothing(proof: bytes) -> None:
    with pytest.raises((ProofInvalid, InvalidInput)):
        contradict(checkpoint([b"a"]), checkpoint([b"a", b"b"]), proof)
