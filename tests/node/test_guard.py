"""A home locks itself for its own forgotten signature and for nothing else; and what it takes to unlock it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from attack_lab import nothing, twice
from attacker_round import hostile
from node.world import World
from vicinia.node.services.keyring import identity
from vicinia.node.store.home import Home
from vicinia.node.store.journal import Entry, Journal
from vicinia.secagg import checks
from vicinia.secagg.node import NodeRound
from vicinia.wire import journal as codec
from vicinia.wire.rounds import Phase

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


def _entry(home: Home, run_id: bytes) -> Entry:
    entry = Journal(home.database).get(run_id)
    assert entry is not None
    return entry
