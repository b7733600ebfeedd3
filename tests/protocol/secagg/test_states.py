"""What a home's state machine promises around the protocol: repetition, journal, order, and who is refused."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from simulator_round import CHECKPOINT, LEAF, Simulation, example_manifest
from vicinia.errors import InvalidInput, NotFound, PhaseOver, ProofInvalid, ProtocolViolation, RoundFailed, ViciniaError
from vicinia.identity.keys import SigningKey
from vicinia.secagg.coordinator import CoordinatorRound
from vicinia.secagg.messages import (
    Commitment,
    Dealers,
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


def refused(state: NodeRound, simulation: Simulation, view: RosterView, kind: type[ViciniaError]) -> None:
    before = state.dump()
    with pytest.raises(kind):
        state.on_roster(view, simulation.electorate, *simulation.bounds)
    assert state.dump() == before


def test_a_reloaded_home_repeats_itself_byte_for_byte(simulation: Simulation) -> None:
    home = simulation.homes[0]

    def again() -> NodeRound:
        return NodeRound.load(home.state.dump(), home.key)

    advert = home.state.advert()
    simulation.advertise(ALL)
    view = view_of(simulation)
    state, upload = home.state.on_roster(view, simulation.electorate, *simulation.bounds)
    home.keep(state)
    assert again().advert() == advert
    assert again().on_roster(view, simulation.electorate, *simulation.bounds)[1] == upload
    simulation.share(ALL)
    simulation.deal(ALL)
    dealers = simulation.coordinator.dealers_for(home.index)
    assert again().on_dealers(dealers).dump() == home.state.dump()
    simulation.input(ALL)
    state, packed = again().mask(home.vector, 24)
    assert (simulation.coordinator.check_input(home.index, packed) == simulation.masked[0]).all()
    assert state.dump() == home.state.dump()
    with pytest.raises(ProtocolViolation):
        again().mask(home.vector ^ np.uint32(1), 24)
    commitment = simulation.commit(ALL)
    assert commitment is not None
    survivors = Survivors(commitment.survivors)
    attested = again().on_survivors(survivors)[1]
    assert attested == again().on_survivors(survivors)[1]
    first, shares = again().on_commitment(commitment)
    home.keep(first)
    assert again().on_commitment(commitment)[1] == shares
    assert len(shares.shares) == 7
    with pytest.raises(ProtocolViolation):
        again().on_survivors(Survivors(bytes([0x7F])))


def test_two_homes_with_one_secret_share_no_key() -> None:
    key, secret = SigningKey.from_seed(bytes(32)), bytes(32)
    adverts = [
        NodeRound.start(manifest, index, key, secret)[1]
        for manifest, index in ((example_manifest(), 1), (example_manifest(), 2), (example_manifest(run=1), 1))
    ]
    assert len({advert.mask_key for advert in adverts}) == 3
    with pytest.raises(InvalidInput):
        NodeRound.start(example_manifest(), 1, key, b"short")


def test_no_secret_is_shown_and_erasing_ends_the_run(simulation: Simulation) -> None:
    simulation.run()
    state = simulation.homes[0].state
    assert state.secret.hex() not in repr(state)
    assert state.secret.hex() in state.dump().decode()
    gone = state.erase()
    assert state.secret.hex() not in gone.dump().decode()
    assert "pairs" in gone.dump().decode()
    again = NodeRound.load(gone.dump(), simulation.homes[0].key)
    for step in (
        again.advert,
        lambda: again.mask(simulation.homes[0].vector, 24),
        lambda: again.on_survivors(Survivors(bytes([0xFF]))),
        lambda: again.on_dealers(simulation.coordinator.dealers_for(1)),
    ):
        with pytest.raises(PhaseOver):
            step()


def test_a_journal_that_is_damaged_or_foreign_is_refused(simulation: Simulation) -> None:
    simulation.advertise(ALL)
    simulation.share(ALL)
    home = simulation.homes[0]
    data = home.state.dump()
    with pytest.raises(InvalidInput, match="another key"):
        NodeRound.load(data, simulation.homes[1].key)
    with pytest.raises(InvalidInput, match="another version"):
        NodeRound.load(data.replace(b'"v":3', b'"v":4'), home.key)
    for old, new in ((b'"index":1', b'"index":"1"'), (b'"secret":"', b'"secret":"z'), (b'"input":null', b'"input":7')):
        assert old in data
        with pytest.raises(InvalidInput):
            NodeRound.load(data.replace(old, new), home.key)
    with pytest.raises(InvalidInput):
        NodeRound.load(b"{}", home.key)


def test_steps_out_of_order_are_refused(simulation: Simulation) -> None:
    home, coordinator = simulation.homes[0], simulation.coordinator
    for step in (
        lambda: home.state.mask(home.vector, 24),
        lambda: home.state.on_dealers(Dealers(b"\xff", ())),
        lambda: home.state.on_survivors(Survivors(b"\xff")),
        lambda: home.state.on_commitment(Commitment(b"\xff", ())),
        lambda: home.state.G,
        lambda: coordinator.position(1),
        lambda: coordinator.freeze_survivors([]),
    ):
        with pytest.raises(ProtocolViolation):
            step()
    simulation.advertise(ALL)
    with pytest.raises(ProtocolViolation):
        coordinator.dealers_for(1)
    with pytest.raises(ProtocolViolation):
        coordinator.add_unmask(1, UnmaskShares(()))
    with pytest.raises(NotFound):
        coordinator.position(2)
    assert coordinator.commitment() is None


def test_a_roster_that_is_altered_is_refused(simulation: Simulation) -> None:
    simulation.advertise(ALL)
    state, view = simulation.homes[0].state, view_of(simulation)
    first, second, *rest = view.adverts
    swapped = (replace(first, advert=second.advert), replace(second, advert=first.advert), *rest)
    refused(state, simulation, replace(view, adverts=swapped), ProofInvalid)
    refused(state, simulation, replace(view, root=bytes(32)), ProofInvalid)
    refused(state, simulation, replace(view, adverts=view.adverts[1:]), ProtocolViolation)
    refused(state, simulation, replace(view, adverts=(first, *view.adverts)), ProtocolViolation)
    refused(state, simulation, replace(view, adverts=(first, replace(second, proof=()), *rest)), ProofInvalid)
    refused(state, simulation, replace(view, members=view.members + b"\0"), ProtocolViolation)
    refused(state, simulation, replace(view, members=view.members + b"\1"), ProofInvalid)
    without = bytes([view.members[0] & ~2]) + view.members[1:]
    refused(state, simulation, replace(view, members=without), ProtocolViolation)
    forged = replace(second, advert=replace(second.advert, signature=bytes(64)))
    refused(state, simulation, replace(view, adverts=(first, forged, *rest)), ProofInvalid)


def test_a_home_on_a_ring_is_shown_its_own_advert_and_its_neighbours_and_takes_no_other() -> None:
    """Each of them is signed by its member; a notary's advert would be in nobody's use (docs/adr/0018)."""
    simulation = Simulation(201, corrupt=5, delta=Fraction(1, 10), floor=20, reload=False)
    simulation.advertise(range(201))
    state, view = simulation.homes[0].state, view_of(simulation)
    frozen = simulation.coordinator._frozen()
    own, shown = frozen.position(simulation.homes[0].index), [one.position for one in view.adverts]
    assert shown == sorted([own, *frozen.around(own)])
    other = next(notary for notary in sorted(frozen.cohort.notaries) if notary not in shown)
    more = sorted([*view.adverts, frozen.proven(other)], key=lambda one: one.position)
    refused(state, simulation, replace(view, adverts=tuple(more)), ProtocolViolation)


def test_the_bitmap_of_members_is_part_of_the_roster(simulation: Simulation) -> None:
    simulation.advertise(ALL)
    roster = simulation.coordinator.freeze_roster()
    other = CoordinatorRound(simulation.manifest, simulation.electorate, *simulation.bounds)
    for home in simulation.homes[:7]:
        other.add_advert(home.state.advert())
    assert other.freeze_roster().G != roster.G
    assert simulation.coordinator.freeze_roster() is roster


def test_dealers_that_are_altered_are_refused(simulation: Simulation) -> None:
    simulation.advertise(ALL)
    simulation.share(ALL)
    state = simulation.homes[0].state
    dealers = simulation.coordinator.dealers_for(1)
    first, *rest = dealers.inbound
    for odd in (
        replace(dealers, inbound=(first, first, *rest)),
        replace(dealers, inbound=(replace(first, position=0), *rest)),
        replace(dealers, dealers=b"\xff\xff"),
        replace(dealers, dealers=b"\xfd"),
    ):
        with pytest.raises(ProtocolViolation):
            state.on_dealers(odd)
    with pytest.raises(PhaseOver):
        state.on_dealers(Dealers(b"\xfe", tuple(rest)))
    with pytest.raises(RoundFailed):
        state.on_dealers(Dealers(b"\x1f", tuple(one for one in dealers.inbound if one.position < 5)))
    spoilt = replace(first, ciphertext=bytes(80))
    heard = state.on_dealers(replace(dealers, inbound=(spoilt, *rest))).heard
    assert heard is not None
    assert sorted(heard.pairs) == [2, 3, 4, 5, 6, 7]  # what does not open is not counted, the rest goes on


def test_survivors_that_are_altered_are_refused(simulation: Simulation) -> None:
    simulation.advertise(ALL)
    simulation.share(ALL)
    simulation.deal(ALL)
    simulation.input(ALL)
    commitment = simulation.commit(ALL)
    assert commitment is not None
    state = simulation.homes[0].state
    first, second, *rest = commitment.attestations
    for attestations in (
        (first, *rest),
        (first, first, second, *rest),
        (replace(first, position=7), second, *rest),
        (replace(first, signature=second.signature), second, *rest),
    ):
        with pytest.raises(ViciniaError):
            state.on_commitment(Commitment(commitment.survivors, attestations))
    with pytest.raises(ViciniaError):
        state.on_commitment(Commitment(b"\x7f", commitment.attestations))
    last = simulation.homes[7].state
    with pytest.raises(ViciniaError):
        last.on_commitment(Commitment(b"\x7f", commitment.attestations))
