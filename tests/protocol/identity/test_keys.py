"""Ed25519 as the project uses it: RFC 8032, and every published edge case decided as `keys` states."""

from __future__ import annotations

import json
import pickle

import pytest
from data import data_path
from hypothesis import given, settings
from hypothesis import strategies as st
from vicinia.errors import InvalidInput, ProofInvalid, ViciniaError
from vicinia.identity import SigningKey, VerifyingKey

P = 2**255 - 19

# RFC 8032, section 7.1: seed, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]

# The eight points of low order, and their other encodings (as CCTV and libsodium list them).
LOW_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
]


def accepts(key: str, signature: str, message: bytes) -> bool:
    try:
        VerifyingKey.from_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), message)
    except (InvalidInput, ProofInvalid):
        return False
    return True


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_rfc_8032(seed: str, public: str, message: str, signature: str) -> None:
    key = SigningKey.from_seed(bytes.fromhex(seed))
    assert key.public.hex == public
    assert key.sign(bytes.fromhex(message)).hex() == signature
    assert key.seed.hex() == seed
    assert accepts(public, signature, bytes.fromhex(message))
    assert not accepts(public, signature, bytes.fromhex(message) + b"!")


@pytest.mark.parametrize("encoded", LOW_ORDER)
def test_points_of_low_order_are_no_keys(encoded: str) -> None:
    with pytest.raises(InvalidInput):
        VerifyingKey.from_bytes(bytes.fromhex(encoded))


@pytest.mark.parametrize("y", [*range(P, 2**255), *(y + 2**255 for y in range(P, 2**255))])
def test_encodings_that_are_not_canonical_are_no_keys(y: int) -> None:
    with pytest.raises(InvalidInput):
        VerifyingKey.from_bytes(y.to_bytes(32, "little"))


@given(st.integers(0, P - 1))
@settings(max_examples=80)
def test_a_key_is_a_point_of_the_curve(y: int) -> None:
    """Against the definition: x^2 = (y^2 - 1) / (d y^2 + 1) has a root, found as RFC 8032, section 5.1.3, does."""
    d = -121665 * pow(121666, -1, P) % P
    x2 = (y * y - 1) * pow(d * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    on_curve = (x * x - x2) % P == 0 or (x * x + x2) % P == 0
    try:
        VerifyingKey.from_bytes(y.to_bytes(32, "little"))
        accepted = True
    except InvalidInput:
        accepted = False
    assert accepted == (on_curve and y.to_bytes(32, "little").hex() not in LOW_ORDER)


@pytest.mark.parametrize("raw", [b"", bytes(31), bytes(33), bytearray(32), "0" * 32, None])
def test_a_key_is_32_bytes(raw: object) -> None:
    with pytest.raises(InvalidInput):
        VerifyingKey.from_bytes(raw)  # type: ignore[arg-type]  # what a caller may send
    with pytest.raises(InvalidInput):
        SigningKey.from_seed(b"short")


def test_published_edge_cases() -> None:
    """CCTV: accepted are exactly the cases that need neither the cofactor nor a second encoding, under a key
    that is not of low order (see the statement at the top of `vicinia.identity.keys`)."""
    refused_for = {"low_order_A", "non_canonical_A", "non_canonical_R", "low_order_residue", "reencoded_k"}
    cases = json.loads(data_path("vectors", "ed25519", "cctv_ed25519vectors.json").read_text())
    assert len(cases) == 914
    accepted = 0
    for case in cases:
        expected = not refused_for & set(case["flags"] or ())
        assert accepts(case["key"], case["sig"], case["msg"].encode()) == expected, case["number"]
        accepted += expected
    assert accepted > 0


def test_wycheproof() -> None:
    groups = json.loads(data_path("vectors", "wycheproof", "ed25519_test.json").read_text())["testGroups"]
    for group in groups:
        for test in group["tests"]:
            decided = accepts(group["publicKey"]["pk"], test["sig"], bytes.fromhex(test["msg"]))
            assert decided == (test["result"] == "valid"), test["tcId"]


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 511))
@settings(max_examples=50)
def test_a_changed_signature_is_refused(seed: bytes, message: bytes, bit: int) -> None:
    key = SigningKey.from_seed(seed)
    signature = key.sign(message)
    key.public.verify(signature, message)
    changed = bytearray(signature)
    changed[bit // 8] ^= 1 << bit % 8
    for wrong in (bytes(changed), signature[:-1], signature + b"\0", b""):
        with pytest.raises(ProofInvalid):
            key.public.verify(wrong, message)
    with pytest.raises(ProofInvalid):
        SigningKey.from_seed(bytes(32)[:31] + b"\1").public.verify(signature, message + b"x")


def test_names_and_order() -> None:
    key = SigningKey.from_seed(bytes(32)).public
    assert key.id == "139e3940e64b5491722088d9a0d741628fc826e09475d341a780acde3c4b8070"[:32]
    assert VerifyingKey.from_hex(key.hex) == key
    assert {key: 1}[VerifyingKey.from_bytes(key.raw)] == 1
    others = sorted(SigningKey.from_seed(bytes([n]) * 32).public for n in range(9))
    assert [one.raw for one in others] == sorted(one.raw for one in others)
    for text in (key.hex.upper(), key.hex[:-1], key.hex + "0", " " + key.hex[1:], ""):
        with pytest.raises(InvalidInput):
            VerifyingKey.from_hex(text)


def test_a_secret_is_not_shown() -> None:
    key = SigningKey.generate()
    assert SigningKey.generate().seed != key.seed
    for shown in (repr(key), str(key), f"{key}", repr([key])):
        assert key.seed.hex() not in shown
        assert key.public.id in shown
    with pytest.raises((TypeError, ViciniaError)):
        pickle.dumps(key)
