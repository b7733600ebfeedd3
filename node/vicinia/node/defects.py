"""Defects of the program: a sentence for the person, the details in a file of the home for whoever mends it."""

from __future__ import annotations

import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from vicinia.errors import InternalFault

__all__ = ["FILE", "report"]

FILE = "defects.log"
_MAX_BYTES = 256 << 10


def report(error: Exception, folder: Path | None, *, shown: bool = False) -> InternalFault:
    """Write the traceback to the folder's file (0600, begun anew above 256 KiB), or show it; the error to print.

    Never makes a folder, and never fails: where nothing can be written, the hint says how to see the details.
    """
    details = "".join(traceback.format_exception(error))
    what = f"The program has a defect ({type(error).__name__})."
    if shown:
        sys.stderr.write(details)
        return InternalFault(what, hint="Please report the lines above to its makers.")
    path = None if folder is None else folder.expanduser() / FILE
    if path is not None and _written(path, details):
        return InternalFault(what, hint=f"Please report it to its makers; the details are in {path}.")
    return InternalFault(what, hint="Please report it to its makers; repeat the command with --debug for the details.")


def _written(path: Path, details: str) -> bool:
    try:
        if not path.parent.is_dir():
            return False
        full = path.exists() and path.stat().st_size > _MAX_BYTES
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | (os.O_TRUNC if full else os.O_APPEND)
        with open(os.open(path, flags, 0o600), "w", encoding="utf-8", errors="replace") as file:
            file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')}\n{details}\n")
    except (OSError, ValueError):
        return False
    return True
