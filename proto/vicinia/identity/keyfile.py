"""Secret files: written whole or not at all, and readable by their owner alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from vicinia.errors import AlreadyExists, NotFound, StorageFault

__all__ = ["MAX_SECRET_BYTES", "read_secret", "write_secret"]

MAX_SECRET_BYTES: Final = 65_536
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def write_secret(path: Path, data: bytes, *, replace: bool = False) -> None:
    """Write a secret with mode 0600; missing folders are made with 0700.

    The file appears whole or not at all, also over a power cut. AlreadyExists where it is there and `replace` is
    not set; StorageFault where it cannot be written, or others may write in its folder and so could swap it.
    """
    try:
        _make_folder(path.parent)
        if path.parent.stat().st_mode & _OTHERS_WRITE:
            hint = f"Choose a folder of your own, or run: chmod 700 {path.parent}"
            raise StorageFault("Others may write in the folder of this secret.", where=str(path.parent), hint=hint)
        draft = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
        try:
            _write_new(draft, data)
            if replace:
                draft.replace(path)
            else:
                os.link(draft, path)  # unlike a rename, this fails where the name is taken
        finally:
            draft.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except FileExistsError:
        raise AlreadyExists("A secret is there already and is not overwritten.", where=str(path)) from None
    except OSError as error:
        raise StorageFault(f"The secret cannot be written: {error.strerror}.", where=str(path)) from error


def read_secret(path: Path) -> bytes:
    """Read a secret of at most 64 KiB.

    NotFound where there is none; StorageFault where it is no plain file, is too large, cannot be read, or others
    than its owner may read or write it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            _check_private(path, os.fstat(descriptor))
            data = file.read(MAX_SECRET_BYTES + 1)
    except FileNotFoundError:
        raise NotFound("There is no such secret.", where=str(path)) from None
    except OSError as error:
        raise StorageFault(f"The secret cannot be read: {error.strerror}.", where=str(path)) from error
    if len(data) > MAX_SECRET_BYTES:
        raise StorageFault(f"A secret has at most {MAX_SECRET_BYTES} bytes.", where=str(path))
    return data


def _check_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise StorageFault("A secret is kept in a plain file.", where=str(path))
    if status.st_mode & _OTHERS:
        hint = f"If nobody else has read it, run: chmod 600 {path}"
        raise StorageFault("Others than its owner may read or write this secret.", where=str(path), hint=hint)


def _make_folder(folder: Path) -> None:
    """Make what is missing, for the owner alone."""
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
    elif not folder.is_dir():
        raise StorageFault("A secret needs a folder here.", where=str(folder))


def _write_new(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
