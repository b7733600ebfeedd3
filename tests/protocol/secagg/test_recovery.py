"""Wrong shares: the sum is right as long as t good ones are left, and nobody honest is named alone."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator_round import Simulation
from vicinia.errors import RoundFailed
from vicinia.secagg import dealing
from vicinia.secagg.keys import RunKeys
from vicinia.secagg.messages import RevealedShare, UnmaskShares
from vicinia.secagg.recovery import Recovery, attribute

HOMES = 12


def spoil(shares: UnmaskShares, dealers: set[int]) -> UnmaskShares:
    return UnmaskShares(
        tuple(RevealedShare(one.position, bytes(32)) if one.position in dealers else one for one in shares.shares)
    )


@settings(deadline=None, max_examples=12)
@given(
    st.dictionaries(st.integers(0, HOMES - 1), st.sets(st.integers(0, HOMES - 1), min_size=1), max_size=2),
    st.integers(0, 50),
)
def test_corrupt_homes_neither_spoil_the_sum_nor_frame_anybody(corrupt: dict[int, set[int]], seed: int) -> None:
    """Up to A = 2 homes reveal wrong shares of whomever they like."""
    simulation = Simulation(HOMES, corrupt=2, delta=Fraction(1, 6), seed=seed, elements=3)
    homes = range(HOMES)
    simulation.advertise(homes)
    simulation.share(homes)
    simulation.deal(homes)
    simulation.input(homes)
    commitment = simulation.commit(homes)
    assert commitment is not None
    for home in homes:
        _, shares = simulation.homes[home].state.on_commitment(commitment)
        simulation.coordinator.add_unmask(simulation.homes[home].index, spoil(shares, corrupt.get(home, set())))
    assert (simulation.finish() == simulation.expected()).all()
    for blame in simulation.coordinator.blame:
        assert set(blame.positions) & corrupt.keys()


def test_a_dealer_of_wrong_shares_is_named() -> None:
    """Home 1 deals shares of something else than what it advertised, and signs for them."""
    simulation = Simulation(8, delta=Fraction(1, 4))
    homes, dealer = range(8), simulation.homes[1]
    simulation.advertise(homes)
    view = simulation.coordinator.roster_view(dealer.index, 7, 8)
    state, _ = dealer.state.on_roster(view, simulation.electorate, *simulation.bounds)
    keys = RunKeys.of(state.secret, state.manifest.digest, state.index)
    assert state.roster is not None
    upload = dealing.deal("valley", state.roster, replace(keys, seed=bytes(32)), dealer.key)
    simulation.coordinator.add_shares(dealer.index, upload)
    dealer.keep(state)
    simulation.share([home for home in homes if home != 1])
    simulation.deal(homes)
    simulation.input(homes)
    simulation.unmask(homes, simulation.commit(homes))
    with pytest.raises(RoundFailed, match=r"secrets of 1 of the homes.*members 4"):
        simulation.finish()
    assert [blame.positions for blame in simulation.coordinator.blame] == [(1,)]


def test_one_wrong_share_names_both_who_may_have_caused_it() -> None:
    found = {3: Recovery(b"x", (5,)), 4: Recovery(b"x")}
    assert [blame.positions for blame in attribute(found, 1)] == [(3, 5)]


def test_whoever_is_in_more_pairs_than_there_are_corrupt_homes_is_named_alone() -> None:
    found = {dealer: Recovery(b"x", (5,)) for dealer in (1, 2)}
    assert [blame.positions for blame in attribute(found, 1)] == [(5,)]
    assert [blame.positions for blame in attribute(found, 2)] == [(1, 5), (2, 5)]
    assert [blame.positions for blame in attribute({1: Recovery(None, (4, 5))}, 1)] == [(1,)]
    assert [blame.positions for blame in attribute({1: Recovery(None, (), dealer_at_fault=True)}, 1)] == [(1,)]
