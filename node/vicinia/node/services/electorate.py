"""The keys of a run's electorate, shared by the homes of a process: a signature that was good once stays good.

Every home of a process is shown nearly the same adverts and attestations. Checking a signature depends on nothing but
key, signature and message, so each is checked once for all of them; one that is not good is never remembered.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping

from vicinia.assembly.state import Assembly
from vicinia.identity import VerifyingKey

__all__ = ["LastingKey", "electorate_of"]

_KEPT_ELECTORATES = 4
_KEPT_SIGNATURES = 256  # of one key; a run has two


class LastingKey(VerifyingKey):
    """A key that remembers digests of the good signatures that it has seen."""

    __slots__ = ("_good",)

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        object.__setattr__(self, "_good", set())

    def verify(self, signature: bytes, message: bytes) -> None:
        """As `VerifyingKey.verify`, ProofInvalid where it is none."""
        good: set[bytes] = self._good  # type: ignore[attr-defined]  # set above, for the class is frozen
        seen = hashlib.sha256(len(signature).to_bytes(4, "big") + signature + message).digest()
        if seen in good:
            return
        super().verify(signature, message)
        if len(good) < _KEPT_SIGNATURES:
            good.add(seen)


_lock = threading.Lock()
_known: dict[tuple[bytes, bytes, int], Mapping[int, VerifyingKey]] = {}


def electorate_of(assembly: Assembly, job_hash: bytes, size: int) -> Mapping[int, VerifyingKey]:
    """Index -> key of the electors of a job who were members when the log had `size` leaves.

    Two assemblies that hold the same `size` leaves have the same electorate, so it is kept under their root.
    """
    name = (assembly.root(size), job_hash, size)
    with _lock:
        if name not in _known:
            keys = assembly.electorate_keys(assembly.vote_on(job_hash), size)
            while len(_known) >= _KEPT_ELECTORATES:
                del _known[next(iter(_known))]
            _known[name] = {index: LastingKey(key.raw) for index, key in keys.items()}
        return _known[name]
