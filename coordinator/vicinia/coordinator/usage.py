"""What is wrong with a command line, in one sentence, for both programs; and the option that tells the version."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import Annotated

import click
import typer

__all__ = ["VersionOption", "sentence"]


def sentence(error: click.ClickException, program: str) -> str:
    """The complaint as every other error is told; a nearest word is named once."""
    of = getattr(getattr(error, "ctx", None), "command_path", program)
    words = error.format_message().strip()
    said = re.sub(r"(Did you mean [^?]+\?)(?:\s*\1)+", r"\1", words)
    ended = said if said.endswith(("?", ".")) else f"{said}."
    return f"{of}: {ended} See: {of} --help"


def _tell(wanted: bool) -> None:
    if wanted:
        context = click.get_current_context()
        typer.echo(f"{context.info_name} {version('vicinia')}")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", help="Show the version and end.", callback=_tell, is_eager=True)
]
