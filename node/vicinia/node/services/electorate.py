"""The keys of a run's electorate, made once for all homes of a process."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from vicinia.assembly.state import Assembly
from vicinia.identity import VerifyingKey

__all__ = ["electorate_of"]

_KEPT_ELECTORATES = 4

_lock = threading.Lock()
_known: dict[tuple[bytes, bytes, int], Mapping[int, VerifyingKey]] = {}


def electorate_of(assembly: Assembly, job_hash: bytes, size: int) -> Mapping[int, VerifyingKey]:
    """Index -> key of the electors of a job who were members when the log had `size` leaves.

    Two assemblies that hold the same `size` leaves have the same electorate, so it is kept under their root.
    """
    name = (assembly.root(size), job_hash, size)
    with _lock:
        if name not in _known:
            while len(_known) >= _KEPT_ELECTORATES:
                del _known[next(iter(_known))]
            _known[name] = assembly.electorate_keys(assembly.vote_on(job_hash), size)
        return _known[name]
