"""What the coordinator's state machine promises around the protocol: repetition, restarts, and who is refused."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from simulator_round import CHECKPOINT, LEAF, Simulation, seeded
from vicinia.errors import InvalidInput, PhaseOver, ProofInvalid, ProtocolViolation, RoundFailed
from vicinia.secagg.coordinator import CoordinatorRound
from vicinia.secagg.messages import (
    Attestation,
    RosterView,
    Survivors,
    UnmaskShares,
)
from vicinia.secagg.node import NodeRound

ALL = range(8)


@pytest.fixture
def simulation() -> Simulation:
    return Simulation(8, delta=Fraction(1, 4))


def view_of(simulation: Simulation, home: int = 0) -> RosterView:
    return simulation.coordinator.roster_view(simulation.homes[home].index, LEAF, CHECKPOINT)


def test_the_coordinator_refuses_what_is_forged_or_twice(simulation: Simulation) -> None:
    coordinator, homes = simulation.coordinator, simulation.homes
    other, advert = NodeRound.start(simulation.manifest, 1, homes[0].key, seeded("other"))
    simulation.advertise(ALL)
    coordinator.add_advert(homes[0].state.advert())
    with pytest.raises(PhaseOver):
        coordinator.add_advert(advert)
    assert other.advert() == advert
    state, upload = homes[0].state.on_roster(view_of(simulation), simulation.electorate, *simulation.bounds)
    for forged in (
        replace(upload, signature=bytes(64)),
        replace(upload, hashes=(bytes(64), *upload.hashes[1:])),
    ):
        with pytest.raises(ProofInvalid):
            coordinator.add_shares(1, forged)
    with pytest.raises(ProtocolViolation):
        coordinator.add_shares(1, replace(upload, shares=upload.shares[1:]))
    with pytest.raises(ProtocolViolation):
        coordinator.add_shares(4, upload)
    simulation.share(ALL)
    coordinator.add_shares(1, upload)
    with pytest.raises(PhaseOver):
        coordinator.add_shares(1, replace(upload, signature=bytes(64)))
    simulation.deal(ALL)
    simulation.input(ALL)
    commitment = simulation.commit(ALL)
    assert commitment is not None
    with pytest.raises(ProofInvalid):
        coordinator.add_attestation(1, Attestation(0, bytes(64)))
    with pytest.raises(ProtocolViolation):
        coordinator.add_attestation(1, commitment.attestations[1])
    with pytest.raises(ProtocolViolation):
        coordinator.freeze_survivors([0, 1, 2, 3, 4, 5])
    with pytest.raises(ProtocolViolation):
        coordinator.freeze_survivors([0, 0])
    _, shares = (
        state.on_dealers(coordinator.dealers_for(1))
        .mask(homes[0].vector, 24)[0]
        .on_survivors(Survivors(commitment.survivors))[0]
        .on_commitment(commitment)
    )
    first, *rest = shares.shares
    for odd in ((first, first, *rest), (replace(first, position=0), *rest)):
        with pytest.raises(ProtocolViolation):
            coordinator.add_unmask(1, UnmaskShares(odd))
    coordinator.add_unmask(1, shares)
    coordinator.add_unmask(1, shares)
    with pytest.raises(ProtocolViolation):
        coordinator.add_unmask(1, UnmaskShares(tuple(rest)))
    assert not coordinator.recoverable()
    with pytest.raises(RoundFailed, match="Fewer than 5 good shares"):
        coordinator.unmask(simulation.total)
    with pytest.raises(InvalidInput):
        coordinator.unmask(simulation.total[1:])


def test_a_coordinator_that_restarts_comes_to_the_same(simulation: Simulation) -> None:
    total = simulation.run()
    old = simulation.coordinator
    new = CoordinatorRound(simulation.manifest, simulation.electorate, *simulation.bounds)
    for home in reversed(simulation.homes):
        new.add_advert(home.state.advert())
    assert new.freeze_roster() == old.freeze_roster()
    for home in simulation.homes:
        new.add_shares(
            home.index, home.state.on_roster(view_of(simulation, 0), simulation.electorate, *simulation.bounds)[1]
        )
    assert new.freeze_dealers() == old.freeze_dealers()
    new.encode_as(16, 24)
    new.encode_as(16, 24)
    with pytest.raises(InvalidInput):
        new.encode_as(16, 25)
    assert new.freeze_survivors(ALL) == old.freeze_survivors(ALL)
    commitment = old.commitment()
    assert commitment is not None
    for home in simulation.homes:
        new.add_unmask(home.index, home.state.on_commitment(commitment)[1])
    assert new.recoverable()
    assert (new.unmask(simulation.total) == total).all()
