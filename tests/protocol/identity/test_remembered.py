"""Signatures that were found valid are remembered: never a bad one, and never for another message or key."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from vicinia.errors import ProofInvalid
from vicinia.identity import SigningKey, keys


class _Counted:
    """Stands for the library's key, and counts the checks."""

    def __init__(self, checked: list[bytes]) -> None:
        self._checked = checked
        self._original = Ed25519PublicKey

    def from_public_bytes(self, raw: bytes) -> _Counted:
        self._raw = raw
        return self

    def verify(self, signature: bytes, message: bytes) -> None:
        self._checked.append(message)
        self._original.from_public_bytes(self._raw).verify(signature, message)


def test_a_good_signature_is_checked_once_and_a_bad_one_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    signer, other, checked = SigningKey.generate(), SigningKey.generate(), list[bytes]()
    key, signature = signer.public, signer.sign(b"message")
    monkeypatch.setattr(keys, "Ed25519PublicKey", _Counted(checked))
    for _ in range(3):
        key.verify(signature, b"message")
    assert checked == [b"message"]
    for wrong, message in ((signature, b"another"), (bytes(64), b"message"), (signature + b"m", b"essage")):
        for _ in range(2):
            with pytest.raises(ProofInvalid):
                key.verify(wrong, message)
    for _ in range(2):
        with pytest.raises(ProofInvalid):
            other.public.verify(signature, b"message")
    assert len(checked) == 9


def test_no_more_are_remembered_than_the_limit() -> None:
    newest = keys._Newest(3)
    for name in (b"a", b"b", b"c", b"d"):
        newest.add(name)
    assert [name in newest for name in (b"a", b"b", b"c", b"d")] == [False, True, True, True]
