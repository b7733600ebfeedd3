"""The learning curve of a training: its leading metric in the terminal, every metric as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from rich.text import Text
from vicinia.coordinator.console.plot import SIGMAS, Bar, bars

__all__ = ["Point", "curve", "leading", "svg"]

LEADING = ("auc", "r_squared", "accuracy", "deviance", "error")
MOST_LINES = 20
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 640, 200, 64, 34, 30


@dataclass(frozen=True, slots=True)
class Point:
    """A metric of the model after so many rounds; None where it is below the noise."""

    round: int
    value: float | None
    stderr: float | None


Curves = Mapping[str, Sequence[Point]]


def leading(curves: Curves) -> str | None:
    """The metric that is looked at first; None where no round has one above its noise."""
    known = [name for name, points in curves.items() if any(point.value is not None for point in points)]
    return next((name for name in (*LEADING, *known) if name in known), None)


def curve(points: Sequence[Point]) -> list[Text]:
    """A line for each round, for the last and evenly many others where there are more than the terminal should hold."""
    step = math.ceil(len(points) / MOST_LINES)
    kept = [point for place, point in enumerate(points) if (len(points) - 1 - place) % max(step, 1) == 0]
    return bars(
        [Bar(f"{point.round} round{'' if point.round == 1 else 's'}", point.value, point.stderr) for point in kept]
    )


def svg(title: str, curves: Curves) -> str:
    """One panel a metric, over the rounds behind the model, with 95 % error bars of the noise; an SVG file."""
    height = 30 + _HEIGHT * max(len(curves), 1)
    panels = [_panel(name, points, 30 + _HEIGHT * place) for place, (name, points) in enumerate(curves.items())]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
            f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="12">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
            f'<text x="12" y="22" font-size="15">{escape(title)}</text>',
            *panels,
            "</svg>",
            "",
        )
    )


def _panel(name: str, points: Sequence[Point], top: int) -> str:
    known = [(point.round, point.value, SIGMAS * (point.stderr or 0.0)) for point in points if point.value is not None]
    heading = f'<text x="{_LEFT}" y="{top + 22}" font-weight="bold">{escape(name)}</text>'
    if not known:
        return f'{heading}\n<text x="{_LEFT}" y="{top + 60}" fill="gray">below the noise in every round</text>'
    low = min(value - half for _, value, half in known)
    high = max(value + half for _, value, half in known)
    if low == high:
        low, high = low - 0.5, high + 0.5
    first, last = points[0].round, points[-1].round

    def x(round_: int) -> str:
        return f"{_LEFT + 20 + (round_ - first) / max(last - first, 1) * (_WIDTH - _LEFT - 50):.1f}"

    def y(value: float) -> str:
        return f"{top + _TOP + (high - value) / (high - low) * (_HEIGHT - _TOP - _BOTTOM):.1f}"

    drawn = [heading]
    for value in (low, (low + high) / 2, high):
        drawn.append(f'<line x1="{_LEFT}" x2="{_WIDTH - 12}" y1="{y(value)}" y2="{y(value)}" stroke="#dddddd"/>')
        label = f'<text x="{_LEFT - 6}" y="{y(value)}" text-anchor="end" dominant-baseline="middle">{value:.3g}</text>'
        drawn.append(label)
    path = " ".join(f"{x(round_)},{y(value)}" for round_, value, _ in known)
    drawn.append(f'<polyline points="{path}" fill="none" stroke="#1a6fb0" stroke-width="1.5"/>')
    for round_, value, half in known:
        ends = f'y1="{y(value - half)}" y2="{y(value + half)}"'
        drawn.append(f'<line x1="{x(round_)}" x2="{x(round_)}" {ends} stroke="#1a6fb0"/>')
        drawn.append(f'<circle cx="{x(round_)}" cy="{y(value)}" r="3" fill="#1a6fb0"/>')
    step = max(1, math.ceil(len(points) / MOST_LINES))
    base = top + _HEIGHT - 12
    drawn += [f'<text x="{x(one.round)}" y="{base}" text-anchor="middle">{one.round}</text>' for one in points[::step]]
    return "\n".join(drawn)
