"""A researcher's client whose calls end at a village's services, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from simulator_village import COOP, Village
from vicinia.coordinator.client import connection
from vicinia.coordinator.client.connection import Client
from vicinia.coordinator.client.folder import Folder, Membership
from vicinia.coordinator.client.link import JobStatus
from vicinia.errors import Unavailable
from vicinia.identity.keyfile import write_secret
from vicinia.tlog.statement import Statement


class VillageLink:
    """What `Link` does, without a network; `away` calls fail before the next one succeeds."""

    def __init__(self, village: Village) -> None:
        self.village = village
        self.caller = village.researcher_principal
        self.away = 0

    def data_sets(self) -> tuple[tuple[bytes, ...], int]:
        reply = self.village.coordinator.research.datasets()
        return reply.definitions, reply.households

    def check(self, job: bytes) -> bytes:
        return self.village.coordinator.research.check(self.caller, job)

    def submit(self, job: bytes, proposal: bytes) -> bytes:
        return self.village.coordinator.research.submit(self.caller, job, proposal)

    def jobs(self) -> tuple[JobStatus, ...]:
        return tuple(JobStatus.of(one) for one in self.village.coordinator.research.jobs(self.caller))

    def job(self, job_hash: bytes) -> tuple[JobStatus, bytes]:
        if self.away:
            self.away -= 1
            raise Unavailable("The coordinator does not answer any more.", where="coordinator")
        reply = self.village.coordinator.research.job(self.caller, job_hash)
        return JobStatus.of(reply.status), reply.job

    def leaves(self, size: int) -> Iterator[bytes]:
        yield from self.village.coordinator.ledger.entries(0, size)

    def close(self) -> None:
        pass


@pytest.fixture
def link(village: Village) -> VillageLink:
    return VillageLink(village)


@pytest.fixture
def folder(village: Village, tmp_path: Path) -> Folder:
    """The researcher's folder, logged in."""
    found = Folder(tmp_path / "researcher")
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


@pytest.fixture
def client(folder: Folder, link: VillageLink, monkeypatch: pytest.MonkeyPatch) -> Client:
    made: Any = lambda *_: link  # noqa: E731
    monkeypatch.setattr(connection, "Link", made)
    monkeypatch.setattr(connection, "fresh_certificate", lambda _folder: (b"key", b"certificate"))
    return Client(folder)
