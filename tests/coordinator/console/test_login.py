"""A login whose reply was lost can be repeated: the same statement, for the same key."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.x509 import load_der_x509_csr
from vicinia.assembly.invitation import Invitation
from vicinia.coordinator.client.folder import Folder
from vicinia.coordinator.console import login
from vicinia.errors import Unauthenticated, Unavailable
from vicinia.identity import SigningKey

LOG_KEY = SigningKey.from_seed(bytes(32))
INVITATION = Invitation(
    coop="trento",
    role="researcher",
    token=b"t" * 32,
    authority=b"-----BEGIN CERTIFICATE-----\n",
    genesis=b"g" * 32,
    log_key=LOG_KEY.public,
    address="localhost:8443",
    enrolment="localhost:8444",
    expires_ms=2**52,
    institution="University",
    kind="non-profit",
)


class LossyEnrolment:
    """Remembers what it was asked, and loses its first reply."""

    asked: list[tuple[bytes, bytes]] = []  # noqa: RUF012 - one for the test, which starts it anew

    def __init__(self, _address: str, _authority: bytes) -> None:
        pass

    def enrol(self, _token: bytes, leaf: bytes, signing_request: bytes) -> bytes:
        key = load_der_x509_csr(signing_request).public_key()
        self.asked.append((leaf, str(key.public_numbers()).encode()))  # type: ignore[union-attr]
        if len(self.asked) == 1:
            raise Unavailable("The reply was lost.", where="enrol")
        return b"certificate"

    def close(self) -> None:
        pass


def test_a_repeated_login_asks_for_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "Enrolment", LossyEnrolment)
    monkeypatch.setattr(LossyEnrolment, "asked", [])
    folder, line = Folder(tmp_path / "researcher"), INVITATION.text(LOG_KEY)
    with pytest.raises(Unavailable):
        login.log_in(folder, line)
    login.log_in(folder, line)
    first, second = LossyEnrolment.asked
    assert first == second
    assert folder.joined


@pytest.mark.parametrize("there", [True, False], ids=["a folder with a key", "no folder"])
def test_a_refused_login_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, there: bool) -> None:
    def refuse(*_: object) -> bytes:
        raise Unauthenticated("This invitation was used already.", where="invitation")

    monkeypatch.setattr(login, "Enrolment", LossyEnrolment)
    monkeypatch.setattr(LossyEnrolment, "enrol", refuse)
    folder = Folder(tmp_path / "researcher")
    if there:
        folder.identity()
    before = folder.files()
    with pytest.raises(Unauthenticated):
        login.log_in(folder, INVITATION.text(LOG_KEY))
    assert folder.files() == before
    assert folder.path.exists() is there
