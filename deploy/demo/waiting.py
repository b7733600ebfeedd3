"""Waiting for something that another process does, without waiting for ever."""

from __future__ import annotations

import time
from collections.abc import Callable

from vicinia.errors import RoundFailed

from deploy.demo.processes import Supervisor

__all__ = ["wait_until"]

STEP_SECONDS = 0.1


def wait_until(happened: Callable[[], bool], *, seconds: float, what: str, processes: Supervisor) -> None:
    """Return when it has happened; RoundFailed after `seconds`, or when a process has died meanwhile.

    On a machine that is slower than an idle one it takes as much longer until it is in vain.
    """
    seconds *= processes.slowness
    deadline = time.monotonic() + seconds
    while not happened():
        processes.check()
        if time.monotonic() > deadline:
            raise RoundFailed(f"Waited {seconds:.0f} seconds in vain for {what}.", where="demo")
        time.sleep(STEP_SECONDS)
