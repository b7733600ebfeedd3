"""How many polls one coordinator process with SQLite answers for each second of CPU that it uses.

A real `vicinia-coordinator serve`, 2,000 registered homes, each with a certificate and a channel of its own; they
poll from a few processes at the same time. CPU is the server's own (user and kernel mode, all its threads), so that
the figure does not depend on how busy the machine is with the callers.

Homes are registered by writing to the store what enrolment and the registrar's endorsement would have left there:
their signed `member` leaves, which the server verifies one by one when it starts, and their rows as people. Keys come
from the operating system's randomness; one TLS key serves all homes, the certificates differ.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench._pollers import Door, Pollers
from bench._served import Served, cpu_seconds
from vicinia.assembly import ByLaws, build_member
from vicinia.coordinator.config import Folder
from vicinia.coordinator.services.founding import Charter, found
from vicinia.coordinator.store import leaves, people
from vicinia.coordinator.store.database import Database
from vicinia.coordinator.store.leaves import Logged
from vicinia.coordinator.store.people import Person
from vicinia.identity import CertificateAuthority, Principal, Role, SigningKey, TlsKey

__all__ = ["measure"]

COOP = "bench"
HOMES = 2_000
PROCESSES = 3
REPEATS = 3
HANDSHAKES = 600
IDLE_SECONDS = 5.0


def measure() -> list[tuple[str, str]]:
    """Polls for each second of the server's CPU, and what it uses when nobody calls."""
    with tempfile.TemporaryDirectory() as name:
        folder = Folder(Path(name) / "coordinator")
        certificates, key = register(folder, HOMES)
        authority = folder.authority_certificate.read_bytes()
        with Served(folder.path) as server:
            idle = _idle(server.pid)
            door = Door(f"localhost:{server.port}", authority, key.pem, HOMES + 1)
            pollers = Pollers(door, certificates, PROCESSES)
            try:
                pollers.warm()
                warm = statistics.median(_rate(server.pid, pollers.poll, 1) for _ in range(REPEATS))
                cold = statistics.median(_rate(server.pid, pollers.handshake, HANDSHAKES) for _ in range(REPEATS))
            finally:
                pollers.close()
    return [
        (f"polls over warm channels, {HOMES:,} homes", f"{warm:,.0f} per second of CPU (target 1,000)"),
        (f"polls with a new handshake each, {HOMES:,} homes", f"{cold:,.0f} per second of CPU (target 400)"),
        ("coordinator that nobody calls", f"{100 * idle:.1f} % of a core"),
    ]


def register(folder: Folder, homes: int) -> tuple[list[bytes], TlsKey]:
    """Found a cooperative with so many members; their certificates (PEM) and the TLS key of all of them."""
    now = datetime.now(UTC)
    now_ms = int(now.timestamp() * 1000)
    keys = [SigningKey.from_seed(os.urandom(32)) for _ in range(homes)]
    registrar, tls = keys[0], TlsKey.generate()
    bylaws = ByLaws(name="Bench", registrars_needed=1)
    found(folder, Charter(COOP, (registrar.public,), (registrar.public,), bylaws, ()), now_ms)
    database = Database(folder.database)
    with database.write("register everybody") as connection:
        for place, key in enumerate(keys, start=leaves.count(connection)):
            statement = build_member(COOP, key.public).sign(key)
            statement = statement if key is registrar else statement.sign(registrar)
            leaves.append(connection, Logged(place, statement.kind, statement.digest, statement.leaf()), now_ms)
            people.add(connection, Person(key.public.id, Role.HOUSEHOLD.value, key.public.raw), now_ms)
    database.close()
    authority = CertificateAuthority.load(folder.authority_key.read_bytes(), folder.authority_certificate.read_bytes())
    request = tls.signing_request()
    named = [Principal(COOP, Role.HOUSEHOLD, key.public.id) for key in keys]
    return [authority.issue(request, who, now, timedelta(days=1)) for who in named], tls


def _idle(pid: int) -> float:
    before = cpu_seconds(pid)
    time.sleep(IDLE_SECONDS)
    return (cpu_seconds(pid) - before) / IDLE_SECONDS


def _rate(pid: int, work: object, count: int) -> float:
    assert callable(work)
    before = cpu_seconds(pid)
    polls = work(count)
    return float(polls / (cpu_seconds(pid) - before))
