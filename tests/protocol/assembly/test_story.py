"""A cooperative lives: what the log allows, told from the genesis to the release."""

from __future__ import annotations

import time

import pytest
from simulator_cooperative import Cooperative
from vicinia.assembly import Assembly
from vicinia.errors import InvalidInput, NotAccepted, ProofInvalid
from vicinia.tlog.statement import Statement


def test_a_job_from_proposal_to_release() -> None:
    coop = Cooperative.found(households=12)
    job = coop.job()
    assert not coop.may_run(job).ok
    vote = coop.propose(job)
    assert vote.electorate == 12
    coop.vote(job, yes=7, no=2, abstain=1)
    assert vote.turnout == 10
    coop.close(job)
    assert not coop.may_run(job).ok
    coop.certify(job)
    verdict = coop.may_run(job)
    assert verdict.ok, verdict.first_failure
    leaf = coop.roster(job, binding=b"G" * 32)
    assembly = coop.replay()
    assert assembly.rosters(job.hash)[0].roster.size == 10
    signed = assembly.open_note(coop.checkpoint())
    assert assembly.roster_logged(job.hash, 0, b"G" * 32, leaf, coop.now_ms, signed).ok
    assert not coop.may_run(job).ok  # the one run is used
    coop.release(job)
    assert coop.replay().vote_on(job.hash).releases[0].cohort == 10


def test_the_checks_come_in_the_order_of_the_design_and_in_words() -> None:
    coop = Cooperative.found()
    job = coop.job()
    coop.accept(job)
    verdict = coop.may_run(job)
    assert [check.name for check in verdict.checks] == [
        "job", "checkpoint", "evidence", "privacy", "floor", "rounds", "data sets", "researcher", "recipient",
        "proposal", "class", "runs asked", "definitions", "window", "quorum", "majority", "certificate",
        "not revoked", "runs",
    ]  # fmt: skip
    assert all(check.sentence.endswith(".") and len(check.sentence) > 20 for check in verdict.checks)
    assert verdict.first_failure is None


def test_a_job_that_nobody_proposed_may_not_run() -> None:
    coop = Cooperative.found()
    verdict = coop.may_run(coop.job())
    assert not verdict.ok
    assert verdict.first_failure is not None
    assert verdict.first_failure.name == "job"


def test_an_empty_log_and_a_log_without_genesis_are_refused() -> None:
    coop = Cooperative.found(households=3)
    with pytest.raises(InvalidInput):
        Assembly.from_leaves([])
    with pytest.raises(InvalidInput):
        Assembly.from_leaves(coop.leaves[1:])


def test_the_genesis_is_pinned() -> None:
    coop, other = Cooperative.found(households=0), Cooperative.found(households=0, now_ms=1_780_000_000_000)
    with pytest.raises(ProofInvalid):
        Assembly.from_leaves(other.leaves, coop.assembly.genesis_digest)


def test_replaying_leaf_by_leaf_equals_replaying_at_once() -> None:
    coop = Cooperative.found(households=4)
    grown = Assembly(coop.leaves[0])
    for leaf in coop.leaves[1:]:
        grown.append(leaf)
    assert (grown.size, grown.root()) == (coop.assembly.size, coop.assembly.root())
    assert grown.root() == coop.replay().root()


def test_many_jobs_share_one_log() -> None:
    coop = Cooperative.found()
    first, second = coop.job(), coop.job(title="Another question")
    coop.propose(first)
    coop.propose(second)
    coop.vote(second, yes=5)
    coop.vote(first, no=5)
    coop.close(first)
    coop.close(second)
    with pytest.raises(NotAccepted):
        coop.certify(first)
    coop.certify(second)
    assert not coop.may_run(first).ok
    assert coop.may_run(second).ok


def test_replay_costs_little_beside_parsing_and_signatures() -> None:
    coop = Cooperative.found(households=150)
    job = coop.job()
    coop.propose(job)
    coop.vote(job, yes=150)
    began = time.perf_counter()
    for leaf in coop.leaves:
        Statement.parse(leaf).verify()
    floor = time.perf_counter() - began
    began = time.perf_counter()
    Assembly.from_leaves(coop.leaves)
    spent = time.perf_counter() - began
    assert spent < 3 * floor + 0.2
