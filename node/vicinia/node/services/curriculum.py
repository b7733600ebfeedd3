"""What a round of a training begins with: the model under its hash, and the earlier rounds that its clip follows from.

Held in memory while the worker lives: homes that share a process fetch a model once. After a restart it is fetched
again, under the same hash.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from vicinia.errors import InvalidInput, ProtocolViolation
from vicinia.node.services.ports import Link
from vicinia.wire.limits import MODEL

if TYPE_CHECKING:
    from vicinia.assembly.vote import Vote
    from vicinia.training.model import Model

__all__ = ["Models", "Rounds", "models", "rounds"]

_KEPT = 2
T = TypeVar("T")


class _Shelf(Generic[T]):
    """The newest things, by key; whoever is in the middle of one keeps it, though it is no longer among them."""

    def __init__(self, new: Callable[[], T]) -> None:
        self._new = new
        self._lock = threading.Lock()  # never held while a coordinator is asked: one that is slow holds up its own job
        self._kept: OrderedDict[bytes, T] = OrderedDict()

    def of(self, key: bytes) -> T:
        """What is kept under this key, or a new one."""
        with self._lock:
            found = self._kept[key] = self._kept.get(key) or self._new()
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return found


@dataclass(slots=True)
class _Download:
    """A model, or what there is of it: a call that fails loses no piece."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    body: bytearray = field(default_factory=bytearray)
    model: Model | None = None


class Models:
    """The newest models, by hash."""

    def __init__(self) -> None:
        self._shelf = _Shelf(_Download)

    def fetch(self, link: Link, run_id: bytes, digest: bytes) -> Model:
        """The model of that hash; ProtocolViolation where the coordinator sends another, or none that can be read."""
        from vicinia.training.model import Model

        one = self._shelf.of(digest)
        with one.lock:  # homes that share a process wait for the one that fetches
            if one.model is None:
                body = _download(link, run_id, one.body)
                if hashlib.sha256(body).digest() != digest:
                    raise ProtocolViolation("The model is not the one that the log names.", where="model")
                try:
                    one.model = Model.from_bytes(body)
                except InvalidInput as error:
                    raise ProtocolViolation(f"The model cannot be read. {error.what}", where="model") from error
            return one.model


def _download(link: Link, run_id: bytes, begun: bytearray) -> bytes:
    """The whole body; `begun` has the pieces so far, and nothing once they are put together or do not fit."""
    total = -1
    while len(begun) != total:
        piece = link.model(run_id, len(begun))
        if not piece.data or piece.total > MODEL or len(begun) + len(piece.data) > piece.total:
            begun.clear()
            raise ProtocolViolation("The model came in pieces that do not fit.", where="model")
        total = piece.total
        begun += piece.data
    body = bytes(begun)
    begun.clear()
    return body


@dataclass(slots=True)
class _Shown:
    """What is known of one training's rounds: the bodies by hash."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    bodies: dict[bytes, bytes] = field(default_factory=dict)


class Rounds:
    """What the rounds of the newest trainings released, by hash: only what the log names is kept."""

    def __init__(self) -> None:
        self._shelf = _Shelf(_Shown)

    def fetch(self, link: Link, run_id: bytes, vote: Vote) -> tuple[bytes, ...]:
        """All that the log names, as far as the coordinator has it; it is asked where one is not known here."""
        wanted = {logged.digest for logged in vote.releases.values()}
        one = self._shelf.of(vote.proposal.job)
        with one.lock:  # homes that share a process wait for the one that fetches for the same job
            known = one.bodies
            if not wanted <= known.keys():
                shown = {hashlib.sha256(body).digest(): body for body in link.rounds(run_id)}
                known.update((digest, body) for digest, body in shown.items() if digest in wanted)
            return tuple(known[digest] for digest in wanted & known.keys())


models, rounds = Models(), Rounds()
"""Those of this process."""
