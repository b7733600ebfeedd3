"""A child process that is spoken to through its standard input and output, every wait with a limit."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import IO

__all__ = ["Child"]

_TAIL_BYTES = 8_000
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH", "TMPDIR")


class Child:
    """`python -m module` with an environment that holds nothing of the coordinator's secrets.

    Waits raise TimeoutError `patience` seconds after `begin`, EOFError or BrokenPipeError when the process has ended.
    It ends by itself when this process does, for its input closes then.
    """

    def __init__(self, module: str, environment: Mapping[str, str], patience: float) -> None:
        self._patience, self._end = patience, time.monotonic() + patience
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (a pipe that nobody reads would fill up)
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            env={**kept, **environment},
            start_new_session=True,  # an interrupt at the terminal is the coordinator's to handle
        )
        for pipe in self._pipes():
            os.set_blocking(pipe.fileno(), False)

    @property
    def pid(self) -> int:
        return self._process.pid

    def begin(self) -> None:
        """From now on the next message may take as long as it may."""
        self._end = time.monotonic() + self._patience

    def write(self, piece: memoryview) -> None:
        """Write all of it."""
        sink, _ = self._pipes()
        while piece:
            _wait(sink, select.POLLOUT, self._end)
            piece = piece[os.write(sink.fileno(), piece) :]

    def fill(self, target: memoryview) -> None:
        """Read exactly as much as there is room for."""
        _, source = self._pipes()
        while target:
            _wait(source, select.POLLIN, self._end)
            count = os.readv(source.fileno(), [target])
            if not count:
                raise EOFError
            target = target[count:]

    def last_words(self) -> list[str]:
        """The last lines of its standard error."""
        size = os.fstat(self._errors.fileno()).st_size
        raw = os.pread(self._errors.fileno(), _TAIL_BYTES, max(0, size - _TAIL_BYTES))
        return raw.decode(errors="replace").splitlines()

    def close(self, grace: float = 0.0) -> int:
        """Close its pipes, kill it after `grace` seconds, wait until it is gone; its exit status.

        May be called twice.
        """
        for pipe in self._pipes():
            pipe.close()
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        return self._process.returncode

    def forget(self) -> None:
        """Drop its standard error; after `close`."""
        self._errors.close()

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        sink, source = self._process.stdin, self._process.stdout
        assert sink is not None and source is not None  # noqa: S101, PT018 (both were asked for)
        return sink, source


def _wait(pipe: IO[bytes], event: int, end: float) -> None:
    """Until the pipe can be used, or `end` of a clock that only goes on."""
    poll = select.poll()
    poll.register(pipe.fileno(), event)
    if not poll.poll(max(0.0, end - time.monotonic()) * 1000):
        raise TimeoutError
