"""What the commands read: a job's file, and an invitation from the command line, standard input or a file."""

from __future__ import annotations

import sys
from pathlib import Path

from vicinia.errors import InvalidInput, NotFound

__all__ = ["read_invitation", "read_text"]

MAX_FILE = 64 * 1024


def read_invitation(word: str | None, path: Path | None) -> str:
    """The invitation from the command line, standard input or a file; InvalidInput unless it is exactly one of them."""
    if (word is None) == (path is None):
        raise InvalidInput(
            "Give the invitation once: as a word, as - for standard input, or with --invitation-file FILE.",
            where="login",
            hint="Example: vicinia login --invitation-file invitation.txt",
        )
    if path is not None:
        return read_text(path, "An invitation").strip()
    return sys.stdin.read(MAX_FILE).strip() if word == "-" else str(word)


def read_text(path: Path, what: str = "A job") -> str:
    """The text of a file; NotFound or InvalidInput in words."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotFound(f"The file cannot be read: {error.strerror}.", where=str(path)) from error
    if len(data) > MAX_FILE:
        raise InvalidInput(f"{what} has at most {MAX_FILE:,} bytes.", where=str(path))
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput("The file is not UTF-8 text.", where=f"{path}, byte {error.start}") from error
