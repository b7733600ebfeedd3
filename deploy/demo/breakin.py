"""A coordinator that was broken into: the attacker writes into its database, with its keys at hand.

This is the attack of design 3, from the inside: no vote, no certificate, but a run of the rejected job under way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from vicinia.coordinator.config import Folder
from vicinia.coordinator.store import checkpoints, jobs, runs
from vicinia.coordinator.store.database import Database
from vicinia.errors import NotFound
from vicinia.secagg.manifest import PROTOCOL, Deadlines, Manifest
from vicinia.tlog.checkpoint import Checkpoint
from vicinia.tlog.note import Note

__all__ = ["refusals", "send_anyway", "wait_for_refusals"]

PHASE_MS = 60_000  # the attacker has time
WAIT_SECONDS = 90.0
LOOK_SECONDS = 3.0  # a look opens the store of every home


def send_anyway(coordinator: Path, job_hash: str) -> str:
    """Start a run of a job that the members rejected; its id, hexadecimal."""
    database = Database(Folder(coordinator).database)
    try:
        with database.write("break-in") as connection:
            job = jobs.find(connection, bytes.fromhex(job_hash))
            newest = checkpoints.newest(connection)
            if job is None or not newest:
                raise NotFound("There is nothing to break into.", where="break-in")
            now_ms = time.time_ns() // 1_000_000
            checkpoint = Checkpoint.parse(Note.parse(newest[0].note).text)
            manifest = Manifest(
                coop=checkpoint.origin.removeprefix("vicinia/"),
                job=job.job_hash,
                run=0,
                protocol=PROTOCOL,
                checkpoint_size=checkpoint.size,
                checkpoint_root=checkpoint.root,
                deadlines=Deadlines(*(now_ms + phase * PHASE_MS for phase in range(1, 6))),
            )
            row = runs.RunRow(
                manifest.digest, job.job_hash, manifest.run, manifest.canonical(), runs.Phase.ADVERTISE, now_ms
            )
            runs.add(connection, row)
    finally:
        database.close()
    return manifest.digest.hex()


def wait_for_refusals(
    ask: Callable[[], Mapping[str, Any]], run_id: str, homes: Collection[str], say: Callable[[str], None]
) -> dict[str, str]:
    """Ask the homes why, until each has refused the run or the time is over; household -> reason."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        found = refusals(ask(), run_id)
        say(f"{len(set(found) & set(homes))} of {len(homes)} homes have refused")
        if set(found) >= set(homes) or time.monotonic() > deadline:
            return found
        time.sleep(LOOK_SECONDS)


def refusals(answers: Mapping[str, Any], run_id: str) -> dict[str, str]:
    """Who refused a run and why, from what `vicinia-node jobs --why --json` says."""
    return {
        name: one["reason"]
        for name, runs_of in answers.items()
        for one in runs_of
        if one["run_id"] == run_id and one["state"] == "refused"
    }
