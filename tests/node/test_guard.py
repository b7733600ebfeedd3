"""A home locks itself for its own forgotten signature and for nothing else; and what it takes to unlock it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
from attack_lab import nothing, twice
from attacker_round import hostile
from node.world import World
from simulator_link import Link
from vicinia.assembly import Job
from vicinia.errors import NotFound, Unavailable
from vicinia.node.services import guard
from vicinia.node.services.keyring import identity
from vicinia.node.store.accounts import Accounts
from vicinia.node.store.home import Home
from vicinia.node.store.journal import Entry, Journal
from vicinia.secagg import checks
from vicinia.secagg.node import NodeRound
from vicinia.tlog.statement import Statement
from vicinia.wire import journal as codec
from vicinia.wire.log import SubmitReply
from vicinia.wire.published import Phase

VICTIM = 5


@twice
def test_nobody_locks_a_home_with_an_advert_that_it_never_signed(
    world: World, monkeypatch: pytest.MonkeyPatch, checked: bool
) -> None:
    """No leaf is logged for it, so it would cost the coordinator nothing."""
    if not checked:
        monkeypatch.setattr(checks, "advert_signature", nothing)
    run_id = world.server.start_run(world.server.accept_job())
    everybody = world.take_part(run_id)
    for one in everybody:
        one.advance()
    run, logged = world.server.run, len(world.server.coop.leaves)
    assert run is not None
    coordinator, home = hostile(run.round), world.homes[VICTIM]
    real, other = (world.server.sent[i, f"advertise {run_id.hex()}"] for i in (VICTIM, VICTIM - 1))
    coordinator.smuggle(replace(real, channel_key=other.channel_key, signature=bytes(64)), identity(home.facts).public)
    run.round = coordinator
    run.phase, run.leaf = Phase.SHARE, logged  # not in the log
    run.round.freeze_roster()
    assert everybody[VICTIM].advance() is None
    assert bool(home.locked) is not checked
    assert ("is not signed by it" in world.reason(VICTIM, run_id)) is checked
    assert len(world.server.coop.leaves) == logged


def test_a_forgotten_advert_under_its_own_signature_locks_a_home(world: World) -> None:
    run_id = world.server.start_run(world.server.accept_job())
    everybody = world.take_part(run_id)
    for one in everybody:
        one.advance()
    home, run = world.homes[VICTIM], world.server.run
    assert run is not None
    run.close_phase()
    state = NodeRound.load(_entry(home, run_id).state, identity(home.facts))
    fresh, advert = NodeRound.start(state.manifest, state.index, identity(home.facts), bytes(32))
    Journal(home.database).save(run_id, Entry(fresh.dump(), codec.encode_advert(advert)))  # as in a store put back
    del world.server.sent[VICTIM, f"advertise {run_id.hex()}"]
    again = world.server.participation(home, VICTIM, world.replica, run_id)
    while again.advance() is not None:
        pass
    assert "its store forgot" in home.locked


def restored(world: World) -> Job:
    """A run that is over, and the victim's store as it was before it, locked."""
    job = world.server.accept_job()
    world.run(job)
    home = world.homes[VICTIM]
    with home.database.transaction("restore"):
        for table in ("charge", "run", "departure"):
            home.database.run(f"DELETE FROM {table}")
    home.lock("restored")
    return job


def unlocked(world: World, link: Link) -> bool:
    """Hand in a new key, let the witnesses confirm the log, and let the daemon go on; whether the home is unlocked."""
    home = world.homes[VICTIM]
    assert guard.rotate(home, world.replica, link, world.server.clock)
    assert home.locked
    world.server.confirm()
    world.replica.sync(world.server.link(VICTIM))
    return guard.finish(home, world.replica, link, world.server.clock) and not home.locked


def _withheld(job_hash: bytes) -> bytes:
    raise NotFound("no such job.", where="coordinator")


def test_a_restored_home_is_charged_for_what_it_may_have_forgotten(world: World) -> None:
    job = restored(world)
    assert unlocked(world, world.server.link(VICTIM))
    (charge,) = Accounts(world.homes[VICTIM].database).charges()
    assert (charge.rho_nano, charge.forgotten) == (job.rho_nano, True)
    assert not guard.finish(world.homes[VICTIM], world.replica, world.server.link(VICTIM), world.server.clock)


@pytest.mark.parametrize("withheld", [True, False], ids=["withheld", "another"])
def test_a_job_that_cannot_be_had_is_charged_the_most_that_the_by_laws_allow(world: World, withheld: bool) -> None:
    """What a forgotten run cost is not the coordinator's to say: it could have the budget spent again."""
    job, link = restored(world), world.server.link(VICTIM)
    cheaper = replace(job, rho_nano=1, datasets=("other",)).canonical()
    link.job = _withheld if withheld else lambda job_hash: cheaper  # type: ignore[method-assign]
    assert unlocked(world, link)
    assert world.spent(VICTIM) == world.replica.assembly.bylaws.rho_job_nano >= job.rho_nano
    (charge,) = Accounts(world.homes[VICTIM].database).charges()
    assert (charge.first, charge.last) == ("", "")


def forgotten_rounds(world: World) -> Job:
    """A training of which two rounds have their roster in the log, and of which the victim's store knows nothing."""
    coop = world.server.coop
    job = coop.training(rho_nano=30_000_000)
    world.server.jobs[job.hash] = job
    coop.accept(job)
    for run in range(2):
        coop.model(job, run)
        coop.roster(job, run, bytes([run]) * 32)
    world.server.confirm()
    world.homes[VICTIM].lock("restored")
    return job


@twice
def test_every_round_that_a_restored_home_forgot_is_charged(
    world: World, monkeypatch: pytest.MonkeyPatch, checked: bool
) -> None:
    """Otherwise the rounds of a training could be had twice from every home that was put back from a copy."""
    if not checked:
        monkeypatch.setattr(guard, "_charge_of", lambda *_: [])
    job = forgotten_rounds(world)
    assert unlocked(world, world.server.link(VICTIM))
    assert world.spent(VICTIM) == (2 * job.rho_nano if checked else 0)
    charges = Accounts(world.homes[VICTIM].database).charges()
    assert all(charge.forgotten for charge in charges)
    assert sorted(charge.run for charge in charges) == ([0, 1] if checked else [])


def test_a_training_that_cannot_be_had_is_charged_its_share_of_the_most_in_each_round(world: World) -> None:
    """Not the whole for each round: whoever withholds a training would use up the accounts of all restored homes."""
    forgotten_rounds(world)
    link = world.server.link(VICTIM)
    link.job = _withheld  # type: ignore[method-assign]
    assert unlocked(world, link)
    assert world.spent(VICTIM) == 2 * (world.replica.assembly.bylaws.rho_job_nano // 3)


def test_a_coordinator_that_is_away_leaves_a_home_locked(world: World) -> None:
    restored(world)
    link = world.server.link(VICTIM)
    link.job = Mock(side_effect=Unavailable("away"))  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        unlocked(world, link)
    assert world.homes[VICTIM].locked
    assert world.spent(VICTIM) == 0


def test_a_home_stays_locked_until_its_new_key_is_in_the_confirmed_log(world: World, tmp_path: Path) -> None:
    """The coordinator says that it is, drops it, and shows the log from before the run that was forgotten."""
    before = world.server.note
    job = restored(world)
    home, logged = world.homes[VICTIM], len(world.server.coop.leaves)
    (tmp_path / "restored").mkdir()
    replica, link = world.server.replica(tmp_path / "restored"), world.server.link(VICTIM)
    old = identity(home.facts).public
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(link, "checkpoint", lambda: before)
        patch.setattr(link, "submit", lambda leaf: SubmitReply(Statement.parse(leaf).digest, 4711))
        assert guard.rotate(home, replica, link, world.server.clock)
        assert not guard.finish(home, replica, link, world.server.clock)
    assert home.locked
    assert identity(home.facts).public == old
    assert len(world.server.coop.leaves) == logged
    assert guard.rotate(home, replica, link, world.server.clock)  # handed in again, now honestly
    world.server.confirm()
    assert guard.rotate(home, replica, link, world.server.clock) == ""
    assert not home.locked
    assert world.spent(VICTIM) == job.rho_nano
    assert replica.assembly.members[VICTIM].key == identity(home.facts).public != old


def _entry(home: Home, run_id: bytes) -> Entry:
    entry = Journal(home.database).get(run_id)
    assert entry is not None
    return entry
