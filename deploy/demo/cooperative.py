"""The demo's cooperative: its steward, its members and its researchers, and what they do together."""

from __future__ import annotations

import time
from pathlib import Path

from deploy.demo.choices import Cast
from deploy.demo.cohort import synchronised
from deploy.demo.data import Households
from deploy.demo.machine import Machine
from deploy.demo.members import Members
from deploy.demo.processes import Supervisor
from deploy.demo.researchers import Researchers
from deploy.demo.steward import BYLAWS, Steward
from deploy.demo.waiting import wait_until

__all__ = ["Cooperative"]

START_SECONDS = 120  # on an idle machine


class Cooperative:
    """A cooperative in a folder; each part has a method for each step."""

    def __init__(
        self, folder: Path, cast: Cast, data: Households, processes: Supervisor, bylaws: Path = BYLAWS
    ) -> None:
        self._cast = cast
        self._processes = processes
        self.machine = Machine.idle()
        self.steward = Steward(folder, data, processes, bylaws)
        self.members = Members(folder, cast, data, processes)
        self.researchers = Researchers(folder, processes)

    def found(self) -> None:
        """Make the keys of the elected homes, then found the cooperative with their public halves."""
        began = time.monotonic()
        *registrars, witness = self.members.make_elected()
        self.machine = Machine.measured(time.monotonic() - began)
        self._processes.slowness = self.machine.slowness
        self.steward.found(registrars, witness, self.machine, len(self._cast.everybody))

    def join(self) -> None:
        """Everybody is invited; every household joins, and both researchers log in."""
        self.steward.invite(len(self._cast.everybody))
        logins = self.researchers.logins(self.steward.invitations)
        self._processes.at_once([*logins, *self.members.joins(self.steward.invitations("households"))])

    def await_members(self) -> None:
        """Wait until every home has a copy of the log that it has checked."""
        everybody = len(self._cast.everybody)
        wait_until(
            lambda: synchronised(self.steward.coordinator) == everybody,
            seconds=START_SECONDS,
            what="every home to check the log",
            processes=self._processes,
        )
