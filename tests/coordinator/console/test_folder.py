"""The researcher's folder: secrets stay secret, half a login is none, jobs are found by how they begin."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from vicinia.coordinator.client.folder import Folder, Membership
from vicinia.errors import NotFound, StorageFault
from vicinia.identity.keys import SigningKey

MEMBERSHIP = Membership(
    coop="valley",
    institution="University",
    kind="non-profit",
    address="127.0.0.1:1",
    enrolment="127.0.0.1:2",
    authority="PEM",
    genesis="00" * 32,
    log_key=SigningKey.from_seed(b"l" * 32).public.hex,
)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "console")


def test_the_identity_is_made_once_and_for_its_owner_alone(folder: Folder) -> None:
    first = folder.identity()
    assert folder.identity().seed == first.seed
    assert stat.S_IMODE((folder.path / "identity.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_before_a_login_one_is_told_how_to_log_in(folder: Folder) -> None:
    with pytest.raises(NotFound, match="not logged in"):
        folder.membership()


def test_a_login_is_kept(folder: Folder) -> None:
    folder.keep_login(MEMBERSHIP, b"key", b"certificate")
    assert folder.membership() == MEMBERSHIP
    assert folder.certificate() == (b"key", b"certificate")


def test_a_damaged_login_is_said_to_be_damaged(folder: Folder) -> None:
    folder.keep_login(MEMBERSHIP, b"key", b"certificate")
    (folder.path / "cooperative.json").write_bytes(b'{"coop": 1, "more": 2}')
    with pytest.raises(StorageFault, match="damaged"):
        folder.membership()


def test_what_was_sent_once_is_sent_again_unchanged(folder: Folder) -> None:
    assert folder.once("statement", b"token", b"first") == b"first"
    assert folder.once("statement", b"token", b"second") == b"first"
    assert folder.once("statement", b"other", b"third") == b"third"


def test_the_jobs_that_were_submitted_are_known(folder: Folder) -> None:
    assert folder.jobs() == ()
    for name in ("ac" * 32, "ab" * 32):
        folder.keep_job(name, "title")
    assert folder.jobs() == ("ab" * 32, "ac" * 32)
