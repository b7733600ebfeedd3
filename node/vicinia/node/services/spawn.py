"""The worker process as the daemon sees it: started when there is a run, gone when there is none.

One line of JSON a run goes in, and one comes back when the home is done with it, perhaps with the seconds after which
there may be another; a line without a run only makes the home ready. The worker ends by itself when it is idle or when
its standard input closes, so it never outlives the daemon.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["WorkerProcess", "done_line", "task_line"]

_RESTART_SECONDS = 2.0
_END_SECONDS = 10.0
# What is computed at home is short: the threads of linear algebra would wait for each other longer than they work.
# A model's vectors have megabytes: what has one or more goes back to the system when it is freed (glibc, mallopt(3)).
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": str(1 << 20)}
_log = logging.getLogger("vicinia.node")


def task_line(home: str, run_id: bytes) -> str:
    """One task as it goes over the pipe."""
    return json.dumps({"home": home, "run": run_id.hex()}, sort_keys=True) + "\n"


def done_line(home: str, run_id: bytes, following: float | None) -> str:
    """The answer: a home is done with a run, and in so many seconds there may be another."""
    return json.dumps({"home": home, "run": run_id.hex(), "following": following}, sort_keys=True) + "\n"


class WorkerProcess:
    """At most one worker for all homes. `exec`, never fork: gRPC has threads."""

    def __init__(self, root: Path, *, many: bool) -> None:
        self._command = [sys.executable, "-m", "vicinia.node.worker", "--homes" if many else "--dir", str(root)]
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._in_hand: set[str] = set()
        self._tell: Callable[[str, float | None], None] = lambda _, __: None
        self._started = 0.0

    def assign(self, home: str, run_id: bytes) -> None:
        """Hand over a run; ignored while the worker has it, dropped (the daemon asks again) while it cannot start."""
        line = task_line(home, run_id)
        with self._lock:
            if line in self._in_hand:
                return
            if self._write(line):
                self._in_hand.add(line)

    def when_done(self, tell: Callable[[str, float | None], None]) -> None:
        """Tell the name of a home whenever one is done with a run, and in how many seconds there may be another."""
        self._tell = tell

    def warm(self, home: str) -> None:
        """Let the worker open a home before there is a run for it."""
        with self._lock:
            self._write(task_line(home, b""))

    def close(self) -> None:
        """End the worker; what it had in hand is in the homes' journals."""
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _write(self, line: str) -> bool:
        process = self._running()
        if process is None or process.stdin is None:
            return False
        try:
            process.stdin.write(line)
            process.stdin.flush()
        except (BrokenPipeError, ValueError):
            return False
        return True

    def _running(self) -> subprocess.Popen[str] | None:
        if self._process is not None and self._process.poll() is None:
            return self._process
        if self._process is not None:
            self._in_hand.clear()
            self._process = None
        if time.monotonic() - self._started < _RESTART_SECONDS and self._started:
            return None
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | _ENVIRONMENT
        )
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()
        return self._process

    def _listen(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is None:
            return
        with process.stdout as lines:
            for line in lines:
                self._hear(process, line)
        code = process.wait()
        if code:
            _log.warning("the worker ended with status %d; its runs are taken up again", code)
        with self._lock:
            if process is self._process:
                self._process = None
                self._in_hand.clear()

    def _hear(self, process: subprocess.Popen[str], line: str) -> None:
        """One line of a worker: an answer, or what a library had to say."""
        try:
            done = json.loads(line)
            home, following = done["home"], done.get("following")
            task = task_line(home, bytes.fromhex(done["run"]))
        except (ValueError, KeyError, TypeError):
            return
        with self._lock:
            mine = process is self._process and task in self._in_hand
            if mine:
                self._in_hand.discard(task)
        if mine:
            self._tell(home, following)
