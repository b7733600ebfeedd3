"""What a round of a training begins with: the model under its hash, and the earlier rounds that its clip follows from.

Held in memory while the worker lives: homes that share a process fetch a model once. After a restart it is fetched
again, under the same hash.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from vicinia.errors import InvalidInput, ProtocolViolation
from vicinia.node.services.ports import Link
from vicinia.wire.limits import MODEL

if TYPE_CHECKING:
    from vicinia.assembly.vote import Vote
    from vicinia.training.model import Model

__all__ = ["Models", "Rounds", "models", "rounds"]

_KEPT = 2


class Models:
    """The newest models, by hash."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, Model] = OrderedDict()
        self._begun: dict[bytes, bytearray] = {}  # of the model that is being fetched: a call that fails loses no piece

    def fetch(self, link: Link, run_id: bytes, digest: bytes) -> Model:
        """The model of that hash; ProtocolViolation where the coordinator sends another, or none that can be read."""
        from vicinia.training.model import Model

        with self._lock:  # homes that share a process wait for the one that fetches
            found = self._kept.get(digest)
            if found is None:
                body = self._download(link, run_id, digest)
                if hashlib.sha256(body).digest() != digest:
                    raise ProtocolViolation("The model is not the one that the log names.", where="model")
                try:
                    found = Model.from_bytes(body)
                except InvalidInput as error:
                    raise ProtocolViolation(f"The model cannot be read. {error.what}", where="model") from error
                self._kept[digest] = found
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(digest)
            return found

    def _download(self, link: Link, run_id: bytes, digest: bytes) -> bytes:
        if digest not in self._begun:
            self._begun = {digest: bytearray()}
        body, total = self._begun[digest], -1
        while len(body) != total:
            piece = link.model(run_id, len(body))
            if not piece.data or piece.total > MODEL or len(body) + len(piece.data) > piece.total:
                self._begun.clear()
                raise ProtocolViolation("The model came in pieces that do not fit.", where="model")
            total = piece.total
            body += piece.data
        self._begun.clear()
        return bytes(body)


class Rounds:
    """What the rounds of the newest trainings released, by hash: only what the log names is kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, dict[bytes, bytes]] = OrderedDict()

    def fetch(self, link: Link, run_id: bytes, vote: Vote) -> tuple[bytes, ...]:
        """All that the log names, as far as the coordinator has it; it is asked where one is not known here."""
        wanted = {logged.digest for logged in vote.releases.values()}
        with self._lock:  # homes that share a process wait for the one that fetches
            known = self._kept.setdefault(vote.proposal.job, {})
            self._kept.move_to_end(vote.proposal.job)
            if not wanted <= known.keys():
                shown = {hashlib.sha256(body).digest(): body for body in link.rounds(run_id)}
                known.update((digest, body) for digest, body in shown.items() if digest in wanted)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return tuple(known[digest] for digest in wanted & known.keys())


models, rounds = Models(), Rounds()
"""Those of this process."""
