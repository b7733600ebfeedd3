"""The primitives that the project takes from its cryptographic library, as it uses them (Wycheproof, RFCs)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from data import data_path


def groups(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(data_path("vectors", "wycheproof", name).read_text())["testGroups"]
    return found


def agree(private: str, public: str) -> bytes | None:
    """The shared secret, or None where the library refuses: it does for the all-zero one (RFC 7748, section 6.1)."""
    try:
        other = X25519PublicKey.from_public_bytes(bytes.fromhex(public))
        return X25519PrivateKey.from_private_bytes(bytes.fromhex(private)).exchange(other)
    except ValueError:
        return None


def hkdf(ikm: bytes, salt: bytes, info: bytes, size: int) -> bytes | None:
    try:
        return HKDF(SHA256(), size, salt, info).derive(ikm)
    except ValueError:
        return None


def test_x25519_of_rfc_7748() -> None:
    """Section 5.2, the first vector: scalar, u-coordinate, result."""
    shared = agree(
        "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
        "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
    )
    assert shared is not None
    assert shared.hex() == "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"


def test_x25519_of_wycheproof() -> None:
    """Every vector gives the published secret, except that low-order points, whose secret is zero, are refused."""
    for group in groups("x25519_test.json"):
        for test in group["tests"]:
            zero = "ZeroSharedSecret" in test["flags"]
            assert zero == (set(test["shared"]) == {"0"})
            expected = None if zero else bytes.fromhex(test["shared"])
            assert agree(test["private"], test["public"]) == expected, test["tcId"]


def test_hkdf_of_rfc_5869() -> None:
    okm = hkdf(bytes.fromhex("0b" * 22), bytes(range(13)), bytes(range(0xF0, 0xFA)), 42)
    assert okm is not None
    assert okm.hex() == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"


def test_hkdf_of_wycheproof() -> None:
    for group in groups("hkdf_sha256_test.json"):
        for test in group["tests"]:
            ikm, salt, info = (bytes.fromhex(test[name]) for name in ("ikm", "salt", "info"))
            expected = bytes.fromhex(test["okm"]) if test["result"] == "valid" else None
            assert hkdf(ikm, salt, info, test["size"]) == expected, test["tcId"]


def test_chacha20_poly1305_of_rfc_8439() -> None:
    key, nonce = bytes(range(0x80, 0xA0)), bytes.fromhex("070000004041424344454647")
    aad = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    text = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
        b"sunscreen would be it."
    )
    sealed = ChaCha20Poly1305(key).encrypt(nonce, text, aad)
    assert sealed[:16].hex() == "d31a8d34648e60db7b86afbc53ef7ec2"
    assert sealed[-16:].hex() == "1ae10b594f09e26a7e902ecbd0600691"
    assert ChaCha20Poly1305(key).decrypt(nonce, sealed, aad) == text


def test_chacha20_poly1305_of_wycheproof() -> None:
    for group in groups("chacha20_poly1305_test.json"):
        for test in group["tests"]:
            key, nonce, aad, text, ct, tag = (
                bytes.fromhex(test[name]) for name in ("key", "iv", "aad", "msg", "ct", "tag")
            )
            if test["result"] == "valid":
                assert ChaCha20Poly1305(key).encrypt(nonce, text, aad) == ct + tag, test["tcId"]
                assert ChaCha20Poly1305(key).decrypt(nonce, ct + tag, aad) == text, test["tcId"]
            else:
                with pytest.raises((InvalidTag, ValueError)):
                    ChaCha20Poly1305(key).decrypt(nonce, ct + tag, aad)
