"""Votes that were counted wrong, rosters that are not the logged ones, and what a class of jobs needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from protocol.assembly.accepted import Line, accepted, take_out
from simulator_cooperative import DAY_MS, Cooperative
from vicinia.assembly import ByLaws, Certificate, Job, Revoke, Verdict, checks, permission, proposal_class, voted
from vicinia.tlog.checkpoint import SignedCheckpoint


@pytest.mark.parametrize(
    ("ballots", "line", "counted"),
    [
        ({"yes": 2}, "quorum", voted.quorum_reached),
        ({"yes": 2, "no": 3}, "majority", voted.majority_reached),
        ({"abstain": 9}, "majority", voted.majority_reached),
    ],
)
def test_a_certificate_alone_is_never_trusted(
    ballots: dict[str, int], line: str, counted: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even a log in which a false certificate was taken gives no permission: the ballots are counted again."""
    coop = Cooperative.found()
    job = coop.job()
    coop.propose(job)
    coop.vote(job, **ballots)
    coop.close(job)
    monkeypatch.setattr(checks, "accepted", lambda result: None)
    start = coop.assembly.vote_on(job.hash).closing.closed  # type: ignore[union-attr]  # closed just above
    coop.append(coop.signed(Certificate(coop.coop, job.hash, start, start + DAY_MS, 1), coop.log_key))
    verdict = coop.may_run(job)
    assert verdict.first_failure is not None
    assert verdict.first_failure.name == line
    take_out(counted, monkeypatch)
    assert coop.may_run(job).ok


def test_a_vote_that_was_closed_early_shows_in_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    coop = Cooperative.found()
    monkeypatch.setattr(checks, "open_long_enough", lambda opened, bylaws, deadline: opened)
    monkeypatch.setattr(checks, "certificate_within", lambda *args: None)
    job = accepted(coop, coop.job())
    verdict = coop.may_run(job)
    assert verdict.first_failure is not None
    assert verdict.first_failure.name == "window"
    take_out(voted.window_kept, monkeypatch)
    assert coop.may_run(job).ok


def test_a_vote_that_was_closed_late_shows_in_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    coop = Cooperative.found()
    monkeypatch.setattr(checks, "closed_in_time", lambda *args: None)
    job = coop.job()
    coop.propose(job)
    coop.vote(job, yes=12)
    coop.advance(80 * 86_400)
    coop.close(job)
    coop.certify(job)
    verdict = coop.may_run(job)
    assert verdict.first_failure is not None
    assert verdict.first_failure.name == "window"
    take_out(voted.window_kept, monkeypatch)
    assert coop.may_run(job).ok


def roster_of_other_homes(coop: Cooperative, job: Job, leaf: int, signed: SignedCheckpoint) -> Verdict:
    return coop.assembly.roster_logged(job.hash, 0, b"H" * 32, leaf, coop.now_ms, signed)


def roster_elsewhere(coop: Cooperative, job: Job, leaf: int, signed: SignedCheckpoint) -> Verdict:
    return coop.assembly.roster_logged(job.hash, 0, b"G" * 32, leaf - 1, coop.now_ms, signed)


def roster_of_another_run(coop: Cooperative, job: Job, leaf: int, signed: SignedCheckpoint) -> Verdict:
    return coop.assembly.roster_logged(job.hash, 1, b"G" * 32, leaf, coop.now_ms, signed)


def roster_not_confirmed(coop: Cooperative, job: Job, leaf: int, signed: SignedCheckpoint) -> Verdict:
    before = coop.assembly.open_note(coop.checkpoint(size=leaf))
    return coop.assembly.roster_logged(job.hash, 0, b"G" * 32, leaf, coop.now_ms, before)


@pytest.mark.parametrize(
    "attack", [roster_of_other_homes, roster_elsewhere, roster_of_another_run, roster_not_confirmed]
)
def test_a_roster_that_is_not_the_logged_one(
    attack: Callable[[Cooperative, Job, int, SignedCheckpoint], Verdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    coop = Cooperative.found()
    job = accepted(coop, coop.job())
    leaf = coop.roster(job, binding=b"G" * 32)
    signed = coop.assembly.open_note(coop.checkpoint())
    assert coop.assembly.roster_logged(job.hash, 0, b"G" * 32, leaf, coop.now_ms, signed).ok
    verdict = attack(coop, job, leaf, signed)
    assert verdict.first_failure is not None
    assert verdict.first_failure.name == "roster"
    take_out(permission.roster_bound, monkeypatch)
    assert attack(coop, job, leaf, signed).ok


def test_a_run_is_stopped_by_a_revocation_after_its_roster() -> None:
    coop = Cooperative.found()
    job = accepted(coop, coop.job())
    leaf = coop.roster(job)
    coop.append(coop.signed(Revoke(coop.coop, job.hash), coop.researchers[0]))
    signed = coop.assembly.open_note(coop.checkpoint())
    verdict = coop.assembly.roster_logged(job.hash, 0, bytes(32), leaf, coop.now_ms, signed)
    assert verdict.first_failure is not None
    assert verdict.first_failure.name == "not revoked"


def test_several_runs_share_the_privacy_loss_of_a_job() -> None:
    coop = Cooperative.found(bylaws=ByLaws(floor=10, max_runs=4))
    verdict = coop.assembly.job_terms(coop.job(rho_nano=64_000_000), coop.now_ms)
    assert verdict.first_failure is not None
    assert verdict.first_failure.name == "privacy"
    assert coop.assembly.job_terms(coop.job(rho_nano=62_500_000), coop.now_ms).ok


def test_a_commercial_job_that_three_quarters_accepted_may_run() -> None:
    coop = Cooperative.found()
    job = coop.job(recipient="commercial")
    coop.propose(job)
    coop.vote(job, yes=9, no=3)
    coop.close(job)
    coop.certify(job)
    assert coop.may_run(job).ok


@pytest.mark.parametrize(
    "changes",
    [
        *(
            {"purpose": f"dpv:{term}"}
            for term in ("Marketing", "TargetedAdvertising", "marketing", "ScientificResearch")
        ),
        {"purpose": "dpv:Unheard-of"},
        {"recipient": "commercial"},
        {"price_cents": 1},
    ],
    ids=str,
)
def test_what_is_not_certainly_free_of_commerce_needs_a_special_vote(changes: dict[str, Any]) -> None:
    job = Cooperative.found().job()
    assert proposal_class(job) == "ordinary"
    assert proposal_class(replace(job, **changes)) == "special"
