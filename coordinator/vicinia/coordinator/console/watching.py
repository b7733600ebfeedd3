"""Following a job in the terminal or as lines of JSON, and ending with a status that says how it ended."""

from __future__ import annotations

import json
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text
from vicinia.coordinator.client import Client
from vicinia.coordinator.client.link import JobStatus
from vicinia.coordinator.console.metric_words import sentence
from vicinia.coordinator.console.show import PHASES, WAITING, duration, facts_of
from vicinia.errors import NotAccepted, RoundFailed

__all__ = ["watch_json", "watch_live"]


class _Count(MofNCompleteColumn):
    """How many of how many, where there is something to count and it can still change."""

    def render(self, task: Task) -> Text:
        """The counts of a bar."""
        return Text() if task.total is None or task.fields["over"] else super().render(task)


def watch_json(client: Client, job_hash: str, _out: Console) -> None:
    """One JSON object a line for every change, the last one with `final` true."""
    for now in client.watch(job_hash):
        print(json.dumps(facts_of(now, time.time())), flush=True)
        if now.final:
            _end(now)


def watch_live(client: Client, job_hash: str, out: Console) -> None:
    """A bar for the vote and one for each phase; the vote shows its turnout only."""
    columns = (
        TextColumn("{task.description}", table_column=Column()),  # what is too long for the terminal is wrapped
        BarColumn(table_column=Column(no_wrap=True), bar_width=14),
        _Count(table_column=Column(no_wrap=True)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
    )
    last: JobStatus | None = None
    with Progress(*columns, console=out) as progress:
        bars = _Bars(progress)
        for now in client.watch(job_hash):
            for place in range(len(last.rounds) if last is not None else 0, len(now.rounds)):
                progress.console.print(Text(_released(now, place)))
            last = now
            _advance(bars, now)
        if last is not None and last.state == "released":
            bars.close(alone=bool(last.rounds_planned))
        bars.stop()
    if last is not None:
        _end(last)
        out.print(f"Released. Read it with: vicinia result {last.job_hash[:12]}")


class _Bars:
    """The vote, then what came after it: every phase of a run, but of a training only the one that goes on, since its
    phases can be more than a terminal has lines."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._vote: TaskID | None = None
        self._voting = False
        self._phase: TaskID | None = None
        self._name = ""

    def vote(self, words: str, done: int, of: int) -> None:
        """The turnout."""
        if self._vote is None:
            self.close(alone=True)
            self._vote, self._voting = self._progress.add_task(words, total=of, over=False), True
        self._progress.update(self._vote, description=words, completed=done, total=of)

    def phase(self, name: str, words: str, done: int, of: int | None, *, alone: bool) -> None:
        """What goes on beside the vote, and how far it is; another name closes what went on before."""
        if self._phase is None or self._name != name:
            self.close(alone=alone)
            self._end_vote()
            self._name, self._phase = name, self._progress.add_task(words, total=of, over=False)
        self._progress.update(self._phase, description=words, completed=done, total=of)

    def close(self, *, alone: bool) -> None:
        """What went on is over, however many had answered when it was looked at last; `alone`: and is not shown."""
        if self._phase is not None and alone:
            self._progress.remove_task(self._phase)
        elif self._phase is not None:
            self._progress.update(self._phase, completed=1, total=1, over=True)
            self._progress.stop_task(self._phase)
        self._phase = None

    def stop(self) -> None:
        """Nothing goes on any more."""
        self._end_vote()
        if self._phase is not None:
            self._progress.stop_task(self._phase)

    def _end_vote(self) -> None:
        if self._vote is not None and self._voting:
            self._progress.update(self._vote, description="The members have voted")
            self._progress.stop_task(self._vote)
            self._voting = False


def _advance(bars: _Bars, now: JobStatus) -> None:
    if now.state == "voting":
        left = duration(max(0.0, now.deadline_ms / 1000 - time.time()))
        bars.vote(f"The members vote, {left} left", now.turnout, now.electorate)
    elif now.state == "running" and now.phase in PHASES:
        _phase(bars, now, now.phase, PHASES[now.phase], now.phase_done, now.phase_of)
    elif not now.final:
        words = WAITING.get(now.state, now.state) if not now.reason else f"{now.state}: {now.reason}"
        _phase(bars, now, now.state, words, 0, None)


def _phase(bars: _Bars, now: JobStatus, name: str, words: str, done: int, of: int | None) -> None:
    """Of a training, each attempt at a round is named."""
    of_round = bool(now.rounds_planned) and now.state in ("recruiting", "running")
    if of_round:
        name, words = f"{now.rounds_released} {now.run} {name}", f"{_round(now, now.rounds_released)}. {words}"
    bars.phase(name, words, done, of or None, alone=of_round)


def _round(now: JobStatus, place: int) -> str:
    """The name of a round, counted from 0: of those that train by their number, of the others by what they are for; the
    closing one evaluates the final model, and is all of an evaluation."""
    if not now.rounds_planned:
        return "The evaluation"
    if place < now.rounds_scaling:
        return "The standardising round"
    trains = place - now.rounds_scaling < now.rounds_planned
    return f"Round {place + 1 - now.rounds_scaling} of {now.rounds_planned}" if trains else "The closing round"


def _released(now: JobStatus, place: int) -> str:
    """What a released round showed: it measures the model that it began with."""
    of_round = now.rounds[place]
    homes = f"{of_round.cohort:,} to {of_round.cohort + 9:,} homes"
    released = f"{_round(now, place)} is released, of {homes}."
    if not of_round.metrics:
        return released
    final = place >= now.rounds_scaling + now.rounds_planned
    which = "The final model" if final else "The model that it began with"
    which = which if now.rounds_planned else "The model"
    return f"{released} {which}: {sentence(of_round.metrics)}"


def _end(now: JobStatus) -> None:
    """Raise for every end but a release, so that the command's status tells."""
    if now.state == "released":
        return
    kind = NotAccepted if now.state in ("not accepted", "rejected", "revoked", "expired") else RoundFailed
    raise kind(f"The job ended: {now.state}. {now.reason}".strip(), where=f"job {now.job_hash[:12]}")
