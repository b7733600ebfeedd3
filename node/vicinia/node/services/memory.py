"""How much memory the worker may take: what a run asks for beyond it fails there, and the device goes on."""

from __future__ import annotations

import resource

__all__ = ["bound"]

_PROGRAM = 512 * 1024 * 1024
_HOME = 96 * 1024 * 1024
"""A model of a million parameters, its update, the noise and what is sent, all at once."""


def bound(homes: int) -> None:
    """Let this process have data for so many homes; more is a MemoryError, which a contribution turns into zeros.

    RLIMIT_DATA counts what is private and writable (Linux 4.7 and newer, setrlimit(2)).
    """
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = _PROGRAM + homes * _HOME
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
