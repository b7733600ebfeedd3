"""Keys that remember good signatures: never a bad one, and one electorate for all homes of a process."""

from __future__ import annotations

import pytest
from simulator_cooperative import Cooperative
from vicinia.errors import ProofInvalid
from vicinia.identity import SigningKey, VerifyingKey
from vicinia.node.services.electorate import LastingKey, electorate_of


def test_a_good_signature_is_checked_once_and_a_bad_one_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = SigningKey.generate()
    key, signature = LastingKey(signer.public.raw), signer.sign(b"message")
    checked: list[bytes] = []
    original = VerifyingKey.verify

    def verify(self: VerifyingKey, signature: bytes, message: bytes) -> None:
        checked.append(message)
        original(self, signature, message)

    monkeypatch.setattr(VerifyingKey, "verify", verify)
    for _ in range(3):
        key.verify(signature, b"message")
    assert checked == [b"message"]
    for wrong, message in ((signature, b"another"), (bytes(64), b"message"), (signature + b"m", b"essage")):
        for _ in range(2):
            with pytest.raises(ProofInvalid):
                key.verify(wrong, message)
    assert len(checked) == 7


def test_the_electorate_is_the_assemblys() -> None:
    coop = Cooperative.found(households=4)
    job = coop.job()
    coop.accept(job)
    size = len(coop.leaves)
    kept = electorate_of(coop.assembly, job.hash, size)
    expected = coop.assembly.electorate_keys(coop.assembly.vote_on(job.hash), size)
    assert {index: key.raw for index, key in kept.items()} == {index: key.raw for index, key in expected.items()}
    assert electorate_of(coop.replay(), job.hash, size) is kept
