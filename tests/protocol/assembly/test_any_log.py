"""Whatever is done to a log, no job gets permission that the members did not give."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator_cooperative import Cooperative
from vicinia.assembly import Assembly
from vicinia.errors import ViciniaError
from vicinia.tlog.checkpoint import SignedCheckpoint, witness_name
from vicinia.tlog.statement import Statement

COOP = Cooperative.found(households=10)
ACCEPTED, REJECTED = COOP.job(), COOP.job(title="Refused")
COOP.propose(ACCEPTED)
COOP.propose(REJECTED)
COOP.vote(ACCEPTED, yes=6, no=1)
COOP.vote(REJECTED, yes=3, no=3)
COOP.close(ACCEPTED)
COOP.close(REJECTED)
COOP.certify(ACCEPTED)
LEAVES = tuple(COOP.leaves)
FIRST_CLOSE = len(LEAVES) - 5


def _replayed(leaves: list[bytes]) -> Assembly:
    """What is left when every leaf that is not valid at its place is dropped: the most an attacker gets."""
    assembly = Assembly(leaves[0], COOP.assembly.genesis_digest)
    for leaf in leaves[1:]:
        try:
            assembly.append(leaf)
        except ViciniaError:
            continue
    return assembly


def _fresh(assembly: Assembly) -> SignedCheckpoint:
    """As generous as can be: the witness confirms whatever state this is."""
    name = witness_name(COOP.coop, COOP.witnesses[0].public)
    return SignedCheckpoint(assembly.checkpoint(), ((name, COOP.now_ms // 1000),))


def _allowed_only_what_was_accepted(assembly: Assembly) -> None:
    signed = _fresh(assembly)
    assert not assembly.may_run(REJECTED, 0, COOP.now_ms, signed).ok
    if assembly.may_run(ACCEPTED, 0, COOP.now_ms, signed).ok:
        result = assembly.tally(assembly.vote_on(ACCEPTED.hash))
        assert result.counts.yes > result.counts.no
        assert 5 * result.counts.turnout >= result.electorate


def test_the_log_itself_is_fine() -> None:
    assembly = Assembly.from_leaves(LEAVES)
    assert assembly.may_run(ACCEPTED, 0, COOP.now_ms, _fresh(assembly)).ok
    assert not assembly.may_run(REJECTED, 0, COOP.now_ms, _fresh(assembly)).ok


@settings(max_examples=25)
@given(st.permutations(range(1, len(LEAVES))))
def test_any_order(order: list[int]) -> None:
    _allowed_only_what_was_accepted(_replayed([LEAVES[0], *(LEAVES[at] for at in order)]))


@settings(max_examples=25)
@given(st.sets(st.integers(1, len(LEAVES) - 1), min_size=1))
def test_any_drop(dropped: set[int]) -> None:
    kept = [leaf for at, leaf in enumerate(LEAVES) if at not in dropped]
    assembly = _replayed(kept)
    _allowed_only_what_was_accepted(assembly)
    if min(dropped) < FIRST_CLOSE:
        # A close names the root of the very log it closes: with a leaf missing before it, there is no permission.
        assert not assembly.may_run(ACCEPTED, 0, COOP.now_ms, _fresh(assembly)).ok


@settings(max_examples=25)
@given(st.lists(st.integers(1, len(LEAVES) - 1), min_size=1, max_size=20))
def test_any_repetition(repeated: list[int]) -> None:
    assembly = _replayed([*LEAVES, *(LEAVES[at] for at in repeated)])
    _allowed_only_what_was_accepted(assembly)
    assert assembly.vote_on(ACCEPTED.hash).turnout == 7
    assert len(assembly.members) == 10


@settings(max_examples=60)
@given(st.integers(0, len(LEAVES) - 1), st.data())
def test_a_leaf_with_any_byte_changed_is_refused(at: int, data: st.DataObject) -> None:
    leaf = bytearray(LEAVES[at])
    where = data.draw(st.integers(0, len(leaf) - 1))
    leaf[where] ^= data.draw(st.integers(1, 255))
    take = _upto(at).append if at else Assembly
    with pytest.raises(ViciniaError):
        take(bytes(leaf))


_PREFIXES: dict[int, Assembly] = {}


def _upto(size: int) -> Assembly:
    """The assembly after that many leaves; refused leaves do not change it, so it may be shared."""
    if size not in _PREFIXES:
        _PREFIXES[size] = Assembly.from_leaves(LEAVES[:size])
    assert _PREFIXES[size].size == size
    return _PREFIXES[size]


FIELDS = [(at, name) for at, leaf in enumerate(LEAVES) if at for name in sorted(Statement.parse(leaf).payload)]


@settings(max_examples=60)
@given(st.sampled_from(FIELDS), st.sampled_from([None, True, -1, 0, 2**53, "", "x", [], {}, "00" * 32, [[[]]]]))
def test_a_leaf_with_any_field_changed_and_not_signed_again_is_refused(field: tuple[int, str], value: object) -> None:
    at, name = field
    shown = json.loads(LEAVES[at])
    if shown["payload"][name] == value:
        return
    shown["payload"][name] = value
    leaf = json.dumps(shown, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(ViciniaError):
        _upto(at).append(leaf)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_words(leaf: bytes) -> None:
    with pytest.raises(ViciniaError):
        _upto(len(LEAVES)).append(leaf)
