"""A home in a run whose coordinator is away, refuses it or has a defect; or that has two processes."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from node.world import World
from vicinia.errors import InternalFault, Unauthenticated, ViciniaError
from vicinia.node.services import admission
from vicinia.node.services import participation as module
from vicinia.node.services.participation import Participation
from vicinia.node.store.journal import Journal
from vicinia.node.store.runs import Run


def test_a_home_waits_while_the_coordinator_is_away(world: World) -> None:
    job = world.server.accept_job()
    run_id = world.server.start_run(job)
    (home,) = world.take_part(run_id, [1])
    world.server.down = True
    for longest in (0.5, 1.0, 2.0, 4.0):
        assert longest / 2 <= (home.advance() or 0) <= longest
    world.server.down = False
    assert home.advance() is not None
    assert world.step(1, run_id) == "advertise"


@pytest.mark.parametrize("kind", [Unauthenticated, InternalFault])
def test_a_refused_certificate_or_a_defect_of_the_other_side_ends_no_run(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: type[ViciniaError]
) -> None:
    run_id = world.server.start_run(world.server.accept_job())
    old, new = world.server.link(1), world.server.link(1)
    monkeypatch.setattr(old, "next", raising := Mock(side_effect=kind("not now.", where="coordinator")))
    home = Participation(world.homes[1], world.replica, old, run_id, world.server.clock, lambda: 0.0, lambda link: new)
    assert home.advance() is not None
    assert 0.25 <= (home.advance() or 0) <= 0.5
    assert raising.called
    assert world.step(1, run_id) == "advertise"
    assert Journal(world.homes[1].database).get(run_id) is not None
    assert home.advance() is not None  # on the new connection
    assert raising.call_count == 1


def test_a_home_gives_up_on_a_refusal_that_lasts(world: World) -> None:
    run_id = world.server.start_run(world.server.accept_job())
    link = world.server.link(1)
    home = Participation(world.homes[1], world.replica, link, run_id, world.server.clock, lambda: 0.0)
    assert home.advance() is not None
    link.next = Mock(side_effect=Unauthenticated("no."))  # type: ignore[method-assign]
    assert 0.25 <= (home.advance() or 0) <= 0.5
    world.server.coop.now_ms += 10**7
    assert home.advance() is None
    assert world.step(1, run_id) == "failed"


def test_a_run_that_is_never_met_is_let_go(world: World) -> None:
    run_id = world.server.start_run(world.server.accept_job())
    link, now = world.server.link(1), [0.0]
    link.manifest = Mock(side_effect=Unauthenticated("no."))  # type: ignore[method-assign]
    home = Participation(world.homes[1], world.replica, link, run_id, world.server.clock, lambda: now[0])
    assert 0.25 <= (home.advance() or 0) <= 0.5
    now[0] = 601.0
    assert home.advance() is None


def test_a_run_that_another_process_decided_on_sends_what_is_in_the_journal(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = world.server.start_run(world.server.accept_job())
    first, second = world.take_part(run_id, [1, 1])
    original = admission.meet

    def meanwhile(engagement: Any) -> Run:
        run = original(engagement)
        monkeypatch.undo()
        assert first.advance() is not None
        return run

    monkeypatch.setattr(module, "meet", meanwhile)
    assert 0.25 <= (second.advance() or 0) <= 0.5
    assert second.advance() is not None  # a second, different advert is an error of the simulator
    assert world.step(1, run_id) == "advertise"


def test_a_defect_while_the_home_decides_is_on_record(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is not on record is met again at every poll, and nobody at home is told why it came to nothing."""
    run_id = world.server.start_run(world.server.accept_job())
    (home,) = world.take_part(run_id, [1])
    monkeypatch.setattr(admission, "resolve", Mock(side_effect=ZeroDivisionError))
    assert home.advance() is None
    assert world.step(1, run_id) == "failed"
    assert "defect" in world.reason(1, run_id)


def test_a_run_goes_on_where_another_process_takes_in_more_of_the_log(world: World) -> None:
    """The daemon follows a log that grows while the worker takes part; both have the same file."""
    worker, daemon = world.replica, world.server.replica(world.folder)

    def grown(title: str) -> None:
        worker.sync(world.server.link(1))
        world.server.propose_job(title=title)
        daemon.sync(world.server.link(2))

    run_id = world.server.start_run(world.server.accept_job())
    everybody = world.take_part(run_id)
    grown("before the decision")
    for one in everybody:
        one.advance()
    assert (world.step(1, run_id), world.reason(1, run_id)) == ("advertise", "")
    run = world.server.run
    assert run is not None
    run.close_phase()
    grown("before the roster is checked")
    for one in everybody:
        one.advance()
    assert (world.step(1, run_id), world.reason(1, run_id)) == ("share", "")
