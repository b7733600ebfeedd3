"""How much memory a home takes in a round of a perceptron of 10^6 numbers, and how much is left of it afterwards.

Real processes over mTLS: a coordinator, and little more homes than make a sum, each with a daemon of its own, whose
worker is a child process. Resident memory is read from /proc every 20 ms, in MB of 10^6 bytes; pages that a daemon and
its worker share (libraries) are counted twice.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench._served import resident_mb
from system.village import Village
from system.watched import Register, Watched
from vicinia.coordinator.store.jobs import Stage

__all__ = ["measure"]

HOMES = 5
PURPOSE = "dpv:AcademicResearch"
BYLAWS = """
vote_seconds = 10
phase_seconds = 60
poll_ms = 500
floor = 3
rho_job = 2
rho_period = 4
rho_lifetime = 8
"""
JOB = f"""
title = "A large model"
purpose = "{PURPOSE}"
why = "To see how much memory a round takes."
[training]
dataset = "budget"
features = ["food", "alcohol", "transport", "income", "age"]
target = "kids"
recipe = "mlp"
parameters = {{hidden_1 = 990, hidden_2 = 1000}}
examples = 1
rounds = 1
[privacy]
rho = 1.6
"""
NUMBERS = 997_941
END_SECONDS, IDLE_SECONDS, EVERY_SECONDS = 300.0, 90.0, 0.02


def measure() -> list[tuple[str, str]]:
    """Figures as (what, value) rows: the home that took most, and the coordinator."""
    with tempfile.TemporaryDirectory() as name:
        village = Village(Path(name), HOMES, HOMES, BYLAWS)
        try:
            village.found()
            village.consent(PURPOSE, village.cast.everybody, train=True)
            village.coop.members.run()
            village.coop.await_members()
            return _round(village)
        finally:
            village.processes.end_all()


def _round(village: Village) -> list[tuple[str, str]]:
    homes = [Tree(village.processes.pid(village.coop.members.daemon(name))) for name in village.cast.lone]
    server = Tree(village.processes.pid("coordinator"))
    before = server.own()
    with _watching([*homes, server]):
        job = Watched(
            Register(village.coop.steward.coordinator, village.coop.members.households()), village.ask("large", JOB)
        ).end(END_SECONDS)
        if job.stage is not Stage.RELEASED:
            raise RuntimeError(f"the round came to nothing: {job.stage} {job.reason}")
        _until_alone(homes)
    peak = max(homes, key=lambda home: home.peak)
    left = max(home.own() for home in homes)
    return [
        (
            f"home in a round of {NUMBERS:,} numbers: daemon and worker",
            f"{peak.peak:.0f} MB (target 250 MB), of that the worker {peak.children:.0f} MB",
        ),
        ("home after that round, its worker gone", f"{left:.1f} MB (target 85 MB)"),
        (
            f"coordinator in that round, {HOMES} homes",
            f"{server.alone:.0f} MB, with its training process {server.peak:.0f} MB; "
            f"{before:.0f} MB before, {server.own():.0f} MB after",
        ),
    ]


@dataclass
class Tree:
    """A process and those that it started: what they took together at most, and of that its children; what it took
    at most by itself."""

    pid: int
    peak: float = field(default=0.0, init=False)
    children: float = field(default=0.0, init=False)
    alone: float = field(default=0.0, init=False)

    def own(self) -> float:
        """What the process takes now."""
        return resident_mb(self.pid)

    def started(self) -> list[int]:
        """The processes that it has started and that are still there."""
        listed = (path.read_text().split() for path in Path(f"/proc/{self.pid}/task").glob("*/children"))
        return [int(child) for children in listed for child in children]

    def look(self) -> None:
        """Take a sample."""
        own, children = self.own(), sum(map(_resident, self.started()))
        self.alone = max(self.alone, own)
        if own + children > self.peak:
            self.peak, self.children = own + children, children


def _resident(pid: int) -> float:
    """Zero where the process is ending."""
    try:
        return resident_mb(pid)
    except (OSError, StopIteration):
        return 0.0


@contextmanager
def _watching(trees: list[Tree]) -> Iterator[None]:
    """Sample until the block ends."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(EVERY_SECONDS):
            for tree in trees:
                tree.look()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _until_alone(homes: list[Tree]) -> None:
    """Wait until every worker has ended, as it does when it has had nothing to do for a while."""
    end = time.monotonic() + IDLE_SECONDS
    while any(home.started() for home in homes):
        if time.monotonic() > end:
            raise RuntimeError("a worker does not end")
        time.sleep(1)


if __name__ == "__main__":
    for what, value in measure():
        print(f"{what:70} {value}")
