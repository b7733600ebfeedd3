"""The steward's files: read as text, and parsed with errors that name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vicinia.errors import InvalidInput, NotFound

__all__ = ["located", "read"]


def read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError as error:
        raise NotFound("There is no such file.", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise InvalidInput("The file is not UTF-8 text.", where=f"{path}, byte {error.start}") from None
    except OSError as error:
        raise InvalidInput(f"The file cannot be read: {error.strerror}.", where=str(path)) from error


def located(path: Path, parse: Any) -> Any:
    """Parse a file; an error names it."""
    try:
        return parse(read(path))
    except InvalidInput as error:
        where = error.where
        if str(path) not in where:
            where = f"{path}{where.removeprefix('MAP.toml')}" if where.startswith("MAP.toml") else f"{path}: {where}"
            where = where.removesuffix(": ")
        raise type(error)(error.what, where=where, hint=error.hint) from error
