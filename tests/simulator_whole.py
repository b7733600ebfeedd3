"""A whole cooperative in one process: the coordinator's services and the homes' daemons' own code, nothing simulated
but the network and the clock.

    whole = Whole(tmp_path, homes=8)
    job = whole.accepted_job(**training())       # as in `simulator_village.Village`
    whole.until(job, Stage.RELEASED)             # ticks; every home decides, computes, sends

`whole.link(i)` is home i's `Link`: it calls the services with the home's principal. `whole.tamper` may replace what a
home is shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from simulator_village import COOP, MAP, Home, Village
from vicinia.assembly import Job
from vicinia.coordinator.services.cooperative import Cooperative
from vicinia.errors import Unavailable
from vicinia.identity import Principal, TlsKey, VerifyingKey
from vicinia.node.services.consent import ConsentRecord
from vicinia.node.services.cooperative import Cooperative as Pinned
from vicinia.node.services.participation import Participation
from vicinia.node.services.replica import Replica
from vicinia.node.store.consents import Consents
from vicinia.node.store.datasets import DataSets
from vicinia.node.store.home import Home as Store
from vicinia.node.store.replica import ReplicaStore
from vicinia.node.store.runs import Run, Runs
from vicinia.query.mapping import parse_map
from vicinia.query.schema import create_table_sql, insert_sql
from vicinia.secagg.manifest import PROTOCOL
from vicinia.secagg.messages import Advert, ShareUpload, UnmaskShares
from vicinia.tlog.canonical import canonical
from vicinia.wire.log import SubmitReply
from vicinia.wire.published import Phase, Published
from vicinia.wire.rounds import ModelPiece, PollReply, PollRequest
from vicinia.wire.upload import UploadHeader

PROTOCOLS = (PROTOCOL,)
Rows = Callable[[int], Sequence[tuple[int, float]]]


def one_row(number: int) -> Sequence[tuple[int, float]]:
    """One or two children, and more fuel with two."""
    return [(1 + number % 2, 0.05 + 0.01 * number + 0.1 * (number % 2))]


@dataclass
class ServiceLink:
    """A home's calls, made as the servicers make them."""

    whole: Whole
    principal: Principal

    def poll(self, protocols: Sequence[int], log_size: int) -> PollReply:
        return self._services.bulletin.poll(self.principal, PollRequest(tuple(protocols), log_size))

    def checkpoint(self) -> bytes:
        accepted = self._services.checkpoints.accepted
        if accepted is None:
            raise Unavailable("not confirmed yet.")
        return accepted.note

    def entries(self, start: int, end: int) -> list[bytes]:
        return self._services.ledger.entries(start, end)

    def consistency(self, old_size: int, new_size: int) -> list[bytes]:
        return self._services.ledger.consistency(old_size, new_size)

    def cosign(self, size: int, line: bytes) -> None:
        self._services.checkpoints.cosign(self.principal.id, size, line)

    def submit(self, statement: bytes) -> SubmitReply:
        return self._services.statements.submit(statement)

    def pending(self, kinds: Sequence[str], after: bytes = b"") -> list[bytes]:
        return list(self._services.statements.pending(self.principal, tuple(kinds), after))

    def endorse(self, digest: bytes, key: bytes, signature: bytes) -> SubmitReply:
        return self._services.statements.endorse(digest, VerifyingKey.from_bytes(key), signature)

    def job(self, job_hash: bytes) -> bytes:
        return self._services.research.job(self.principal, job_hash).job

    def manifest(self, run_id: bytes) -> tuple[bytes, bytes]:
        return self._services.publication.manifest(self.principal, run_id)

    def model(self, run_id: bytes, offset: int) -> ModelPiece:
        return self._services.publication.model(self.principal, run_id, offset)

    def rounds(self, run_id: bytes) -> tuple[bytes, ...]:
        return self._services.publication.rounds(self.principal, run_id)

    def advertise(self, run_id: bytes, advert: Advert) -> int:
        self._services.intake.advertise(self.principal, run_id, advert)
        return 0

    def next(self, run_id: bytes, after: Phase) -> Published:
        return self._services.publication.next(self.principal, run_id, after, 0)

    def share(self, run_id: bytes, upload: ShareUpload) -> int:
        self._services.intake.share(self.principal, run_id, upload)
        return 0

    def upload(self, run_id: bytes, elements: int, width: int, packed: bytes) -> int:
        header = UploadHeader(run_id, elements, width, hashlib.sha256(packed).digest())
        self._services.intake.expect(self.principal, header)
        self._services.intake.upload(self.principal, header, packed)
        return 0

    def attest(self, run_id: bytes, signature: bytes) -> int:
        self._services.intake.attest(self.principal, run_id, signature)
        return 0

    def unmask(self, run_id: bytes, shares: UnmaskShares) -> int:
        self._services.intake.unmask(self.principal, run_id, shares)
        return 0

    def close(self) -> None:
        pass

    @property
    def _services(self) -> Cooperative:
        return self.whole.coordinator


class Whole(Village):
    """The village with the homes' own stores and decisions."""

    def __init__(self, path: Path, homes: int = 8, rows: Rows = one_row, **changes: Any) -> None:
        super().__init__(path, homes, **changes)
        pinned = Pinned(COOP, self.coordinator.ledger.assembly.genesis_digest, self.coordinator.ledger.key.public)
        self.replica = Replica(ReplicaStore(path / "replica.db"), pinned, lambda: self.now_ms)
        self.stores = [self._store(home, rows) for home in self.village]
        self.active: dict[tuple[int, bytes], Participation] = {}
        self.held_up: set[bytes] = set()  # jobs whose step is not waited for
        self.wrap: Callable[[int, ServiceLink], Any] = lambda number, link: link

    def restart(self) -> None:
        """Killed: its pipes are closed by the system, so that Flower's process ends with it."""
        self.coordinator.trainer.close()
        super().restart()

    def tick(self) -> None:
        """One tick, and what the trainer computes beside it: the clock here must not run ahead of a real process."""
        super().tick()
        lessons = self.coordinator.trainer._lessons.items()
        wait([one._working for job, one in lessons if one._working is not None and job not in self.held_up])

    def close(self) -> None:
        """Give everything back."""
        self.coordinator.close()
        self.replica.store.close()
        for store in self.stores:
            store.close()

    def link(self, number: int) -> Any:
        """Home `number`'s connection."""
        return self.wrap(number, ServiceLink(self, self.village[number].principal))

    def answer_all(self) -> None:
        """Every home that is not silent takes up what it is offered, and makes a step in each of its runs."""
        for number, home in enumerate(self.village):
            if number in self.silent:
                continue
            for offered in self.poll(home, self.replica.size).runs:
                if offered.phase is Phase.ADVERTISE and self.run(number, offered.run_id) is None:
                    self.active.setdefault((number, offered.run_id), self.participation(number, offered.run_id))
            for place in [place for place in self.active if place[0] == number]:
                if self.active[place].advance() is None:
                    del self.active[place]

    def participation(self, number: int, run_id: bytes) -> Participation:
        """Home `number` in a run, as its worker would take it up, or take it up again after a restart."""
        elapsed = lambda: self.now_ms / 1000  # noqa: E731
        return Participation(self.stores[number], self.replica, self.link(number), run_id, lambda: self.now_ms, elapsed)

    def withdraw(self, number: int) -> None:
        """Home `number` withdraws its consent."""
        decide(self.stores[number], self.now_ms, "never")

    def fail_the_run(self, job: Job) -> None:
        """Most homes go silent, and come back when the run that is under way has failed."""
        self.silent.update(range(1, 6))
        for _ in range(200):
            self.tick()
            self.answer_all()
            self.wait(5)
            if self.run_of(job).phase is Phase.FAILED:
                break
        self.silent.clear()
        self.active.clear()

    def run(self, number: int, run_id: bytes) -> Run | None:
        """What home `number` knows of a run."""
        return Runs(self.stores[number].database).get(run_id)

    def _store(self, home: Home, rows: Rows) -> Store:
        """A home that has joined, consents to research and has its rows."""
        store = Store.create(self.path / f"home{home.number}")
        ledger = self.coordinator.ledger
        facts = {
            "identity": home.key.seed,
            "household": home.principal.id.encode(),
            "tls-key": TlsKey.generate().pem,
            "coop": COOP.encode(),
            "genesis": ledger.assembly.genesis_digest,
            "log-key": ledger.key.public.raw,
            "address": b"localhost:1",
            "enrolment": b"localhost:2",
            "ca": b"",
            "certificate": b"",
        }
        definition = parse_map(MAP)[0]
        with store.database.transaction("join"):
            for name, value in facts.items():
                store.facts.put(name, value)
            store.database.run(create_table_sql(definition))
            for place, (kids, fuel) in enumerate(rows(home.number)):
                store.database.run(insert_sql(definition), (f"r{place}", "test", kids, fuel))
            DataSets(store.database).put("budget", canonical(definition.payload()), len(rows(home.number)))
        decide(store, self.now_ms, "allow")
        return store


def decide(
    store: Store, now_ms: int, mode: Literal["allow", "never"], kinds: Sequence[str] = ("query", "train")
) -> None:
    """Consent to research on the budget by public institutions and to models trained for it, or withdraw both."""
    expires, whom = now_ms + 10**10 if mode == "allow" else 0, ("budget", "dpv:NonCommercialResearch", "public")
    for kind in kinds:
        record = ConsentRecord(*whom, mode, 0, Decimal(10_000), expires, now_ms, kind=kind)
        Consents(store.database).add(*whom, record.encode())
