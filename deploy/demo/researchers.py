"""The demo's researchers: every step is a command of the console that a researcher would type."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from deploy.demo.processes import Supervisor
from deploy.demo.progress import Follower

__all__ = ["AGENCY", "RECIPIENT", "RESEARCHERS", "UNIVERSITY", "Researchers"]

CONSOLE = "vicinia"
UNIVERSITY, AGENCY = "university", "agency"
RECIPIENT = "non-profit"
# Name of the folder -> institution and kind of recipient.
RESEARCHERS = {UNIVERSITY: ("University of the Valley", RECIPIENT), AGENCY: ("Banner & Sons", "commercial")}


class Researchers:
    """Two institutions, each with a folder of its own; every method is told which of them acts."""

    def __init__(self, folder: Path, processes: Supervisor) -> None:
        self._folder = folder
        self._processes = processes

    def logins(self, invitations: Callable[[str], Path]) -> list[Callable[[], str]]:
        """Commands by which each logs in with the invitation in its file."""
        return [
            partial(self._processes.run, CONSOLE, *self._as(name), "login", "--invitation-file", str(invitations(name)))
            for name in RESEARCHERS
        ]

    def check(self, name: str, job: Path) -> Any:
        """What the job costs and what precision it can be expected to have."""
        return self._processes.run_json(CONSOLE, *self._as(name), "check", str(job))

    def submit(self, name: str, job: Path) -> str:
        """Submit a job; its hash."""
        return str(self._processes.run_json(CONSOLE, *self._as(name), "submit", str(job))["job"])

    def follow(self, name: str, job: str) -> Follower:
        """Follow a job from now on."""
        return Follower(self._processes.stream(f"watch-{job[:8]}", CONSOLE, *self._as(name), "watch", job, "--json"))

    def result(self, name: str, job: str) -> Any:
        """The released result."""
        return self._processes.run_json(CONSOLE, *self._as(name), "result", job)

    def model(self, name: str, job: str) -> Any:
        """The trained model, saved where the answer says, checked and computed again on the researcher's side."""
        out = str(self._folder / "researchers" / name / "model")
        return self._processes.run_json(CONSOLE, *self._as(name), "result", job, "--out", out)

    def _as(self, name: str) -> tuple[str, str]:
        """The words that make the console act as a researcher."""
        return ("--dir", str(self._folder / "researchers" / name))
