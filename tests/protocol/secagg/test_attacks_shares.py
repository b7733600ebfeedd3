"""Attacks of the design on the shares: who is said to have dealt, and what was dealt."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from attack_lab import (
    DELTA,
    RING,
    VICTIM,
    Lab,
    arc_known,
    everybody,
    fewer,
    mask_key,
    reveal,
    shared,
    twice,
    without_victim,
)
from attacker_round import around, cohort, hostile
from simulator_round import CHECKPOINT, LEAF, Simulation
from vicinia.errors import ProofInvalid, ProtocolViolation, RoundFailed
from vicinia.secagg.messages import RevealedShare, UnmaskShares
from vicinia.secagg.parameters import Parameters


@twice
def test_a_cut_edge(lab: Lab) -> None:
    """An arc of nine homes lies between two colluders. Those of its homes that have honest neighbours outside are each
    shown a U2 without just these, so that no mask leads out of the arc; everybody else is shown the true U2, and
    answers. What is gained is the exact sum of nine, where 18 honest homes are due; with the check the masks inside the
    arc do not cancel either.

    A single vector stays hidden even without the check, because the threshold makes every home share masks with
    honest ones. Test-size figures in both runs: k = 6; t and the quorum are by the true formulas.
    """
    lab.weaken(Parameters(24, 2, 6, 4, 1, 24, 14, 20))
    lab.without("mask_context", lambda roster, _: roster)
    simulation = shared(24)
    ring = cohort(simulation.homes[0].state).ring.tolist()
    arc, colluders = ring[1:10], {ring[0], ring[10]}
    omitted = {home: {*around(simulation.homes[home].state)} - {*arc, *colluders} for home in arc}
    for home in everybody(simulation):
        shown = fewer(simulation, home, omitted.get(home, ()))
        simulation.homes[home].keep(simulation.homes[home].state.on_dealers(shown))
    simulation.input(everybody(simulation))
    coordinator = hostile(simulation.coordinator)
    content = [home for home in everybody(simulation) if not omitted.get(home)]

    def attack() -> bool:
        reveal(simulation, coordinator, [*everybody(simulation)], content)
        return arc_known(simulation, coordinator, arc, {home: mask_key(simulation, home) for home in colluders})

    lab.fails(attack)


@twice
def test_too_few_shares_arrived(lab: Lab) -> None:
    """The victim is shown a U2 without its honest neighbours, and masks with a colluder alone; everybody else is shown
    the true U2, and reveals the victim's b. Test-size figures in both runs: k = 6; t is by the true formula."""
    lab.weaken(Parameters(24, 1, 6, 4, 0, 24, 13, 18))
    lab.without("enough_shares")
    simulation = shared(24)
    home, others = simulation.homes[VICTIM], without_victim(simulation)
    colluder, *honest = around(home.state)
    simulation.deal(others)
    coordinator = hostile(simulation.coordinator)

    def attack() -> bool:
        home.keep(home.state.on_dealers(fewer(simulation, VICTIM, honest)))
        simulation.input(everybody(simulation))
        reveal(simulation, coordinator, [*everybody(simulation)], others)
        return arc_known(simulation, coordinator, [VICTIM], {colluder: mask_key(simulation, colluder)})

    lab.refused(RoundFailed, attack)


@twice
def test_too_few_dealers(lab: Lab) -> None:
    """Of 20 homes with a floor of 15, 12 are let deal: the exact sum of 12. That there are too few survivors would be
    noticed later, when the inputs are sent and the budgets charged, and is held off in both runs."""
    lab.hold_off("enough_survivors")
    lab.without("enough_dealers")
    simulation = Simulation(20, delta=Fraction(1, 5), floor=15)
    few = range(12)

    def attack() -> bool:
        simulation.coordinator = coordinator = hostile(simulation.coordinator)
        coordinator.freeze_dealers = lambda: b""  # type: ignore[method-assign]  # it does not look
        simulation.advertise(everybody(simulation))
        simulation.share(few)
        coordinator.show_dealers(few)
        simulation.deal(few)
        simulation.input(few)
        simulation.unmask(few, simulation.commit(few))
        return np.array_equal(simulation.finish(), simulation.expected())

    lab.refused(RoundFailed, attack)


@twice
def test_a_second_set_of_dealers(lab: Lab) -> None:
    """Everybody uploads under a U2 without home 7, and again under one with it, the victim without its rows the second
    time. One set of shares opens both sums, and their difference is the victim's vector."""
    lab.without("one_dealers")
    simulation = shared()
    home, there = simulation.homes[VICTIM], range(7)
    for one in there:
        simulation.homes[one].keep(simulation.homes[one].state.on_dealers(fewer(simulation, one, {7})))
    simulation.input(there)
    first, vector = simulation.total.copy(), home.vector
    simulation.total[:], simulation.inputs, home.vector = 0, [], np.zeros_like(home.vector)
    coordinator = simulation.coordinator = hostile(simulation.coordinator)

    def attack() -> bool:
        simulation.deal(there)
        simulation.input(there)
        simulation.unmask(there, simulation.commit(there))
        second = simulation.finish()
        change = coordinator.release(first, there) - second.astype(np.uint32)
        return np.array_equal(change & RING, vector)

    lab.refused(ProtocolViolation, attack)


@twice
def test_a_list_that_its_dealer_did_not_sign(lab: Lab) -> None:
    """Somebody puts other hashes under the shares of an honest dealer, and a colluding holder reveals a wrong share:
    the run fails, and the honest dealer alone is blamed. Blame is all that the list is for, and all that is gained."""
    lab.without("share_list_signature")
    simulation = Simulation(8, delta=DELTA)
    simulation.advertise(everybody(simulation))
    home = simulation.homes[VICTIM]
    view = simulation.coordinator.roster_view(home.index, LEAF, CHECKPOINT)
    state, upload = home.state.on_roster(view, simulation.electorate, *simulation.bounds)

    def attack() -> bool:
        home.keep(state)
        simulation.coordinator.add_shares(home.index, replace(upload, hashes=(bytes(64),) * 7))
        simulation.share(without_victim(simulation))
        simulation.deal(everybody(simulation))
        simulation.input(everybody(simulation))
        commitment = simulation.commit(everybody(simulation))
        assert commitment is not None
        for one in everybody(simulation):
            _, shares = simulation.homes[one].state.on_commitment(commitment)
            simulation.coordinator.add_unmask(simulation.homes[one].index, spoilt(shares) if one == 0 else shares)
        with pytest.raises(RoundFailed, match=f"wrong shares: members {home.index}"):
            simulation.finish()
        return [blame.positions for blame in simulation.coordinator.blame] == [(VICTIM,)]

    lab.refused(ProofInvalid, attack)


def spoilt(shares: UnmaskShares) -> UnmaskShares:
    """With zeros in place of the victim's share."""
    return UnmaskShares(
        tuple(RevealedShare(one.position, bytes(32)) if one.position == VICTIM else one for one in shares.shares)
    )
