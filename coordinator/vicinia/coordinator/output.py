"""What the coordinator's commands print: sentences with the right numbers, JSON, files for their owner alone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from vicinia.errors import AlreadyExists, StorageFault

__all__ = ["counted", "give_out", "in_words", "show"]


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: 1 home, 2 homes."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def show(shown: dict[str, Any], as_json: bool, text: str) -> None:
    """The one or the other."""
    typer.echo(json.dumps(shown, ensure_ascii=False) if as_json else text)


def give_out(make: Callable[[], Sequence[str]], out: Path | None, as_json: bool) -> None:
    """Invitations: to the screen, or into a new file that its owner alone can read.

    The file is there before an invitation is: none is open that nobody has. AlreadyExists rather than write over
    invitations that may be unused.
    """
    if out is None:
        lines = make()
        show({"invitations": lines}, as_json, "\n".join(lines))
        return
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise AlreadyExists(
            "There is such a file already, maybe with invitations that nobody has used.",
            where=str(out),
            hint="Name another file, or remove that one.",
        ) from None
    except OSError as error:
        raise _unwritten(out, error) from error
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            lines = make()
            file.write("\n".join(lines) + "\n")
    except BaseException as error:
        out.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _unwritten(out, error) from error
        raise
    show({"count": len(lines), "file": str(out)}, as_json, f"{counted(len(lines), 'invitation')} in {out}.")


def _unwritten(out: Path, error: OSError) -> StorageFault:
    return StorageFault(f"The invitations cannot be written: {error.strerror}.", where=str(out))


def in_words(shown: Mapping[str, Any]) -> list[str]:
    """The overview for people, one line for each thing."""
    confirmed = f"the witnesses have confirmed {shown['accepted_size']}"
    ahead = shown["homes_with_longer_logs"]
    pairs = (
        ("cooperative", f"{shown['coop']} ({shown['name']})"),
        ("data sets", ", ".join(shown["datasets"]) or "none"),
        ("members", f"{shown['members']}; {shown['seen_lately']} asked for news in the last ten minutes"),
        ("researchers", str(shown["researchers"])),
        ("public log", f"{counted(shown['log_size'], 'entry', 'entries')}; {confirmed}"),
        ("log state", shown["log_state"]),
        ("root", shown["root"]),
        ("waiting", f"{counted(shown['waiting_for_signatures'], 'statement')} for signatures of registrars or members"),
        ("open", f"{counted(shown['open_invitations'], 'invitation')} that nobody has used"),
        ("runs", f"{shown['active_runs']} under way"),
    )
    lines = [f"{name + ':':<13}{words}" for name, words in pairs]
    if ahead:
        lines.append(f"WARNING: {counted(ahead, 'home')} know more of the log than this coordinator: was it restored?")
    jobs = [f"job {one['job'][:16]} {one['stage']}: {one['title']} {one['reason']}".rstrip() for one in shown["jobs"]]
    return [*lines, *(jobs or ["no jobs yet"])]
