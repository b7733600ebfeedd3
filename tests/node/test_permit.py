"""What a home hears after its decision stops its vector as long as it has not left."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from attack_lab import nothing, twice
from node.world import HOUSEHOLDS, World
from vicinia.assembly import build_revoke
from vicinia.errors import RoundFailed, Unavailable
from vicinia.node.services import permit
from vicinia.node.services.participation import Participation
from vicinia.node.store.home import Home

LATE = 5


class Killed(BaseException):
    """The process is gone."""


def away(world: World, then: Callable[[], None] = lambda: None) -> list[Participation]:
    """A run in which the vector of one home is charged and in its journal, and cannot be sent; then something happens,
    and it is tried again."""
    run_id = world.server.start_run(world.server.accept_job())
    everybody, met = world.take_part(run_id), list[str]()

    def crash(household: int, moment: str) -> None:
        if (household, moment) == (LATE, "before input") and not met:
            met.append(moment)
            raise Unavailable("away")

    original = everybody[LATE].advance

    def advance() -> float | None:
        delay = original()
        if len(met) == 1:
            met.append("then")
            then()
        return delay

    world.server.crash = crash
    everybody[LATE].advance = advance  # type: ignore[method-assign]
    return everybody


def sent(world: World) -> set[int]:
    """Whose vectors have left."""
    return {household for household, step in world.server.sent if step.startswith("input")}


@twice
def test_a_withdrawal_counts_while_the_vector_cannot_be_sent(
    world: World, allow: Any, monkeypatch: pytest.MonkeyPatch, checked: bool
) -> None:
    if not checked:
        monkeypatch.setattr(permit, "consented", nothing)
    everybody = away(world, lambda: allow(world.homes[LATE], world.server.coop.now_ms, mode="withdraw"))
    world.server.drive(everybody)
    run = world.server.run
    assert run is not None
    run_id = run.manifest.digest
    assert (LATE in sent(world)) is not checked
    assert (world.step(LATE, run_id) == "refused") is checked
    assert world.spent(LATE) == run.job.rho_nano  # whether it left is not known: the charge stays
    assert len(sent(world) | {LATE}) == HOUSEHOLDS


@twice
def test_a_vector_is_not_sent_after_a_restart_where_consent_was_withdrawn(
    world: World, allow: Any, monkeypatch: pytest.MonkeyPatch, checked: bool
) -> None:
    if not checked:
        monkeypatch.setattr(permit, "consented", nothing)

    def killed() -> None:
        allow(world.homes[LATE], world.server.coop.now_ms, mode="withdraw")
        world.homes[LATE].close()
        raise Killed

    everybody = away(world, killed)
    with pytest.raises(Killed):
        world.server.drive(everybody)
    home = world.homes[LATE] = Home.open(world.homes[LATE].directory)
    run = world.server.run
    assert run is not None
    run_id = run.manifest.digest
    assert world.step(LATE, run_id) == "input"
    everybody[LATE] = world.server.participation(home, LATE, world.server.replica(world.folder), run_id)
    world.server.drive(everybody)
    assert (LATE in sent(world)) is not checked


@twice
def test_a_vector_never_leaves_after_its_phase(world: World, monkeypatch: pytest.MonkeyPatch, checked: bool) -> None:
    """A coordinator that refuses connections as long as it likes does not choose the day."""
    if not checked:
        monkeypatch.setattr(permit, "in_time", nothing)

    def later() -> None:
        everybody[LATE]._engagement.clock = lambda: world.server.coop.now_ms + 600_000

    everybody = away(world, later)
    world.server.drive(everybody)
    assert (LATE in sent(world)) is not checked


@twice
@pytest.mark.parametrize("news", ["evidence", "revoked", "over"])
def test_what_a_home_hears_between_the_roster_and_its_vector_stops_it(
    world: World, monkeypatch: pytest.MonkeyPatch, news: str, checked: bool
) -> None:
    if not checked:
        monkeypatch.setattr(permit, "log_trusted" if news == "evidence" else "permitted", nothing)
    job = world.server.accept_job()
    world.server.coop.now_ms = world.server.coop.assembly.certificates[job.hash].expires - 60_000
    world.server.confirm()
    run_id = world.server.start_run(job)
    everybody, heard = world.take_part(run_id), list[str]()
    daemon = world.server.replica(world.folder)  # follows the log in its own process

    def hear(household: int, moment: str) -> None:
        if moment != "after share" or household != HOUSEHOLDS - 1 or heard:
            return
        heard.append(news)
        coop = world.server.coop
        if news == "evidence":
            daemon.store.add_evidence("Two histories.", b"a", b"b", 1)
        elif news == "revoked":
            coop.append(coop.endorsed(build_revoke(coop.coop, job.hash)))
            world.server.confirm()
            daemon.sync(world.server.link(0))
        else:
            coop.advance(60)

    world.server.crash = hear
    with contextlib.suppress(AssertionError, RoundFailed):
        world.server.drive(everybody)
    assert heard
    assert bool(sent(world)) is not checked
    if checked:
        assert {world.step(i, run_id) for i in range(HOUSEHOLDS)} == {"refused"}
        assert {world.spent(i) for i in range(HOUSEHOLDS)} == {0}
