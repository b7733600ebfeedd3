"""The words of a command: those that several commands share, and where `--dir` may stand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["JobFile", "JobName", "Json", "folder_first"]

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
JobFile = Annotated[Path, typer.Argument(metavar="JOB.toml", help="The job, as a file.")]
JobName = Annotated[str, typer.Argument(metavar="JOB", help="The job's hash, or how it begins.")]


def folder_first(argv: list[str]) -> list[str]:
    """`--dir DIR` may stand before or after the command, as with the other programs."""
    for place, word in enumerate(argv):
        if word == "--":
            break
        if word == "--dir" and place + 1 < len(argv):
            return [*argv[place : place + 2], *argv[:place], *argv[place + 2 :]]
        if word.startswith("--dir="):
            return [word, *argv[:place], *argv[place + 1 :]]
    return argv
