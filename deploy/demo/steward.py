"""The demo's steward: every step is a command of the coordinator that a steward would type."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from deploy.demo.data import Households
from deploy.demo.machine import Machine
from deploy.demo.processes import Supervisor
from deploy.demo.researchers import RESEARCHERS
from deploy.demo.waiting import wait_until

__all__ = ["BYLAWS", "Steward"]

BYLAWS = Path(__file__).resolve().parent / "BYLAWS.toml"
COOP = "demo"
COORDINATOR = "vicinia-coordinator"
LISTEN_SECONDS = 30  # on an idle machine


class Steward:
    """Founds the cooperative in a folder, runs its coordinator and invites everybody."""

    def __init__(self, folder: Path, data: Households, processes: Supervisor, bylaws: Path) -> None:
        self._folder = folder
        self._data = data
        self._processes = processes
        self._bylaws = bylaws
        self.phase_seconds = 0  # known once the cooperative is founded
        self.coordinator = folder / "coordinator"
        self._dir = ("--dir", str(self.coordinator))
        self._address: tuple[str, ...] = ()

    def found(self, registrars: Sequence[str], witness: str, machine: Machine, homes: int) -> None:
        """Found the cooperative with the public keys of the elected homes and by-laws that this machine bears."""
        keys = [word for key in registrars for word in ("--registrar", key)]
        self._processes.run(
            COORDINATOR, *self._dir, "found", "--coop", COOP, "--name", "The demo cooperative",
            *keys, "--witness", witness, "--bylaws", str(self._rules(machine, homes)),
            *(word for table in self._data.tables for word in ("--dataset", str(table.map))),
        )  # fmt: skip

    def invitations(self, name: str) -> Path:
        """The file with the invitations of the households, or of a researcher."""
        return self._folder / f"{name}.invitations"

    def _rules(self, machine: Machine, homes: int) -> Path:
        """The by-laws, with times that this machine bears where the file has none: all homes share its cores."""
        text = self._bylaws.read_text()
        named = tomllib.loads(text)
        missing = {name: at for name, at in machine.times(homes).items() if name not in named}
        path = self._folder / "BYLAWS.toml"
        path.write_text(text + "".join(f"{name} = {value}\n" for name, value in missing.items()))
        self.phase_seconds = int({**missing, **named}["phase_seconds"])
        return path

    def serve(self) -> None:
        """Start the coordinator on free ports, or again on the ports that it had."""
        ports_file = self._folder / "ports.json"
        ports_file.unlink(missing_ok=True)
        ports = self._address[1::2] or ("127.0.0.1:0", "127.0.0.1:0")
        port, enrolment = (address.rpartition(":")[2] for address in ports)
        self._processes.start(
            "coordinator", COORDINATOR, *self._dir, "serve", "--port", port, "--enrolment-port", enrolment,
            "--ports-file", str(ports_file),
        )  # fmt: skip
        wait_until(
            ports_file.is_file, seconds=LISTEN_SECONDS, what="the coordinator to listen", processes=self._processes
        )
        chosen = json.loads(ports_file.read_text())
        self._address = (
            "--address", f"127.0.0.1:{chosen['port']}", "--enrolment", f"127.0.0.1:{chosen['enrolment_port']}",
        )  # fmt: skip

    def invite(self, homes: int) -> None:
        """Invitations for so many households and for both researchers, made at once."""
        self._processes.at_once(
            [partial(self._invitation, "households", "invite", "--count", str(homes))]
            + [
                partial(self._invitation, name, "accredit", "--institution", institution, "--kind", kind)
                for name, (institution, kind) in RESEARCHERS.items()
            ]
        )

    def _invitation(self, name: str, *words: str) -> None:
        out = str(self.invitations(name))
        self._processes.run(COORDINATOR, *self._dir, *words, *self._address, "--out", out)
