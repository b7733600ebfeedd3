"""A coordinator that was broken into: the attacker writes into its database, with its keys at hand.

This is the attack of design 3, from the inside: no vote, no certificate, but a run of the rejected job under way. The
attacker is patient: as long as a home has not answered, the job is sent again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vicinia.coordinator.config import Folder
from vicinia.coordinator.store import checkpoints, jobs, runs
from vicinia.coordinator.store.database import Database
from vicinia.errors import NotFound
from vicinia.secagg.manifest import PROTOCOL, Deadlines, Manifest
from vicinia.tlog.checkpoint import Checkpoint
from vicinia.tlog.note import Note

__all__ = ["Answers", "BreakIn", "judge"]

PHASE_MS = 600_000  # the attacker has time; the coordinator ends the run when the by-laws' time is over
LEAST_SECONDS = 90.0
PHASES = 6  # of so many phases the demo waits for homes that have not answered
LOOK_SECONDS = 3.0  # a look opens the store of every home
UNDECIDED = ("considering", "failed")  # of a run that ended before this home could decide


@dataclass(frozen=True, slots=True)
class Answers:
    """What the homes made of the rejected job: who refused it and why, who ran it, who has not answered in time."""

    refused: Mapping[str, str] = field(default_factory=dict)
    ran: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        """Whether the promise held: silence is neither a refusal nor a breach, but somebody must have been asked."""
        return bool(self.refused) and not self.ran


class BreakIn:
    """The attack on one rejected job, in one coordinator's folder."""

    def __init__(self, coordinator: Path, job_hash: str) -> None:
        self._database = Folder(coordinator).database
        self._job = bytes.fromhex(job_hash)
        self.runs: list[str] = []

    def send(self) -> None:
        """Start a run of the job that the members rejected, or another one."""
        database = Database(self._database)
        try:
            with database.write("break-in") as connection:
                job = jobs.find(connection, self._job)
                newest = checkpoints.newest(connection)
                if job is None or not newest:
                    raise NotFound("There is nothing to break into.", where="break-in")
                before = runs.newest_of(connection, self._job)
                number, attempt = before.following if before is not None else (0, 0)
                now_ms = time.time_ns() // 1_000_000
                checkpoint = Checkpoint.parse(Note.parse(newest[0].note).text)
                manifest = Manifest(
                    coop=checkpoint.origin.removeprefix("vicinia/"),
                    job=job.job_hash,
                    run=number,
                    protocol=PROTOCOL,
                    checkpoint_size=checkpoint.size,
                    checkpoint_root=checkpoint.root,
                    deadlines=Deadlines(*(now_ms + phase * PHASE_MS for phase in range(1, 6))),
                )
                row = runs.RunRow(
                    manifest.digest, job.job_hash, number, manifest.canonical(), runs.Phase.ADVERTISE, now_ms,
                    attempt=attempt,
                )  # fmt: skip
                runs.add(connection, row)
        finally:
            database.close()
        self.runs.append(manifest.digest.hex())

    def over(self) -> bool:
        """Whether the coordinator has ended the newest run, so that nobody hears of it any more."""
        database = Database(self._database)
        try:
            with database.read() as connection:
                row = runs.newest_of(connection, self._job)
        finally:
            database.close()
        return row is None or row.phase in runs.ENDED

    def wait(
        self,
        ask: Callable[[], Mapping[str, Any]],
        homes: Collection[str],
        phase_seconds: float,
        say: Callable[[str], None],
    ) -> Answers:
        """Ask the homes why, until each has answered or the time is over; who has not is sent the job again."""
        deadline = time.monotonic() + max(LEAST_SECONDS, PHASES * phase_seconds)
        while True:
            found = judge(ask(), self.runs, homes)
            say(f"{len(found.refused)} of {len(homes)} homes have refused")
            if not found.silent or time.monotonic() > deadline:
                return found
            if self.over():
                self.send()
            time.sleep(LOOK_SECONDS)


def judge(answers: Mapping[str, Any], run_ids: Collection[str], homes: Collection[str]) -> Answers:
    """What the homes say of these runs, from `vicinia-node jobs --why --json`."""
    refused: dict[str, str] = {}
    ran: list[str] = []
    for name in homes:
        asked = [one for one in answers.get(name, ()) if one["run_id"] in run_ids]
        if any(_ran(one) for one in asked):
            ran.append(name)
            continue
        reasons = [one["reason"] for one in asked if one["state"] == "refused"]
        if reasons:
            refused[name] = reasons[0]
    return Answers(refused, tuple(ran), tuple(name for name in homes if name not in refused and name not in ran))


def _ran(one: Mapping[str, Any]) -> bool:
    """Whether a home took part: it is in the run, or was in it when it ended, for every check had said yes."""
    if one["state"] in UNDECIDED:
        return one["state"] == "failed" and bool(one["checks"]) and all(check["ok"] for check in one["checks"])
    return bool(one["state"] != "refused")
