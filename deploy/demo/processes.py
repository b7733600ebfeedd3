"""The demo's processes: each in a group of its own, each with a log, all ended when the demo ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from vicinia.errors import RoundFailed, Unavailable

__all__ = ["Stream", "Supervisor", "resident_mb"]

END_SECONDS = 8.0
COMMAND_SECONDS = 300.0
PROGRAMS = Path(sys.executable).parent  # not resolved: the programs lie beside the environment's python


class Stream:
    """The lines of a running command."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def line(self) -> str | None:
        """The next line, without its end; None when there are no more."""
        assert self._process.stdout is not None  # noqa: S101  opened as a pipe
        return self._process.stdout.readline().rstrip("\n") or None


class Supervisor:
    """Starts programs of the environment and ends every one of them, whatever happens.

    A process that dies by itself is noticed by `check`; one that the demo ends or kills is not.
    """

    def __init__(self, logs: Path, end_seconds: float = END_SECONDS) -> None:
        self._end_seconds = end_seconds
        self.slowness = 1.0  # how many times longer than on an idle machine everything may take
        logs.mkdir(mode=0o700, exist_ok=True)
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._streams: list[subprocess.Popen[str]] = []
        self._commands: set[subprocess.Popen[str]] = set()
        self.commands: list[tuple[str, float]] = []

    def start(self, name: str, program: str, *arguments: str) -> int:
        """Start a daemon under a name and give its process id."""
        with (self._logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                _command(program, arguments), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._running[name] = process
        return process.pid

    def run(self, program: str, *arguments: str) -> str:
        """Run a command to its end and give its standard output; RoundFailed with its words when it fails."""
        began = time.monotonic()
        done = self.attempt(program, *arguments)
        self.commands.append((" ".join((program, *arguments[:4])), time.monotonic() - began))
        if done.returncode != 0:
            words = (done.stderr.strip() or done.stdout.strip()).splitlines()
            last = words[-1] if words else f"it ended with status {done.returncode}"
            raise RoundFailed(last, where=" ".join((program, *arguments)))
        return done.stdout

    def attempt(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, whatever its status; its whole group ends with an interrupted demo."""
        process = subprocess.Popen(
            _command(program, arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._commands.add(process)
        patience = COMMAND_SECONDS * self.slowness
        try:
            out, err = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired as late:
            raise Unavailable(
                f"The command did not end within {patience:.0f} seconds.",
                where=" ".join((program, *arguments)),
                hint="This machine is too busy for so many homes.",
            ) from late
        finally:
            self._commands.discard(process)
            if process.poll() is None:
                _signal_group(process, signal.SIGKILL)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def stream(self, name: str, program: str, *arguments: str) -> Stream:
        """Start a command whose lines are read as they come; it ends with the others."""
        with (self._logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                _command(program, arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self._streams.append(process)
        return Stream(process)

    def run_json(self, program: str, *arguments: str) -> Any:
        """Run a command with --json and parse what it prints."""
        return json.loads(self.run(program, *arguments, "--json"))

    def at_once(self, calls: Sequence[Callable[[], Any]]) -> list[Any]:
        """Make several calls at the same time, as many as the machine has cores and one more."""
        with ThreadPoolExecutor(max_workers=(os.cpu_count() or 1) + 1) as pool:
            try:
                return list(pool.map(lambda call: call(), calls))
            except KeyboardInterrupt:  # leaving the pool would wait for the commands
                for process in list(self._commands):
                    _signal_group(process, signal.SIGKILL)
                raise

    def check(self) -> None:
        """RoundFailed when a daemon has ended by itself, with the last line of its log."""
        for name, process in self._running.items():
            if process.poll() is not None:
                lines = (self._logs / f"{name}.log").read_text(errors="replace").strip().splitlines()
                last = lines[-1] if lines else "its log is empty"
                raise RoundFailed(f"{name} ended with status {process.returncode}: {last}", where="demo")

    @property
    def running(self) -> bool:
        """Whether any daemon still runs."""
        return any(process.poll() is None for process in self._running.values())

    def pid(self, name: str) -> int:
        """The process id of a running daemon."""
        return self._running[name].pid

    def kill(self, name: str) -> None:
        """Kill a daemon and all that it started, without a warning (SIGKILL)."""
        process = self._running.pop(name)
        _signal_group(process, signal.SIGKILL)
        process.wait()

    def end(self, name: str) -> None:
        """Ask a daemon to end, and see to it."""
        self._end([self._running.pop(name)])

    def end_all(self) -> None:
        """End every process that is still there; safe to call twice."""
        left: list[subprocess.Popen[Any]] = [*self._streams, *self._running.values()]
        self._streams.clear()
        self._running.clear()
        self._end(left)

    def release(self) -> list[int]:
        """Give up every running process; the process groups are returned to be ended by somebody else."""
        self._end(self._streams)
        groups = [process.pid for process in self._running.values() if process.poll() is None]
        self._running.clear()
        return groups

    def _end(self, processes: Sequence[subprocess.Popen[Any]]) -> None:
        for process in processes:
            _signal_group(process, signal.SIGTERM)
        deadline = time.monotonic() + self._end_seconds
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(0.05, deadline - time.monotonic()))
            # Also what the process itself started and left behind.
            _signal_group(process, signal.SIGKILL)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def resident_mb(pid: int) -> float:
    """Resident memory of a process, in MB of 10^6 bytes (from /proc)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def _command(program: str, arguments: Sequence[str]) -> list[str]:
    if program.endswith(".py"):
        return [sys.executable, program, *arguments]
    return [str(PROGRAMS / program), *arguments]


def _signal_group(process: subprocess.Popen[Any], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
