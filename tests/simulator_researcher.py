"""A researcher's client whose calls end at a village's services, in this process.

    client = researcher(village, tmp_path, monkeypatch)

`client` has a `VillageLink` in the place of its `Link`; `tamper` of that may replace what a researcher is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from simulator_village import COOP, Village
from vicinia.coordinator.client import connection
from vicinia.coordinator.client.connection import Client
from vicinia.coordinator.client.folder import Folder, Membership
from vicinia.coordinator.client.link import JobStatus, Released
from vicinia.errors import Unavailable
from vicinia.identity.keyfile import write_secret
from vicinia.tlog.statement import Statement
from vicinia.wire.research import ArtifactPiece, ArtifactRequest


class VillageLink:
    """What `Link` does, without a network; `away` calls fail before the next one succeeds."""

    def __init__(self, village: Village) -> None:
        self.village = village
        self.caller = village.researcher_principal
        self.away = 0
        self.forged: Callable[[bytes, bytes], bytes] = lambda _digest, body: body
        self.forged_card: Callable[[bytes], bytes] = lambda body: body

    def data_sets(self) -> tuple[tuple[bytes, ...], int]:
        reply = self.village.coordinator.research.datasets()
        return reply.definitions, reply.households

    def check(self, job: bytes) -> bytes:
        return self.village.coordinator.research.check(self.caller, job)

    def submit(self, job: bytes, proposal: bytes, model: bytes = b"") -> bytes:
        return self.village.coordinator.research.submit(self.caller, job, proposal, model)

    def jobs(self) -> tuple[JobStatus, ...]:
        return tuple(JobStatus.of(one) for one in self.village.coordinator.research.jobs(self.caller))

    def job(self, job_hash: bytes) -> tuple[JobStatus, bytes]:
        if self.away:
            self.away -= 1
            raise Unavailable("The coordinator does not answer any more.", where="coordinator")
        reply = self.village.coordinator.research.job(self.caller, job_hash)
        return JobStatus.of(reply.status, reply.rounds), reply.job

    def result(self, job_hash: bytes) -> Released:
        reply = self.village.coordinator.research.result(self.caller, job_hash)
        return Released(self.forged_card(reply.release), reply.release_index)

    def artifact(self, job_hash: bytes, digest: bytes, offset: int) -> ArtifactPiece:
        piece = self.village.coordinator.research.artifact(self.caller, ArtifactRequest(job_hash, digest, offset))
        body = self.forged(digest, piece.data)
        return piece if body == piece.data else ArtifactPiece(len(body), body)

    def checkpoint(self) -> bytes:
        accepted = self.village.coordinator.checkpoints.accepted
        assert accepted is not None
        return accepted.note

    def leaves(self, size: int) -> Iterator[bytes]:
        yield from self.village.coordinator.ledger.entries(0, size)

    def close(self) -> None:
        pass


def logged_in(village: Village, path: Path) -> Folder:
    """The researcher's folder after a login."""
    found = Folder(path)
    write_secret(found.path / "identity.key", village.researcher.seed)
    genesis = Statement.parse(village.coordinator.ledger.entries(0, 1)[0])
    membership = Membership(
        coop=COOP,
        institution="University",
        kind="public",
        address="localhost:1",
        enrolment="localhost:2",
        authority="PEM",
        genesis=genesis.digest.hex(),
        log_key=village.coordinator.ledger.key.public.hex,
    )
    found.keep_login(membership, b"key", b"certificate")
    return found


def researcher(folder: Folder, link: VillageLink, monkeypatch: pytest.MonkeyPatch) -> Client:
    """The client of a folder over this link."""
    made: Any = lambda *_: link  # noqa: E731
    monkeypatch.setattr(connection, "Link", made)
    monkeypatch.setattr(connection, "fresh_certificate", lambda _folder: (b"key", b"certificate"))
    return Client(folder)
