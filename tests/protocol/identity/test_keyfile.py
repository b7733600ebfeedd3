"""Secret files: whole or not at all, and for their owner alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from vicinia.errors import AlreadyExists, NotFound, StorageFault
from vicinia.identity import read_secret, write_secret


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_secret_is_written_for_its_owner_alone(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        path = tmp_path / "a" / "b" / "identity.key"
        write_secret(path, b"secret")
    finally:
        os.umask(previous)
    assert [mode(one) for one in (path, path.parent, path.parent.parent)] == [0o600, 0o700, 0o700]
    assert read_secret(path) == b"secret"
    assert [one.name for one in path.parent.iterdir()] == ["identity.key"]


def test_a_secret_is_not_overwritten_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_secret(path, b"first")
    with pytest.raises(AlreadyExists):
        write_secret(path, b"second")
    assert read_secret(path) == b"first"
    write_secret(path, b"second", replace=True)
    assert read_secret(path) == b"second"
    assert mode(path) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["key"]


def test_a_folder_where_others_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(StorageFault, match="chmod 700"):
        write_secret(tmp_path / "key", b"secret")
    tmp_path.chmod(0o700)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o777])
def test_a_secret_that_others_can_reach_is_refused(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "key"
    write_secret(path, b"secret")
    path.chmod(bits)
    with pytest.raises(StorageFault, match="chmod 600"):
        read_secret(path)


def test_what_is_no_secret_file_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(NotFound):
        read_secret(tmp_path / "none")
    write_secret(tmp_path / "key", b"secret")
    (tmp_path / "link").symlink_to(tmp_path / "key")
    (tmp_path / "folder").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("link", "folder", "pipe"):
        with pytest.raises(StorageFault):
            read_secret(tmp_path / name)
    write_secret(tmp_path / "large", bytes(65_537))
    with pytest.raises(StorageFault):
        read_secret(tmp_path / "large")
    with pytest.raises(StorageFault):
        write_secret(tmp_path / "key" / "below-a-file", b"secret")
