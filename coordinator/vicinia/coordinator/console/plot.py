"""A small plot for the terminal: one line per cell, its value with an error bar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

__all__ = ["ANYTHING", "SIGMAS", "Bar", "bars"]

SIGMAS = 1.96  # half-width of the bar: a 95 % interval of normal noise
ANYTHING = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Bar:
    """One value with its standard error; `truth` is a second mark, where somebody knows it. A bar ends at `limits`:
    what the value can be at all."""

    label: str
    value: float | None
    stderr: float | None
    truth: float | None = None
    limits: tuple[float, float] = ANYTHING

    @property
    def ends(self) -> tuple[float, ...]:
        """Where the bar begins and ends; empty where there is no value."""
        if self.value is None:
            return ()
        half = SIGMAS * (self.stderr or 0.0)
        return max(self.limits[0], self.value - half), min(self.limits[1], self.value + half)


def bars(rows: Sequence[Bar], width: int = 48) -> list[Text]:
    """Draw the rows on one common scale of `width` characters, with a scale below; empty for no rows."""
    ends = [end for row in rows for end in (*row.ends, row.truth) if end is not None]
    if not ends:
        return []
    low, high = min(ends), max(ends)
    span = (high - low) or max(abs(high), 1.0) * 0.1
    low, high = low - 0.04 * span, high + 0.04 * span
    margin = max(len(row.label) for row in rows)
    drawn = [_line(row, low, high, width, margin) for row in rows]
    return [*drawn, _scale(low, high, width, margin)]


def _line(row: Bar, low: float, high: float, width: int, margin: int) -> Text:
    def column(value: float) -> int:
        return min(width - 1, max(0, round((value - low) / (high - low) * (width - 1))))

    line = Text(f"{row.label:>{margin}} ")
    if row.value is None:
        return line.append("below noise".center(width), style="dim")
    marks = [" "] * width
    left, right = map(column, row.ends)
    for place in range(left, right + 1):
        marks[place] = "─"
    if left != right:
        marks[left], marks[right] = "├", "┤"
    marks[column(row.value)] = "●"
    if row.truth is not None:
        place = column(row.truth)
        marks[place] = "◉" if marks[place] == "●" else "◆"
    for mark in marks:
        line.append(mark, style={"●": "bold cyan", "◉": "bold green", "◆": "bold green"}.get(mark, "cyan"))
    return line


def _scale(low: float, high: float, width: int, margin: int) -> Text:
    left, right = f"{low:.4g}", f"{high:.4g}"
    gap = max(1, width - len(left) - len(right))
    return Text(" " * (margin + 1) + left + " " * gap + right, style="dim")
