"""What a command prints: text for people, or one JSON document."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from vicinia.errors import ViciniaError

__all__ = ["complain", "counted", "fail", "show", "table", "when"]


def show(as_json: bool, document: Mapping[str, object], lines: Iterable[str]) -> None:
    """Print the document as JSON, or the lines."""
    if as_json:
        sys.stdout.write(json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def complain(sentence: str) -> None:
    """Print what went wrong with one of several things."""
    sys.stderr.write(f"error: {sentence}\n")


def fail(error: ViciniaError) -> int:
    """Print an error as a sentence; the exit status."""
    where = f"{error.where}: " if error.where else ""
    hint = f" {error.hint}" if error.hint else ""
    complain(f"{where}{error.what}{hint}")
    return error.exit_status


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: 1 home, 2 homes."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows in columns; an empty table is an empty list."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (header, *rows)
    ]


def when(at_ms: int) -> str:
    """A time for people, local to this machine."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
