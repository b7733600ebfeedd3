"""What the words of a command line may be: each reader raises what argparse reports as a sentence."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path

__all__ = ["file_path", "some_text", "whole"]


def some_text(text: str) -> str:
    """A word that says something."""
    if not text.strip():
        raise ArgumentTypeError("this is empty")
    if "\0" in text:
        raise ArgumentTypeError("this holds a zero byte")
    return text


def file_path(text: str) -> Path:
    """The name of a file or a folder: an empty one would mean the folder that one happens to be in."""
    return Path(some_text(text))


def whole(low: int, high: int) -> Callable[[str], int]:
    """A reader of whole numbers low..high in decimal digits."""

    def read(text: str) -> int:
        digits = text.isascii() and text.isdigit() and len(text) <= len(str(high))
        if not digits or not low <= int(text) <= high:
            raise ArgumentTypeError(f"this must be a whole number from {low} to {high}")
        return int(text)

    return read
