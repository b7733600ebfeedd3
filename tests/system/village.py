"""A small cooperative of real processes, founded once, whose homes and coordinator are to be killed.

Every household votes yes. A job of one purpose concerns the households that consented to that purpose, so that deaths
in one run do not touch another that goes on beside it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from vicinia.query.mapping import parse_map

from deploy.demo.choices import Cast
from deploy.demo.cooperative import Cooperative
from deploy.demo.data import built_in, households
from deploy.demo.members import NODE, Members
from deploy.demo.processes import Supervisor
from deploy.demo.researchers import RECIPIENT, UNIVERSITY

__all__ = ["BYLAWS", "RHO", "Village", "is_flower"]

RHO = 40
# The noise is far below one household, so that a vector that was lost or counted twice shows. delta: of eleven homes
# seven are enough. Who is silent for a quarter of phase_seconds is gone.
BYLAWS = """
vote_seconds = 12
phase_seconds = 20
poll_ms = 500
floor = 5
delta = "2/5"
rho_job = 100
rho_period = 200
rho_lifetime = 400
"""
JOB = """
title = "{title}"
purpose = "{purpose}"
why = "To see that nobody is counted or charged twice."
query = "SELECT COUNT(DISTINCT household) FROM budget"
[privacy]
rho = {rho}
"""


class Village:
    """The cooperative with its processes; what is done to it is what a power cut or a person would do."""

    def __init__(self, folder: Path, homes: int, lone: int, rules: str = BYLAWS) -> None:
        """The first `lone` households are alone in their processes, with three registrars and a witness; the others
        share one. `rules`: the by-laws."""
        self.source, map_path = built_in(folder)
        definition, mapping = parse_map(map_path.read_text())
        self._data = households(definition.name, mapping, self.source, map_path, wanted=homes, least=homes)
        bylaws = folder / "RULES.toml"
        bylaws.write_text(rules)
        self._folder = folder
        self.cast = _cast(self._data.names, lone)
        self.processes = Supervisor(folder / "logs", end_seconds=5)
        self.coop = Cooperative(folder, self.cast, self._data, self.processes, bylaws)

    def found(self) -> None:
        """From nothing to homes that have data and will vote; they are not running yet."""
        self.coop.found()
        self.coop.steward.serve()
        self.coop.join()
        self.processes.at_once([self.coop.members.approve, self.coop.members.import_data])
        self.coop.members.standing_votes()

    def consent(self, purpose: str, names: Sequence[str], *, train: bool = False) -> None:
        """These households, and no others, consent to a purpose; with `train`, to models that are trained for it."""
        alone = replace(self.cast, lone=tuple(names), hosted=(), consenting=tuple(names))
        view = Members(self._folder, alone, self._data, self.processes)
        view.consent(purpose, RECIPIENT, "100", train=train)

    def put(self, title: str, purpose: str) -> str:
        """A researcher asks and a member sponsors; the job's hash. The vote opens when the witness has seen it."""
        return self.ask(purpose.partition(":")[2], JOB.format(title=title, purpose=purpose, rho=RHO))

    def ask(self, name: str, text: str) -> str:
        """The same with a whole JOB.toml."""
        path = self._folder / f"{name}.toml"
        path.write_text(text)
        job = self.coop.researchers.submit(UNIVERSITY, path)
        self.coop.members.sponsor(job)
        return job

    def result(self, job: str) -> dict[str, Any]:
        """What the researcher gets."""
        return dict(self.coop.researchers.result(UNIVERSITY, job))

    def kill_home(self, name: str) -> None:
        """Kill a home that is alone in its process, with its worker."""
        self.processes.kill(self.coop.members.daemon(name))

    def start_home(self, name: str) -> None:
        """Start it again."""
        self.processes.start(self.coop.members.daemon(name), NODE, "run", "--dir", self.coop.members.home(name))

    def halt_worker(self, name: str) -> None:
        """The home's worker does nothing until `let_worker_go_on`; its daemon does what it always does."""
        self._signal_worker(name, signal.SIGSTOP)

    def let_worker_go_on(self, name: str) -> None:
        """End a halt."""
        self._signal_worker(name, signal.SIGCONT)

    def kill_coordinator(self) -> None:
        """Kill it."""
        self.processes.kill("coordinator")

    def start_coordinator(self) -> None:
        """Start it again on the same ports."""
        self.coop.steward.serve()

    def flower(self) -> set[int]:
        """The Flower processes of the coordinator."""
        return {child for child in _children(self.processes.pid("coordinator")) if is_flower(child)}

    def halt_flower(self) -> None:
        """They do nothing until a SIGCONT; the coordinator does what it always does."""
        for child in self.flower():
            os.kill(child, signal.SIGSTOP)

    def _signal_worker(self, name: str, number: signal.Signals) -> None:
        for child in _children(self.processes.pid(self.coop.members.daemon(name))):
            os.kill(child, number)


def is_flower(pid: int) -> bool:
    """Whether this is a Flower process that has not ended."""
    try:
        return b"vicinia.coordinator.flower" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # of a thread that has just ended
            found += map(int, children.read_text().split())
    return found


def _cast(names: Sequence[str], lone: int) -> Cast:
    return Cast(
        registrars=tuple(names[:3]),
        witness=names[3],
        lone=tuple(names[:lone]),
        hosted=(tuple(names[lone:]),) if names[lone:] else (),
        consenting=(),
        dropped=(),
        votes={"yes": tuple(names)},
        by_hand=names[0],
        sponsor=names[0],
    )
