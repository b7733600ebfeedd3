"""A real coordinator process over a cooperative that was founded for a measurement, and what a process costs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["PROGRAMS", "Served", "command", "cpu_seconds", "resident_mb"]

PROGRAMS = Path(sys.executable).parent  # not resolved: the programs lie beside the environment's python
START_SECONDS = 120.0
END_SECONDS = 20.0
_UTIME = 13  # in /proc/PID/stat, counted from 0; the next one is stime


class Served:
    """`vicinia-coordinator serve` on free ports, while the `with` lasts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ready = folder.parent / "ports.json"
        self.port = self.enrolment_port = self.pid = 0

    def __enter__(self) -> Served:
        words = ["--dir", str(self._folder), "serve", "--port", "0", "--enrolment-port", "0", "--log-level", "warning"]
        words += ["--ports-file", str(self._ready)]
        self._process = subprocess.Popen([str(PROGRAMS / "vicinia-coordinator"), *words])
        end = time.monotonic() + START_SECONDS
        while not self._ready.exists():
            if self._process.poll() is not None or time.monotonic() > end:
                self._process.kill()
                raise RuntimeError("the coordinator does not serve")
            time.sleep(0.05)
        ports = json.loads(self._ready.read_text())
        self.port, self.enrolment_port, self.pid = ports["port"], ports["enrolment_port"], ports["pid"]
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def command(program: str, *words: str | Path) -> str:
    """What a program of the project prints; RuntimeError with its words where it fails."""
    done = subprocess.run([PROGRAMS / program, *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{program} {words[0]}: {done.stderr.strip()}")
    return done.stdout


def cpu_seconds(pid: int) -> float:
    """CPU that a process has used since it began, in user and kernel mode (from /proc, to 10 ms)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[_UTIME - 2 : _UTIME])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Resident memory of a process, in MB of 10^6 bytes (from /proc)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) * 1024 / 1e6
