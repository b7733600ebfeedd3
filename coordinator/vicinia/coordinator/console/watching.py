"""Following a job in the terminal or as lines of JSON, and ending with a status that says how it ended."""

from __future__ import annotations

import json
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text
from vicinia.coordinator.client import Client
from vicinia.coordinator.client.link import JobStatus
from vicinia.coordinator.console.show import WAITING, duration, facts_of, number
from vicinia.errors import NotAccepted, RoundFailed

__all__ = ["watch_json", "watch_live"]

PHASES = {
    "advertise": "The homes announce themselves",
    "share": "The homes share their secrets",
    "input": "The homes send masked vectors",
    "commit": "The notaries agree on who took part",
    "unmask": "The homes unmask the sum",
}


class _Count(MofNCompleteColumn):
    """How many of how many, where there is something to count."""

    def render(self, task: Task) -> Text:
        """The counts of a bar."""
        return Text() if task.total is None else super().render(task)


def watch_json(client: Client, job_hash: str, _out: Console) -> None:
    """One JSON object a line for every change, the last one with `final` true."""
    for now in client.watch(job_hash):
        print(json.dumps(facts_of(now, time.time())), flush=True)
        if now.final:
            _end(now)


def watch_live(client: Client, job_hash: str, out: Console) -> None:
    """A bar for the vote and one for each phase; the vote shows its turnout only."""
    columns = (TextColumn("{task.description}"), BarColumn(), _Count(), TimeElapsedColumn())
    last: JobStatus | None = None
    with Progress(*columns, console=out) as progress:
        bars: dict[str, TaskID] = {}
        for now in client.watch(job_hash):
            for place in range(len(last.rounds) if last is not None else 0, len(now.rounds)):
                progress.console.print(Text(_released(now, place)))
            last = now
            _advance(progress, bars, now)
        for bar in bars.values():
            progress.stop_task(bar)
    if last is not None:
        _end(last)
        out.print(f"Released. Read it with: vicinia result {last.job_hash[:12]}")


def _advance(progress: Progress, bars: dict[str, TaskID], now: JobStatus) -> None:
    if now.state == "voting":
        left = duration(max(0.0, now.deadline_ms / 1000 - time.time()))
        _bar(progress, bars, "voting", f"The members vote, {left} left", now.turnout, now.electorate)
    elif now.state == "running" and now.phase in PHASES:
        name, words = _of_round(now, now.phase, PHASES[now.phase])
        _bar(progress, bars, name, words, now.phase_done, now.phase_of)
    elif not now.final:
        words = WAITING.get(now.state, now.state) if not now.reason else f"{now.state}: {now.reason}"
        _bar(progress, bars, *_of_round(now, now.state, words), 0, None)


def _of_round(now: JobStatus, name: str, words: str) -> tuple[str, str]:
    """Name and words of a bar: a training has its own for each attempt at a round."""
    if not now.rounds_planned or now.state not in ("recruiting", "running"):
        return name, words
    return f"{now.rounds_released} {now.run} {name}", f"{_round(now, now.rounds_released)}: {words}"


def _round(now: JobStatus, place: int) -> str:
    """The name of a round, counted from 0; the closing one evaluates the final model."""
    return f"Round {place + 1} of {now.rounds_planned}" if place < now.rounds_planned else "The closing round"


def _released(now: JobStatus, place: int) -> str:
    """What a released round showed."""
    of_round = now.rounds[place]
    metrics = ", ".join(
        f"{one.name} {'below noise' if one.value is None else f'{number(one.value)} ± {number(one.stderr)}'}"
        for one in of_round.metrics
    )
    homes = f"{of_round.cohort:,} to {of_round.cohort + 9:,} homes"
    return f"{_round(now, place)} is released, of {homes}{f': {metrics}' if metrics else ''}"


def _bar(progress: Progress, bars: dict[str, TaskID], name: str, words: str, done: int, of: int | None) -> None:
    if name not in bars:
        for earlier in bars.values():
            progress.stop_task(earlier)
        if "voting" in bars:
            progress.update(bars["voting"], description="The members have voted")
        bars[name] = progress.add_task(words, total=of or None)
    progress.update(bars[name], description=words, completed=done, total=of or None)


def _end(now: JobStatus) -> None:
    """Raise for every end but a release, so that the command's status tells."""
    if now.state == "released":
        return
    kind = NotAccepted if now.state in ("not accepted", "rejected", "revoked", "expired") else RoundFailed
    raise kind(f"The job ended: {now.state}. {now.reason}".strip(), where=f"job {now.job_hash[:12]}")
