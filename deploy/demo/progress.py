"""Follows a job through `vicinia watch --json`, line by line."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from vicinia.coordinator.console.show import PHASES, WAITING
from vicinia.errors import RoundFailed

from deploy.demo.processes import Stream

__all__ = ["Follower"]


class Follower:
    """The states of one job in the order in which the console reports them."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.last: dict[str, Any] = {}

    def until(self, reached: Callable[[dict[str, Any]], bool], say: Callable[[str], None]) -> dict[str, Any]:
        """Read on until a state satisfies `reached`; RoundFailed when the job ends before."""
        while not (self.last and reached(self.last)):
            line = self._stream.line()
            if line is None:
                raise RoundFailed(f"The job ended in between: {self.last.get('reason', '')}", where="vicinia watch")
            self.last = json.loads(line)
            say(words(self.last))
        return self.last


def words(now: dict[str, Any]) -> str:
    """One state of a job, for a person."""
    if now["state"] == "voting":
        return f"{now['turnout']} of {now['electorate']} have voted, {now['seconds_left']:.0f} s left"
    if now["state"] == "running" and now["phase"] in PHASES:
        return f"{_begun(PHASES[now['phase']])}, {now['phase_done']} of {now['phase_of']}"
    return _begun(WAITING.get(now["state"], str(now["state"])))


def _begun(sentence: str) -> str:
    """To go on with after a colon."""
    return sentence[:1].lower() + sentence[1:]
