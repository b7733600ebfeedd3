"""What the coordinator's commands print: sentences with the right numbers, JSON, files for their owner alone."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from vicinia.errors import StorageFault

__all__ = ["counted", "give_out", "show"]


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: 1 home, 2 homes."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def show(shown: dict[str, Any], as_json: bool, text: str) -> None:
    """The one or the other."""
    typer.echo(json.dumps(shown, ensure_ascii=False) if as_json else text)


def give_out(lines: Sequence[str], out: Path | None, as_json: bool) -> None:
    """Invitations: to the screen, or into a file that its owner alone can read."""
    if out is None:
        show({"invitations": lines}, as_json, "\n".join(lines))
        return
    try:
        draft = out.with_name(f".{out.name}.{os.urandom(8).hex()}")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="ascii") as file:
                file.write("\n".join(lines) + "\n")
            draft.replace(out)  # a file that was there keeps neither its contents nor its mode
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise StorageFault(f"The invitations cannot be written: {error.strerror}.", where=str(out)) from error
    show({"count": len(lines), "file": str(out)}, as_json, f"{counted(len(lines), 'invitation')} in {out}.")
