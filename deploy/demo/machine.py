"""How busy this machine is, measured while the cooperative is founded, and the times of the by-laws that follow.

A phase ends when all have answered. What it may take at the longest, and what the demo waits for at the longest, grow
with the homes of a core and with how much slower this machine is than an idle one.
"""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Machine"]

IDLE_SECONDS = 0.6  # in which an idle core makes four homes: the program's start, four stores, twelve keys
SLOWEST = 10.0
WORTH_TELLING = 1.5
SAMPLES, SAMPLE_SECONDS = 9, 0.05


@dataclass(frozen=True, slots=True)
class Machine:
    """`slowness`: how many times longer a program takes here and now than on an idle machine; 1 or more."""

    cores: int
    slowness: float = 1.0

    @classmethod
    def idle(cls) -> Machine:
        """This machine before anything was measured."""
        return cls(os.cpu_count() or 1)

    @classmethod
    def measured(cls, seconds: float) -> Machine:
        """After four homes took so long to make; a lull in which they were made does not hide what else runs."""
        cores = os.cpu_count() or 1
        return cls(cores, min(SLOWEST, max(1.0, seconds / IDLE_SECONDS, _others_running() / cores)))

    def times(self, homes: int) -> dict[str, int]:
        """The times of the by-laws for so many homes.

        A phase is given some more than was measured, for what keeps a machine busy comes and goes; it ends when all
        have answered. Of a vote all is waited for, so it grows less.
        """
        each = homes // self.cores
        vote = 15 + max(0, each - 160) // 10
        return {
            "vote_seconds": round(vote * (2 + self.slowness) / 3),
            "phase_seconds": round((14 + each // 80) * (2 * self.slowness - 1)),
            "poll_ms": 500,
        }

    @property
    def busy(self) -> bool:
        """Whether it is worth telling."""
        return self.slowness >= WORTH_TELLING

    @property
    def words(self) -> str:
        """A sentence for people, empty where there is nothing to tell."""
        if not self.busy:
            return ""
        return f"This machine is busy, or slow: a program takes {self.slowness:.1f} times as long as on an idle one."

    def advice(self, homes: int, fewest: int) -> str:
        """What to do where it was too slow."""
        busy = f"{self.words} " if self.words else ""
        fewer = max(fewest, homes // 4)
        if fewer >= homes:
            return f"{busy}Try again when less else runs."
        return f"{busy}Try again when less else runs, or with fewer homes: --households {fewer}."


def _others_running() -> float:
    """How many other tasks want a core now: not the load average, which a demo that has just ended is still in."""
    seen = []
    for _ in range(SAMPLES):
        time.sleep(SAMPLE_SECONDS)
        for line in Path("/proc/stat").read_text().splitlines():
            if line.startswith("procs_running "):
                seen.append(int(line.split()[1]) - 1)
    return statistics.median(seen) if seen else 0.0
