"""The primitives as the package uses them, against published vectors; sharing and packing as properties."""

from __future__ import annotations

import hashlib
import hmac

import numpy as np
import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st
from vicinia.errors import InvalidInput, ProofInvalid, ProtocolViolation
from vicinia.secagg import checks, keys, shamir, stream
from vicinia.secagg.bitmap import from_bits, from_indices, to_bits, to_indices
from vicinia.secagg.checks import roster
from vicinia.secagg.encoding import centred, pack, packed_size, to_ring, unpack

quick = settings(deadline=None, max_examples=60)


def test_chacha20_stream_is_that_of_rfc_8439() -> None:
    """RFC 8439, appendix A.1, vectors 1 and 2: key and nonce zero, blocks 0 and 1."""
    blocks = (
        "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
        "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
        "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
        "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"
    )
    assert stream.expand(bytes(32), 128).hex() == blocks
    mask = np.zeros(32, np.uint32)
    stream.add_masks(mask, plus=[bytes(32)])
    assert mask.astype("<u4").tobytes().hex() == blocks


def test_x25519_is_that_of_rfc_7748() -> None:
    """RFC 7748, section 6.1."""
    alice = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
    bob = bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
    assert keys.public(alice).hex() == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
    assert keys.public(bob).hex() == "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
    shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
    assert keys.exchange(keys.private(alice), keys.public(bob)).hex() == shared
    assert keys.exchange(keys.private(bob), keys.public(alice)).hex() == shared


def test_hkdf_is_that_of_rfc_5869() -> None:
    """RFC 5869, appendix A.3 (no salt), and the same construction under the package's labels."""
    okm = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    assert HKDF(SHA256(), 42, None, b"").derive(b"\x0b" * 22).hex() == okm
    extracted = hmac.digest(bytes(32), b"secret", hashlib.sha256)
    expected = hmac.digest(extracted, b"vicinia/secagg/1/chan/context\x01", hashlib.sha256)
    assert keys.derive(b"secret", b"chan", b"context") == expected


def test_keys_of_different_uses_differ() -> None:
    run = keys.RunKeys.of(bytes(32), bytes(32), 1)
    assert len({run.channel.raw, run.mask.raw, run.seed, run.dealing}) == 4
    assert keys.RunKeys.of(bytes(32), bytes(32), 2) != run
    assert keys.RunKeys.of(bytes(32), b"\1" * 32, 1) != run
    assert "seed" not in repr(run)
    assert keys.channel_key(b"s", b"G", 1, 2) != keys.channel_key(b"s", b"G", 2, 1)
    assert keys.edge_key(b"s", b"G", 1, 2) == keys.edge_key(b"s", b"G", 2, 1)
    assert keys.open_sealed(bytes(32), keys.seal(bytes(32), b"x")) == b"x"
    assert keys.open_sealed(b"\1" * 32, keys.seal(bytes(32), b"x")) is None


@pytest.mark.parametrize("value", [*sorted(roster._LOW_ORDER), 2**255 - 19, 2**255 - 18])
def test_keys_of_low_order_are_refused_twice(value: int) -> None:
    raw = value.to_bytes(32, "little")
    with pytest.raises(ProofInvalid):
        checks.usable_key(raw)
    with pytest.raises(ProtocolViolation):
        keys.exchange(keys.private(b"\7" * 32), raw)


@quick
@given(st.data())
def test_any_threshold_of_the_shares_gives_the_secret_back(data: st.DataObject) -> None:
    recipients = data.draw(st.integers(2, 254))
    threshold = data.draw(st.integers(1, recipients))
    secret = data.draw(st.binary(min_size=1, max_size=64))
    shares = shamir.split(secret, threshold, recipients, stream.expand(bytes(32), (threshold - 1) * len(secret)))
    points = data.draw(st.permutations(range(1, recipients + 1)))[:threshold]
    assert shamir.recombine(points, shares[[point - 1 for point in points]]) == secret
    if threshold > 1 and len(secret) > 8:
        assert shamir.recombine(points[1:], shares[[point - 1 for point in points[1:]]]) != secret


def test_the_field_is_that_of_fips_197() -> None:
    """FIPS 197, section 4.2: {57} * {83} = {c1}; products agree with carry-less multiplication."""

    def product(a: int, b: int) -> int:
        total = 0
        for bit in range(8):
            total ^= (a << bit) if b >> bit & 1 else 0
        for bit in range(14, 7, -1):
            total ^= (0x11B << (bit - 8)) if total >> bit & 1 else 0
        return total

    assert product(0x57, 0x83) == 0xC1
    assert all(shamir._PRODUCT[a, b] == product(a, b) for a in range(256) for b in range(0, 256, 5))


@quick
@given(st.integers(1, 32), st.integers(0, 300), st.integers(0, 2**32))
def test_packing_and_unpacking_are_inverse(width: int, count: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 1 << width, count, dtype=np.uint32)
    packed = pack(values, width)
    assert len(packed) == packed_size(count, width)
    assert (unpack(packed, count, width) == values).all()
    expected = sum(value << (place * width) for place, value in enumerate(values.tolist()))
    assert int.from_bytes(packed, "little") == expected
    with pytest.raises(InvalidInput):
        unpack(packed + b"\0", count, width)
    with pytest.raises(InvalidInput):
        pack(values, 33)


def test_long_vectors_are_packed_in_blocks() -> None:
    values = np.random.default_rng(1).integers(0, 1 << 27, 70_001, dtype=np.uint32)
    assert (unpack(pack(values, 27), 70_001, 27) == values).all()


@quick
@given(st.integers(2, 32), st.data())
def test_the_ring_is_decoded_centred(width: int, data: st.DataObject) -> None:
    half = 1 << (width - 1)
    values = data.draw(st.lists(st.integers(-half, half - 1), max_size=20))
    array = np.array(values, np.int64)
    assert centred(to_ring(array, width), width).tolist() == values


@quick
@given(st.integers(1, 70_000), st.lists(st.binary(min_size=32, max_size=32), max_size=3))
def test_masks_cancel(count: int, masks: list[bytes]) -> None:
    vector = np.arange(count, dtype=np.uint32)
    stream.add_masks(vector, plus=masks)
    stream.add_masks(vector, minus=masks)
    assert (vector == np.arange(count)).all()


@quick
@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_bitmaps_have_one_spelling(flags: list[bool]) -> None:
    bits = np.array(flags)
    assert (to_bits(from_bits(bits), len(flags), where="x") == bits).all()
    with pytest.raises(ProtocolViolation):
        to_bits(from_bits(bits) + b"\0", len(flags), where="x")
    if len(flags) % 8:
        with pytest.raises(ProtocolViolation):
            to_bits(from_bits(bits)[:-1] + b"\xff", len(flags), where="x")
    if any(flags):
        chosen = np.flatnonzero(bits)
        assert (to_indices(from_indices(chosen)) == chosen).all()
    with pytest.raises(ProtocolViolation):
        to_indices(from_bits(bits) + b"\0")
