"""One process at a time in a role: a lock on a file in the home's folder, which ends with the process at the latest."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from vicinia.errors import AlreadyExists, StorageFault

__all__ = ["Hold"]


class Hold:
    """Held from construction to `close`; a home that another process holds in this role is an AlreadyExists."""

    def __init__(self, directory: Path, role: str) -> None:
        path = directory / f"{role}.lock"
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageFault(f"The lock cannot be opened ({error.strerror}).", where=str(path)) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise AlreadyExists(
                f"another {role} serves this home.",
                where=str(directory),
                hint="One at a time: end the other one first, or wait until it has ended.",
            ) from None

    def close(self) -> None:
        """Let go. The file stays: a lock on a removed file would keep nobody out."""
        os.close(self._descriptor)
