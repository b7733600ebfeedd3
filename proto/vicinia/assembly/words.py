"""Numbers as the reasons of a decision tell them to people."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["day", "nano", "runs", "span"]


def runs(number: int) -> str:
    """1 run, 2 runs."""
    return "1 run" if number == 1 else f"{number} runs"


def nano(value: int) -> str:
    """A number of 10^-9, as a decimal."""
    return f"{value / 10**9:.9f}".rstrip("0").rstrip(".")


def day(ms: int) -> str:
    """A date with its time, UTC."""
    latest = 253_402_214_400_000
    return f"{datetime.fromtimestamp(min(ms, latest) / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def span(seconds: int) -> str:
    """A time span, rounded down."""
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}s"
    return f"{seconds} second{'' if seconds == 1 else 's'}"
