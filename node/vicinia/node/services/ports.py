"""What the services need from the coordinator, as protocols: the link implements them, tests simulate them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from vicinia.secagg.messages import Advert, ShareUpload, UnmaskShares
from vicinia.wire.log import SubmitReply
from vicinia.wire.published import Phase, Published
from vicinia.wire.rounds import ModelPiece, PollReply

__all__ = ["Enroller", "Link"]


class Enroller(Protocol):
    """The service without a client certificate."""

    def enrol(self, token: bytes, statement: bytes, signing_request: bytes) -> tuple[bytes, bytes]:
        """(certificate PEM, digest of the pending statement)."""

    def renew(self, principal: str, signing_request: bytes, signed_at_ms: int, signature: bytes) -> bytes:
        """A new certificate, PEM."""


class Link(Protocol):
    """One home's calls to its coordinator. Every method may raise Unavailable, and the errors of the other side."""

    def poll(self, protocols: Sequence[int], log_size: int) -> PollReply: ...

    def checkpoint(self) -> bytes: ...

    def entries(self, start: int, end: int) -> list[bytes]: ...

    def consistency(self, old_size: int, new_size: int) -> list[bytes]: ...

    def cosign(self, size: int, line: bytes) -> None: ...

    def submit(self, statement: bytes) -> SubmitReply: ...

    def pending(self, kinds: Sequence[str], after: bytes = b"") -> list[bytes]: ...

    def endorse(self, digest: bytes, key: bytes, signature: bytes) -> SubmitReply: ...

    def job(self, job_hash: bytes) -> bytes: ...

    def manifest(self, run_id: bytes) -> tuple[bytes, bytes]: ...

    def model(self, run_id: bytes, offset: int) -> ModelPiece: ...

    def rounds(self, run_id: bytes) -> tuple[bytes, ...]: ...

    def advertise(self, run_id: bytes, advert: Advert) -> int: ...

    def next(self, run_id: bytes, after: Phase) -> Published: ...

    def share(self, run_id: bytes, upload: ShareUpload) -> int: ...

    def upload(self, run_id: bytes, elements: int, width: int, packed: bytes) -> int: ...

    def attest(self, run_id: bytes, signature: bytes) -> int: ...

    def unmask(self, run_id: bytes, shares: UnmaskShares) -> int: ...

    def close(self) -> None: ...
