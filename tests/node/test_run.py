"""A home in a run: against a coordinator in memory, with crashes at every step."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from node.world import HOUSEHOLDS, World
from simulator_link import Link
from vicinia.node.services import departures
from vicinia.node.services.participation import Participation
from vicinia.node.store.departures import Departures
from vicinia.node.store.home import Home
from vicinia.node.store.journal import Journal
from vicinia.node.store.runs import Runs
from vicinia.secagg import parameters
from vicinia.wire import journal as codec
from vicinia.wire.published import Outcome, Phase, Published

STEPS = ("advertise", "share", "input", "commit", "unmask")


class Crash(BaseException):
    """The process is gone."""


def test_a_run_gives_the_sum_of_what_left(world: World) -> None:
    job = world.server.accept_job()
    run_id = world.run(job)
    run = world.server.run
    assert run is not None
    assert run.result is not None
    assert run.noise is not None
    truth = sum(world.vector(i, run_id) for i in range(HOUSEHOLDS))
    error = run.result / run.noise.unit - truth
    assert np.abs(error).max() < 8 * (run.noise.sum_std(HOUSEHOLDS) + run.noise.rounding_std(HOUSEHOLDS))
    assert not world.vector(0, run_id).any()  # no rows: zeros, and it took part all the same
    for i in range(HOUSEHOLDS):
        home = world.homes[i]
        assert world.step(i, run_id) == "finished"
        assert world.spent(i) == job.rho_nano
        assert Journal(home.database).get(run_id) is None  # the keys are gone
        assert departures.verify(home) == 1
        record = departures.describe(Departures(home.database).links()[0])
        sent = world.server.sent[i, f"input {run_id.hex()}"]
        assert record["sent_sha256"] == hashlib.sha256(sent).hexdigest()
        assert record["bytes"] == len(sent)
        advert = codec.encode_advert(world.server.sent[i, f"advertise {run_id.hex()}"])
        shares = codec.encode_share_upload(world.server.sent[i, f"share {run_id.hex()}"])
        assert Runs(home.database).bytes_up(run_id) > len(advert) + len(shares) + len(sent)


def test_who_is_no_notary_goes_on_when_the_survivors_are_attested(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parameters, "NOTARIES", HOUSEHOLDS - 3)
    parameters.parameters.cache_clear()
    calls: list[tuple[int, Phase]] = []
    answer = Link.next

    def asked(link: Link, run_id: bytes, after: Phase) -> Published:
        calls.append((link._household, after))
        return answer(link, run_id, after)

    monkeypatch.setattr(Link, "next", asked)
    run_id = world.run(world.server.accept_job())
    parameters.parameters.cache_clear()
    attested = {i for i in range(HOUSEHOLDS) if (i, f"commit {run_id.hex()}") in world.server.sent}
    assert len(attested) == HOUSEHOLDS - 3
    assert {i for i, after in calls if after is Phase.INPUT} == attested
    assert {world.step(i, run_id) for i in range(HOUSEHOLDS)} == {"finished"}


def test_who_is_done_knows_when_there_may_be_another_run(world: World) -> None:
    everybody = world.take_part(world.server.start_run(world.server.accept_job()))
    assert {one.following for one in everybody} == {None}
    world.server.drive(everybody)
    assert {one.following for one in everybody} == {0.07}


def test_a_run_is_attempted_again_where_no_roster_of_it_was_logged(world: World) -> None:
    """The coordinator opens the same run under another manifest (docs/adr/0011): homes take it like a first one."""
    job = world.server.accept_job()
    first = world.server.start_run(job)
    waiting = world.take_part(first)
    for participation in waiting:
        participation.advance()
    run = world.server.run
    assert run is not None
    run.outcome = Outcome(Phase.FAILED, "Too few homes took part.", 0, b"")
    run.phase = Phase.FAILED
    assert [one.advance() for one in waiting] == [None] * HOUSEHOLDS
    assert {world.step(i, first) for i in range(HOUSEHOLDS)} == {"failed"}
    world.server.coop.advance(600)
    world.server.confirm()
    second = world.run(job)
    assert second != first
    assert {world.step(i, second) for i in range(HOUSEHOLDS)} == {"finished"}
    assert {world.spent(i) for i in range(HOUSEHOLDS)} == {job.rho_nano}  # once


def test_homes_that_are_killed_at_every_step_resume_with_the_same_bytes_and_one_charge(world: World) -> None:
    """Home i dies at the i-th of the ten moments before and after each message; the server asserts equal messages."""
    moments = [f"{when} {step}" for step in STEPS for when in ("before", "after")]
    pending = dict(enumerate(moments))

    def crash(household: int, moment: str) -> None:
        if pending.get(household) == moment:
            del pending[household]
            raise Crash

    job = world.server.accept_job()
    world.server.crash = crash
    run_id = world.server.start_run(job)
    active: dict[int, Participation] = dict(enumerate(world.take_part(run_id)))
    for _ in range(100):
        before = dict(world.server.sent)
        for household, participation in list(active.items()):
            try:
                over = participation.advance() is None
            except Crash:
                world.homes[household].close()
                world.homes[household] = Home.open(world.homes[household].directory)
                replica = world.server.replica(world.folder)
                active[household] = world.server.participation(world.homes[household], household, replica, run_id)
                continue
            if over:
                del active[household]
        if not active:
            break
        if before == world.server.sent and world.server.run is not None:
            world.server.run.close_phase()
    assert not pending
    for i in range(HOUSEHOLDS):
        assert world.step(i, run_id) == "finished", world.reason(i, run_id)
        assert world.spent(i) == job.rho_nano
        assert not world.homes[i].locked
    run = world.server.run
    assert run is not None
    assert len(run.inputs) == HOUSEHOLDS


def test_a_crash_inside_the_charge_leaves_nothing_behind_and_the_home_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = world.server.accept_job()
    run_id = world.server.start_run(job)
    everybody = world.take_part(run_id)
    original = Runs.step
    crashed: list[bool] = []

    def step(self: Runs, run: bytes, name: str, now_ms: int, reason: str = "") -> None:
        if name == "input" and not crashed:
            crashed.append(True)
            raise Crash
        original(self, run, name, now_ms, reason)

    monkeypatch.setattr(Runs, "step", step)
    with pytest.raises(Crash):
        world.server.drive(everybody)
    assert world.spent(0) == 0
    assert Departures(world.homes[0].database).links() == []
    world.server.drive(world.take_part(run_id))
    assert world.step(0, run_id) == "finished"
    assert world.spent(0) == job.rho_nano


@pytest.mark.parametrize("comes", [Phase.COMMIT, Phase.DONE], ids=["shown who dealt", "shown what came of it"])
def test_a_home_that_comes_too_late_to_be_in_the_sum_sends_nothing_and_pays_nothing(world: World, comes: Phase) -> None:
    run_id = world.server.start_run(world.server.accept_job())
    run = world.server.run
    assert run is not None
    late, *others = world.take_part(run_id)
    for phase in range(Phase.ADVERTISE, comes):
        for one in others if phase >= Phase.INPUT else (late, *others):
            for _ in range(3):  # to take in what was published, to prepare, to send
                one.advance()
        run.close_phase()
    assert len(run.inputs) == HOUSEHOLDS - 1
    assert world.step(0, run_id) == "share"
    for _ in range(3):
        late.advance()
    ended = {Phase.COMMIT: ("failed", "went on before this home"), Phase.DONE: ("finished", "without this home")}[comes]
    assert world.step(0, run_id) == ended[0]
    assert ended[1] in world.reason(0, run_id)
    assert world.spent(0) == 0
    assert Departures(world.homes[0].database).links() == []
