"""A coordinator that keeps a release back, and logs it when one home has decided on a later round and the others have
not: that home would take the round for another kind of round than all others do, and stand alone in its slots."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import pytest
from simulator_whole import Whole
from sqlalchemy import Connection
from training.conftest import Make
from training.jobs import LOGISTIC, private, training
from training.test_attacks import VICTIM, nothing, twice
from training.test_standardised import step
from vicinia.assembly import Job, build_release, checks
from vicinia.coordinator.services.ending import Ending, PlainFailure
from vicinia.coordinator.store import artifacts, runs
from vicinia.coordinator.store.runs import RunRow
from vicinia.errors import NotAccepted
from vicinia.node.services import contribution
from vicinia.tlog.statement import Statement
from vicinia.wire.published import Phase

HONEST = Ending.release


@dataclass(frozen=True)
class Late:
    """A release that the coordinator has, and has not logged yet."""

    run: RunRow
    statement: Statement
    body: bytes
    vector: bytes

    def keep(self, connection: Connection, index: int) -> None:
        """Homes that ask for it get it."""
        changed = {"release": self.body, "release_index": index}
        assert runs.change(connection, self.run.run_id, (Phase.FAILED,), **changed)
        artifacts.add(connection, self.run.job_hash, self.vector)


def until_withheld(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> Late:
    """The first round comes to its sum, and is said to have failed; its release, which is logged later."""
    kept: list[Late] = []

    def withheld(self: Ending, live: Any, body: bytes, vector: bytes | None = None) -> None:
        if kept:
            return HONEST(self, live, body, vector)
        row, rho = live.row, live.terms.job.rho_nano
        digest = hashlib.sha256(body).digest()
        built = build_release(whole.coordinator.ledger.coop, row.job_hash, 0, digest, row.survivor_count, rho)
        kept.append(Late(row, built, body, vector or b""))
        raise PlainFailure("Withheld.")

    monkeypatch.setattr(Ending, "release", withheld)
    for _ in range(200):
        if kept:
            return kept[0]
        step(whole)
    raise AssertionError("the first round did not come to its sum")


def second_round(whole: Whole, job: Job) -> bytes:
    """The run that repeats the first round."""
    while True:
        run = whole.until_phase(job, Phase.ADVERTISE)
        if run.number == 1:
            return run.run_id
        whole.tick()
        whole.wait(1)


def decide(whole: Whole, run_id: bytes, homes: set[int]) -> None:
    """These homes decide on the run."""
    whole.silent = set(range(whole.homes)) - homes
    for _ in range(3):
        whole.tick()
        whole.answer_all()
        whole.wait(1)
    assert all(whole.run(number, run_id) is not None for number in homes)


@twice
def test_a_release_that_comes_after_the_next_round_has_begun(
    make: Make, checked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make()
    job = whole.accepted_job(**training(private(LOGISTIC), rho=900))
    kinds: dict[int, str] = {}
    honest = contribution._trained

    def seen(plan: Any, terms: Any, *rest: Any) -> Any:
        kinds[terms.index] = str(terms.kind)
        return honest(plan, terms, *rest)

    monkeypatch.setattr(contribution, "_trained", seen)
    if not checked:
        monkeypatch.setattr(checks, "released_in_order", nothing)
    late = until_withheld(whole, monkeypatch)
    kinds.clear()
    run_id = second_round(whole, job)
    decide(whole, run_id, {VICTIM})
    ledger = whole.coordinator.ledger
    if checked:
        with pytest.raises(NotAccepted, match="has begun without this release"):
            ledger.append(ledger.sign(late.statement))
    else:
        ledger.append(ledger.sign(late.statement), late.keep)
    for _ in range(4):
        whole.tick()
        whole.witness()
    whole.replica.sync(whole.link(0))
    whole.silent = set()
    for _ in range(60):
        whole.tick()
        whole.answer_all()
        whole.wait(1)
        if len(kinds) == whole.homes:
            break
    assert len(kinds) == whole.homes
    assert sorted(kinds.values()) == (["scales"] * 8 if checked else ["scales"] + ["trains"] * 7)
