"""Statements: what is signed, what is logged, and that nothing else is read."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vicinia.errors import InvalidInput, ProofInvalid, TooLarge
from vicinia.identity import SigningKey
from vicinia.tlog.canonical import canonical
from vicinia.tlog.dsse import pae, sign_detached, signing_bytes, verify_detached
from vicinia.tlog.statement import MAX_LEAF_BYTES, Statement

KEYS = [SigningKey.from_seed(bytes([number]) * 32) for number in range(1, 6)]
PAYLOAD = {"coop": "san-lorenzo", "proposal": "ab" * 32, "sequence": 1, "choice": "yes"}


def test_the_encoding_of_dsse() -> None:
    """The example of the DSSE protocol, and one with more bytes than characters."""
    hello = pae("http://example.com/HelloWorld", b"hello world")
    assert hello == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("\u00e8", b"") == b"DSSEv1 2 \xc3\xa8 0 "


@given(st.tuples(st.text(max_size=6), st.binary(max_size=6)), st.tuples(st.text(max_size=6), st.binary(max_size=6)))
def test_no_two_messages_share_an_encoding(one: tuple[str, bytes], other: tuple[str, bytes]) -> None:
    assert (pae(*one) == pae(*other)) == (one == other)


def test_what_is_signed_is_known_byte_for_byte() -> None:
    text = '{"choice":"yes","coop":"san-lorenzo","proposal":"' + "ab" * 32 + '","sequence":1}'
    expected = f"DSSEv1 38 application/vnd.vicinia.ballot.v1+json {len(text)} {text}".encode()
    assert signing_bytes("ballot", PAYLOAD) == expected
    assert Statement("ballot", dict(PAYLOAD)).digest == hashlib.sha256(expected).digest()


@pytest.mark.parametrize("kind", ["", "Ballot", "ballot ", "bal lot", "1ballot", "a" * 41, "b\u00e4llot", "ballot\n"])
def test_a_kind_is_a_plain_word(kind: str) -> None:
    with pytest.raises(InvalidInput):
        signing_bytes(kind, PAYLOAD)


@pytest.mark.parametrize(
    "payload", [{}, {"coop": 1}, {"coop": None}, {"coop": "x", "rho": 0.5}, {"coop": "x", "t": (1,)}]
)
def test_what_is_signed_names_its_cooperative_and_is_canonical(payload: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        signing_bytes("ballot", payload)
    with pytest.raises(InvalidInput):
        Statement("ballot", payload)


def test_a_statement_is_signed_read_back_and_verified() -> None:
    statement = Statement("member", dict(PAYLOAD))
    for key in KEYS[:3]:
        statement = statement.sign(key)
    assert [key for key, _ in statement.signatures] == sorted(key.public for key in KEYS[:3])
    again = Statement.parse(statement.leaf())
    assert again == statement
    assert again.leaf() == statement.leaf()
    again.verify()
    assert [again.signed_by(key.public) for key in KEYS] == [True, True, True, False, False]
    assert again.sign(KEYS[0]) == again
    assert again.unsigned() == Statement("member", dict(PAYLOAD))
    assert again.unsigned().digest == again.digest
    assert again.unsigned().endorse(KEYS[3].public, sign_detached(KEYS[3], "member", PAYLOAD)).signed_by(KEYS[3].public)


@given(st.permutations(KEYS))
@settings(max_examples=20)
def test_the_order_of_signing_does_not_show(keys: list[SigningKey]) -> None:
    one, other = Statement("member", dict(PAYLOAD)), Statement("member", dict(PAYLOAD))
    for first, second in zip(keys, KEYS, strict=True):
        one, other = one.sign(first), other.sign(second)
    assert one.leaf() == other.leaf()


def test_a_signature_of_something_else_is_refused() -> None:
    other_kind = sign_detached(KEYS[0], "close", PAYLOAD)
    other_coop = sign_detached(KEYS[0], "ballot", {**PAYLOAD, "coop": "elsewhere"})
    for signature in (other_kind, other_coop, bytes(64)):
        statement = Statement("ballot", dict(PAYLOAD), ((KEYS[0].public, signature),))
        assert not statement.signed_by(KEYS[0].public)
        with pytest.raises(ProofInvalid):
            statement.verify()
        with pytest.raises(ProofInvalid):
            Statement("ballot", dict(PAYLOAD)).endorse(KEYS[0].public, signature)
    valid = Statement("ballot", dict(PAYLOAD)).sign(KEYS[0])
    with pytest.raises(ProofInvalid):
        Statement("ballot", {**PAYLOAD, "choice": "no"}, valid.signatures).verify()


def test_signatures_are_sorted_one_a_key() -> None:
    signed = Statement("member", dict(PAYLOAD)).sign(KEYS[0]).sign(KEYS[1])
    first, second = signed.signatures
    for signatures in ((second, first), (first, first), ((first[0], b"short"),)):
        with pytest.raises(InvalidInput):
            Statement("member", dict(PAYLOAD), signatures)


def _changed_leaves() -> list[dict[str, Any]]:
    leaf: dict[str, Any] = json.loads(Statement("member", dict(PAYLOAD)).sign(KEYS[0]).sign(KEYS[1]).leaf())
    first, second = leaf["signatures"]
    return [
        {**leaf, "extra": 1},
        {name: leaf[name] for name in leaf if name != "v"},
        {**leaf, "v": 2},
        {**leaf, "v": True},
        {**leaf, "v": "1"},
        {**leaf, "type": "Member"},
        {**leaf, "type": 1},
        {**leaf, "type": None},
        {**leaf, "payload": []},
        {**leaf, "payload": {}},
        {**leaf, "signatures": {}},
        {**leaf, "signatures": [second, first]},
        {**leaf, "signatures": [first, first]},
        {**leaf, "signatures": ["x"]},
        {**leaf, "signatures": [{**first, "extra": 1}]},
        {**leaf, "signatures": [{"key": first["key"]}]},
        {**leaf, "signatures": [{**first, "sig": first["sig"].upper()}]},
        {**leaf, "signatures": [{**first, "sig": first["sig"][2:]}]},
        {**leaf, "signatures": [{**first, "sig": 1}]},
        {**leaf, "signatures": [{**first, "key": first["key"].upper()}]},
        {**leaf, "signatures": [{**first, "key": "00" * 32}]},
        {**leaf, "signatures": [{**first, "key": None}]},
    ]


@pytest.mark.parametrize("leaf", _changed_leaves(), ids=lambda leaf: hashlib.sha256(canonical(leaf)).hexdigest()[:6])
def test_a_changed_leaf_is_refused(leaf: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Statement.parse(canonical(leaf))


@given(st.integers(0, 10_000), st.integers(1, 255))
@settings(max_examples=150)
def test_no_byte_of_a_leaf_can_change_unnoticed(at: int, change: int) -> None:
    leaf = bytearray(Statement("member", dict(PAYLOAD)).sign(KEYS[0]).leaf())
    leaf[at % len(leaf)] ^= change
    with pytest.raises((InvalidInput, ProofInvalid)):
        Statement.parse(bytes(leaf)).verify()


def test_a_leaf_has_at_most_65535_bytes() -> None:
    empty = len(Statement("member", {"coop": "abc", "x": ""}).leaf())
    full = Statement("member", {"coop": "abc", "x": "x" * (MAX_LEAF_BYTES - empty)})
    assert len(full.leaf()) == 65_535
    assert Statement.parse(full.leaf()) == full
    with pytest.raises(TooLarge):
        Statement("member", {"coop": "abc", "x": "x" * (MAX_LEAF_BYTES - empty + 1)}).leaf()


def test_detached_signatures() -> None:
    signature = sign_detached(KEYS[0], "advert", PAYLOAD)
    verify_detached(KEYS[0].public, signature, "advert", PAYLOAD)
    for key, kind, payload in (
        (KEYS[1], "advert", PAYLOAD),
        (KEYS[0], "share-list", PAYLOAD),
        (KEYS[0], "advert", {**PAYLOAD, "coop": "elsewhere"}),
    ):
        with pytest.raises(ProofInvalid):
            verify_detached(key.public, signature, kind, payload)
