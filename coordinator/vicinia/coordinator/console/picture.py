"""The learning curve of a training as a picture: every metric over the rounds behind the model, as SVG."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from html import escape

from vicinia.coordinator.console.curve import Curves, Point
from vicinia.coordinator.console.metric_words import HIDDEN, heading, meaning, metric

__all__ = ["svg"]

CAPTION = "Rounds behind the model. Bars: the 95 % interval of the noise alone."
_HIDDEN_TOO = " Grey: below the noise."
_NO_METRICS = "This training has no metrics: no home was held out to measure its model."

_WIDTH, _LEFT, _RIGHT = 640, 64, 16  # pixels, as all that follow
_TITLE, _LINE, _LETTERS = 30, 20, 76  # where the title begins, how high a line of it is, how many letters it holds
_HEAD, _PLOT, _FOOT = 44, 120, 36  # of a panel: its heading, the plot, the numbers of the rounds
_DOT, _INSET = 3, 18
_MOST_ROUNDS = 20  # so many numbers fit below a panel

# Attributes are for paper and for programs that know no style sheets; the rest, for a screen that is dark.
_DARK = (
    "<style>@media (prefers-color-scheme: dark) { .paper { fill: #16191d } text { fill: #e6e6e6 } "
    ".aside { fill: #b4b4b4 } .grid { stroke: #3a3f45 } .hidden { fill: #2a2e33 } .line { stroke: #6db3ee } "
    ".dot { fill: #6db3ee } }</style>"
)


def svg(title: str, curves: Curves) -> str:
    """One panel a metric, with 95 % error bars of the noise; an SVG file with a description for those who hear it."""
    lines = textwrap.wrap(title, _LETTERS) or [""]
    top = _TITLE + _LINE * len(lines)
    drawn = [_text(12, _TITLE + _LINE * place, line, size=15) for place, line in enumerate(lines)]
    for name, points in curves.items():
        panel, height = _panel(name, points, top)
        drawn += panel
        top += height
    hidden = any(len({point.value is None for point in points}) > 1 for points in curves.values())
    caption = f"{CAPTION}{_HIDDEN_TOO if hidden else ''}" if curves else _NO_METRICS
    drawn.append(_text(_LEFT if curves else 12, top + 4, caption, size=11, kind="aside"))
    height = top + 20
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
            f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="12" '
            'role="img" aria-labelledby="title desc">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="desc">{escape(_described(curves))}</desc>',
            _DARK,
            f'<rect class="paper" width="{_WIDTH}" height="{height}" fill="white"/>',
            *drawn,
            "</svg>",
            "",
        )
    )


def _described(curves: Curves) -> str:
    """The first and the last point of every curve, in words."""
    if not curves:
        return _NO_METRICS
    said = []
    for name, points in curves.items():
        first, last = points[0], points[-1]
        ends = [first] if first is last else [first, last]
        told = "; ".join(f"after {one.bar.label} {metric(one.value, one.stderr)}" for one in ends)
        said.append(f"{heading(name)}: {told}.")
    return " ".join(said)


def _panel(name: str, points: Sequence[Point], top: int) -> tuple[list[str], int]:
    """The elements of a metric's panel, and its height."""
    drawn = [
        _text(_LEFT, top + 16, heading(name), weight="bold"),
        _text(_LEFT, top + 31, meaning(name), size=11, kind="aside"),
    ]
    known = [point for point in points if point.value is not None]
    if not known:
        drawn.append(_text(_LEFT, top + 52, f"{HIDDEN} in every round", kind="aside"))
        return drawn, _HEAD + 24
    ends = [end for point in known for end in point.bar.ends]
    ticks = _ticks(min(ends), max(ends))
    plot = _Plot(points[0].round, points[-1].round, ticks[0], ticks[-1], top + _HEAD)
    drawn += plot.hidden([point.round for point in points if point.value is None])
    drawn += plot.grid(ticks)
    drawn += plot.curve(points)
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 1000) if len(points) <= _MOST_ROUNDS * step)
    base = top + _HEAD + _PLOT + 18
    drawn += [
        _text(plot.x(one.round), base, str(one.round), anchor="middle")
        for one in points
        if (one.round - points[0].round) % step == 0
    ]
    return drawn, _HEAD + _PLOT + _FOOT


class _Plot:
    """Where rounds and values lie in a panel's plot, and what is drawn there."""

    def __init__(self, first: int, last: int, low: float, high: float, top: int) -> None:
        self._first, self._last, self._low, self._high, self._top = first, last, low, high, top
        self._step = (_WIDTH - _LEFT - _RIGHT - 2 * _INSET) / max(last - first, 1)
        self._dot = min(_DOT, self._step / 3)

    def x(self, round_: float) -> float:
        """Of a round; alone, it lies in the middle."""
        place = 0.5 * self._step if self._first == self._last else (round_ - self._first) * self._step
        return _LEFT + _INSET + place

    def y(self, value: float) -> float:
        """Of a value."""
        return self._top + (self._high - value) / (self._high - self._low) * _PLOT

    def grid(self, ticks: Sequence[float]) -> list[str]:
        """A line and a number for each tick."""
        drawn, digits = [], max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9))
        for tick in ticks:
            y = self.y(tick)
            line = f'x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"'
            drawn.append(f'<line class="grid" {line} stroke="#dddddd"/>')
            number = f"{tick:.{digits}f}" if digits <= _MOST_DIGITS else f"{tick:.{_MOST_DIGITS}g}"
            drawn.append(_text(_LEFT - 8, y + 4, number.replace("-", "−"), anchor="end"))
        return drawn

    def hidden(self, rounds: Sequence[int]) -> list[str]:
        """A grey column for each round whose value is below the noise."""
        half = min(self._step / 2, _INSET - 4)
        return [
            f'<rect class="hidden" x="{self.x(one) - half:.1f}" y="{self._top}" width="{2 * half:.1f}" '
            f'height="{_PLOT}" fill="#eeeeee" shape-rendering="crispEdges"/>'
            for one in rounds
        ]

    def curve(self, points: Sequence[Point]) -> list[str]:
        """The values with their error bars; a line joins those of neighbouring rounds."""
        drawn: list[str] = []
        joined: list[str] = []
        for point in points:
            if point.value is None:
                drawn += _polyline(joined)
                joined = []
                continue
            x, y = self.x(point.round), self.y(point.value)
            joined.append(f"{x:.1f},{y:.1f}")
            high, low = (self.y(end) for end in reversed(point.bar.ends))
            cap = self._dot
            path = f"M{x - cap:.1f},{high:.1f}h{2 * cap:.1f}m{-cap:.1f},0V{low:.1f}m{-cap:.1f},0h{2 * cap:.1f}"
            drawn.append(f'<path class="line" d="{path}" fill="none" stroke="#1a6fb0"/>')
            drawn.append(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{self._dot:.1f}" fill="#1a6fb0"/>')
        return drawn + _polyline(joined)


def _polyline(joined: Sequence[str]) -> list[str]:
    if len(joined) < 2:
        return []
    return [f'<polyline class="line" points="{" ".join(joined)}" fill="none" stroke="#1a6fb0" stroke-width="1.5"/>']


_NOTHING, _LARGEST = 1e-300, 1e300  # beyond these there is no dividing into steps
_ALIKE = 1e-9  # values that differ by less than this part of their size are drawn as one
_MOST_DIGITS = 12


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers, two to six of them, of which the first and the last hold everything between them."""
    low, high = (min(max(end, -_LARGEST), _LARGEST) for end in (low, high))
    size, span = max(abs(low), abs(high)), high - low
    if span <= max(_NOTHING, _ALIKE * size):
        span = size if size > _NOTHING else 1.0
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if span / step <= 4 + 1e-9)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [place * step for place in range(first, max(last, first + 1) + 1)]


def _text(x: float, y: float, words: str, *, size: int = 12, weight: str = "", anchor: str = "", kind: str = "") -> str:
    more = [f'font-size="{size}"'] if size != 12 else []
    more += [f'font-weight="{weight}"'] if weight else []
    more += [f'text-anchor="{anchor}"'] if anchor else []
    more += [f'class="{kind}" fill="#595959"'] if kind else []
    return f'<text x="{x:.1f}" y="{y:.1f}"{"".join(f" {one}" for one in more)}>{escape(words)}</text>'
