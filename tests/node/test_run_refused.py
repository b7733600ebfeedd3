"""What a home does not take part in: without consent, budget, permission or proof nothing leaves it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from node.world import HOUSEHOLDS, World
from simulator_cooperative import BYLAWS
from simulator_link import joined_home
from vicinia.node.store.accounts import Accounts
from vicinia.node.store.alerts import Alerts
from vicinia.node.store.departures import Departures
from vicinia.node.store.runs import Runs
from vicinia.secagg import manifest
from vicinia.wire.published import Phase


def test_without_consent_nothing_leaves_and_the_reason_is_kept(world: World, allow: Any) -> None:
    job = world.server.accept_job()
    allow(world.homes[3], world.server.coop.now_ms, mode="withdraw")
    run_id = world.server.start_run(job)
    (home,) = world.take_part(run_id, [3])
    assert home.advance() is None
    assert world.step(3, run_id) == "refused"
    lines = Runs(world.homes[3].database).lines(run_id)
    assert lines[-1].name == "consent"
    assert "withdrew" in lines[-1].sentence
    assert not world.server.sent
    assert Accounts(world.homes[3].database).reservations() == []


def test_withdrawal_in_mid_run_counts_until_the_vector_is_sent(world: World, allow: Any) -> None:
    job = world.server.accept_job()
    run_id = world.server.start_run(job)
    everybody = world.take_part(run_id)

    def withdraw(household: int, moment: str) -> None:
        if (household, moment) == (5, "after share"):
            allow(world.homes[5], world.server.coop.now_ms, mode="withdraw")
        if (household, moment) == (6, "after input"):
            allow(world.homes[6], world.server.coop.now_ms, mode="withdraw")

    world.server.crash = withdraw
    world.server.drive(everybody)
    assert world.step(5, run_id) == "refused"
    assert world.spent(5) == 0
    assert Departures(world.homes[5].database).links() == []
    assert world.step(6, run_id) == "finished"
    assert world.spent(6) == job.rho_nano


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Fuel in Families with children"},
        {"query": "SELECT kids, COUNT(DISTINCT household),   AVG( fuel ) FROM budget GROUP BY kids"},
        {"why": "Another reason."},
    ],
)
def test_the_budget_is_not_fooled_by_a_job_that_looks_new(tmp_path: Path, allow: Any, changes: dict[str, Any]) -> None:
    world = World(tmp_path, allow, bylaws=replace(BYLAWS, rho_job_nano=64_000_000, rho_period_nano=100_000_000))
    first = world.run(world.server.accept_job())
    assert world.step(1, first) == "finished"
    again = world.server.accept_job(**changes)
    run_id = world.server.start_run(again)
    (home,) = world.take_part(run_id, [1])
    assert home.advance() is None
    assert world.step(1, run_id) == "refused"
    assert Runs(world.homes[1].database).lines(run_id)[-1].name == "budget"
    assert world.spent(1) == 64_000_000


def test_a_job_that_nobody_accepted_does_not_run(world: World) -> None:
    job = world.server.propose_job()
    run_id = world.server.start_run(job)
    (home,) = world.take_part(run_id, [1])
    assert home.advance() is None
    assert world.step(1, run_id) == "refused"
    assert Runs(world.homes[1].database).lines(run_id)[-1].name == "job"
    assert not world.server.sent


def test_a_run_of_another_protocol_version_is_refused_and_no_offence(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "PROTOCOL", manifest.PROTOCOL + 1)
    run_id = world.server.start_run(world.server.accept_job())
    (home,) = world.take_part(run_id, [1])
    assert home.advance() is None
    assert not world.server.sent
    assert "protocol version" in world.reason(1, run_id)
    assert not Alerts(world.homes[1].database).all()


def test_a_home_that_is_updated_in_the_middle_of_a_run_leaves_it_and_says_why(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = world.server.start_run(world.server.accept_job())
    (home,) = world.take_part(run_id, [1])
    assert home.advance() is not None
    assert world.step(1, run_id) == "advertise"
    monkeypatch.setattr(manifest, "PROTOCOL", manifest.PROTOCOL + 1)
    (again,) = world.take_part(run_id, [1])
    assert again.advance() is None
    assert world.step(1, run_id) == "failed"
    assert "protocol version" in world.reason(1, run_id)
    assert not Alerts(world.homes[1].database).all()


def test_one_run_more_than_was_accepted_is_refused(world: World) -> None:
    job = world.server.accept_job()
    world.run(job)
    run_id = world.server.start_run(job, 1)
    (home,) = world.take_part(run_id, [1])
    assert home.advance() is None
    assert world.step(1, run_id) == "refused"
    assert Runs(world.homes[1].database).lines(run_id)[-1].name == "runs"


def test_a_home_that_joined_after_the_vote_takes_no_part(world: World, allow: Any) -> None:
    job = world.server.accept_job()
    world.server.coop.admit(1)
    world.server.confirm()
    late = joined_home(world.folder / "late", world.server, world.server.coop.households[-1])
    allow(late, world.server.coop.now_ms)
    run_id = world.server.start_run(job)
    participation = world.server.participation(late, HOUSEHOLDS, world.replica, run_id)
    assert participation.advance() is None
    assert Runs(late.database).lines(run_id)[-1].name == "membership"


def test_a_roster_that_is_not_logged_is_not_answered(world: World) -> None:
    job = world.server.accept_job()
    run_id = world.server.start_run(job)
    everybody = world.take_part(run_id)
    for one in everybody:
        one.advance()
    run = world.server.run
    assert run is not None
    run.round.freeze_roster()
    run.phase, run.leaf = Phase.SHARE, len(world.server.coop.leaves) - 1  # a leaf, but no roster
    assert everybody[2].advance() is None
    assert "not in the public log" in world.reason(2, run_id)
    assert not any(step.startswith("share") for _, step in world.server.sent)


def test_a_locked_home_takes_no_part(world: World) -> None:
    job = world.server.accept_job()
    world.homes[1].lock("test")
    run_id = world.server.start_run(job)
    (home,) = world.take_part(run_id, [1])
    assert home.advance() is None
    assert Runs(world.homes[1].database).lines(run_id)[-1].name == "home"
    assert not world.server.sent


def test_a_withheld_cosignature_stops_the_run_and_nothing_else(world: World) -> None:
    job = world.server.accept_job()
    old = world.server.note
    run_id = world.server.start_run(job)
    everybody = world.take_part(run_id)
    for one in everybody:
        one.advance()
    run = world.server.run
    assert run is not None
    run.close_phase()
    world.server.note = old  # the witnesses did not see the roster
    assert 0.25 <= (everybody[1].advance() or 0) <= 0.5
    assert world.step(1, run_id) == "advertise"
    world.server.confirm()
    assert everybody[1].advance() is not None
    assert world.step(1, run_id) == "share"
