"""How much memory a home's daemon takes at rest, joined to a real coordinator: one home, and each further one.

Every step is the command that a steward or a member would type.
"""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from bench._served import PROGRAMS, Served, command, cpu_seconds, resident_mb

__all__ = ["measure"]

HOMES = 40
SETTLE_SECONDS, SAMPLES, EVERY_SECONDS = 8.0, 10, 1.0
BYLAWS = "registrars_needed = 1\npoll_ms = 1000\n"  # far more often than the five minutes of the default


def measure() -> list[tuple[str, str]]:
    """Resident memory of the daemon with one home and with 40, in MB of 10^6 bytes, and its CPU at rest."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one, many = folder / "one", folder / "many"
        _found(folder, one)
        with Served(folder / "coordinator") as server:
            addresses = [f"--address=localhost:{server.port}", f"--enrolment=localhost:{server.enrolment_port}"]
            _join(folder, one, ["founder"], addresses)
            _join(folder, many, [f"home{number}" for number in range(HOMES)], addresses)
            command("vicinia-node", "registrar", "approve", "--all", "--dir", one / "founder")
            alone, cpu = _at_rest(["--dir", str(one / "founder")])
            together, _ = _at_rest(["--homes", str(many)])
            seen = json.loads(command("vicinia-coordinator", "--dir", folder / "coordinator", "status", "--json"))
    if (seen["members"], seen["seen_lately"]) != (HOMES + 1, HOMES + 1):
        raise RuntimeError(f"{seen['members']} homes are members and {seen['seen_lately']} polled, not {HOMES + 1}")
    return [
        ("node daemon at rest, one home", f"{alone:.1f} MB (target 70 MB)"),
        (f"node daemon at rest, {HOMES} homes", f"{together:.1f} MB"),
        ("each further home in the same daemon", f"{(together - alone) / (HOMES - 1):.2f} MB"),
        ("node daemon that polls every second, one home", f"{100 * cpu:.1f} % of a core"),
    ]


def _found(folder: Path, homes: Path) -> None:
    """The registrar, who is the witness too, is the home that is alone in its daemon."""
    names, bylaws = folder / "names", folder / "BYLAWS.toml"
    names.write_text("founder\n")
    bylaws.write_text(BYLAWS)
    made = json.loads(command("vicinia-node", "init", "--homes", homes, "--names", names, "--json"))
    key = made["homes"]["founder"]["key"]
    words = ["found", "--coop", "bench", "--name", "Bench", "--registrar", key, "--witness", key, "--bylaws", bylaws]
    command("vicinia-coordinator", "--dir", folder / "coordinator", *words)


def _join(folder: Path, homes: Path, names: list[str], addresses: list[str]) -> None:
    invited, listed = folder / f"{homes.name}.invitations", folder / f"{homes.name}.names"
    listed.write_text("\n".join(names) + "\n")
    count = f"--count={len(names)}"
    command("vicinia-coordinator", "--dir", folder / "coordinator", "invite", count, *addresses, "--out", invited)
    command("vicinia-node", "join", "--homes", homes, "--invitations", invited, "--names", listed)


def _at_rest(where: list[str]) -> tuple[float, float]:
    """(median resident MB, CPU seconds a second) of a daemon that has followed the log and polls."""
    daemon = subprocess.Popen([PROGRAMS / "vicinia-node", "run", *where], stderr=subprocess.DEVNULL)
    try:
        time.sleep(SETTLE_SECONDS)
        began, before, resident = time.monotonic(), cpu_seconds(daemon.pid), []
        for _ in range(SAMPLES):
            time.sleep(EVERY_SECONDS)
            resident.append(resident_mb(daemon.pid))
        return statistics.median(resident), (cpu_seconds(daemon.pid) - before) / (time.monotonic() - began)
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(20)
