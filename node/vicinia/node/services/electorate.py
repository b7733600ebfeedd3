"""The keys of a run's electorate, made once for all homes of a process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from vicinia.assembly.state import Assembly
from vicinia.assembly.vote import Vote
from vicinia.identity import VerifyingKey

__all__ = ["electorate_of", "lasting_of"]

_KEPT_ELECTORATES = 4

_lock = threading.Lock()
_known: dict[tuple[bytes, bytes, int, int], Mapping[int, VerifyingKey]] = {}


def electorate_of(assembly: Assembly, job_hash: bytes, size: int) -> Mapping[int, VerifyingKey]:
    """Index -> key of the electors of a job who were members when the log had `size` leaves.

    Two assemblies that hold the same `size` leaves have the same electorate, so it is kept under their root.
    """
    return _kept(assembly, job_hash, size, size, lambda vote: assembly.electorate_keys(vote, size))


def lasting_of(assembly: Assembly, job_hash: bytes, size: int, later: int) -> Mapping[int, VerifyingKey]:
    """Of these, those who had neither left nor another key when the log had the `later` size."""
    return _kept(assembly, job_hash, size, later, lambda vote: assembly.lasting_keys(vote, size, later))


def _kept(
    assembly: Assembly,
    job_hash: bytes,
    size: int,
    later: int,
    find: Callable[[Vote], Mapping[int, VerifyingKey]],
) -> Mapping[int, VerifyingKey]:
    name = (assembly.root(max(size, later)), job_hash, size, later)
    with _lock:
        if name not in _known:
            while len(_known) >= _KEPT_ELECTORATES:
                del _known[next(iter(_known))]
            _known[name] = find(assembly.vote_on(job_hash))
        return _known[name]
