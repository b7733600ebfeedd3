"""Attacks of the design on the roster: who takes part, under which keys, around which ring."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from attack_lab import (
    DELTA,
    VICTIM,
    Lab,
    answer,
    everybody,
    knows,
    signed_by_colluder,
    twice,
    uploaded,
    without_victim,
)
from attacker_round import Hostile, around, hostile, impostor, plunder, plunder_with_keys, strip_with_key
from simulator_round import CHECKPOINT, LEAF, Home, Phase, Simulation, example_manifest, seeded
from vicinia.errors import ProofInvalid, ProtocolViolation, RoundFailed
from vicinia.identity.keys import VerifyingKey
from vicinia.secagg.coordinator import CoordinatorRound
from vicinia.secagg.messages import Commitment
from vicinia.secagg.node import NodeRound
from vicinia.secagg.parameters import Parameters


def fresh(index: int, simulation: Simulation, key: Any) -> NodeRound:
    return NodeRound.start(simulation.manifest, index, key, seeded("attacker", index))[0]


def plundered(
    simulation: Simulation, states: dict[int, NodeRound], shown: dict[int, VerifyingKey], colluders: set[int]
) -> bool:
    """A roster of the victim and these states; whether the colluders among them come to know its vector."""
    victim = simulation.homes[VICTIM]
    seen = {index: state.key.public for index, state in states.items()} | {victim.index: victim.key.public}
    coordinator = hostile(simulation.coordinator)
    for state in (victim.state, *states.values()):
        coordinator.smuggle(state.advert(), state.key.public)
    found = plunder(
        coordinator,
        victim.state,
        victim.vector,
        simulation.width,
        states,
        colluders,
        shown=shown,
        seen=seen,
        bounds=simulation.bounds,
    )
    return found is not None and np.array_equal(found, victim.vector)


@twice
def test_key_substitution(lab: Lab) -> None:
    """The coordinator puts keys of its own under the names of all the victim's neighbours."""
    lab.without("advert_signature")
    simulation = Simulation(8, delta=DELTA)
    others = [simulation.homes[home].index for home in without_victim(simulation)]
    states = {index: fresh(index, simulation, impostor(index)) for index in others}
    lab.refused(ProofInvalid, lambda: plundered(simulation, states, simulation.electorate, set(others)))


@twice
def test_members_registered_after_the_proposal(lab: Lab) -> None:
    """The victim is surrounded by members with good keys whom the coordinator enrolled after the vote opened."""
    simulation = Simulation(8, delta=DELTA)
    sybils = {index: fresh(index, simulation, impostor(index)) for index in range(100, 107)}
    registry = simulation.electorate | {index: state.key.public for index, state in sybils.items()}
    lab.without("electors", lambda members, _: [registry[index] for index in members.tolist()])
    lab.refused(ProofInvalid, lambda: plundered(simulation, sybils, simulation.electorate, set(sybils)))


@twice
def test_a_roster_packed_with_colluders(lab: Lab) -> None:
    """A = 10 counts against an electorate of 200; the coordinator lets just 13 adverts arrive, 10 of colluders, which
    subtract what they put in and have the sum of 3 homes where the floor is 10."""
    lab.without("honest_floor")

    def attack() -> bool:
        simulation = Simulation(13, corrupt=10, delta=Fraction(0), floor=10, width=32)
        total = simulation.run()
        known = sum(home.vector for home in simulation.homes[:10])
        honest = sum(home.vector for home in simulation.homes[10:])
        return np.array_equal(total.astype(np.uint32) - known, honest)

    lab.refused(RoundFailed, attack)


@twice
def test_a_tiny_cohort(lab: Lab) -> None:
    """Three homes where the floor is ten: what is gained is a sum about a small group, exactly."""
    lab.without("honest_floor")

    def attack() -> bool:
        simulation = Simulation(3, delta=Fraction(0), floor=10)
        return np.array_equal(simulation.run(), simulation.expected())

    lab.refused(RoundFailed, attack)


@twice
def test_choosing_the_ring(lab: Lab) -> None:
    """Six colluders of 24 sit down around the victim. Test-size figures in both runs: k = 6, t = 5."""
    lab.weaken(Parameters(24, 6, 6, 5, 0, 24, 16, 18))
    simulation = Simulation(24)
    homes = simulation.homes
    colluders = {homes[home].index for home in (*range(VICTIM + 1, VICTIM + 4), 0, 1, 23)}
    lab.without("ring_order", lambda _, n: np.arange(n))
    states = {homes[home].index: homes[home].state for home in without_victim(simulation)}
    lab.fails(lambda: plundered(simulation, states, simulation.electorate, colluders))


@twice
def test_two_rosters_for_one_advert(lab: Lab) -> None:
    """Under a first roster the victim is said to have dropped, and its mask key is revealed; under a second one, with
    the same keys, it uploads, and its b is revealed."""
    lab.without("one_roster")
    simulation = Simulation(8, delta=DELTA)

    def attack() -> bool:
        simulation.run({VICTIM: Phase.INPUT})
        mask = hostile(simulation.coordinator).secret(VICTIM)
        last = len(simulation.homes) - 1
        second = CoordinatorRound(simulation.manifest, simulation.electorate, *simulation.bounds, 16, 24)
        simulation.coordinator, simulation.total, simulation.inputs = second, np.zeros(16, np.uint32), []
        total = simulation.run({last: Phase.ADVERTISE})
        assert np.array_equal(total, simulation.expected())
        coordinator, home = hostile(second), simulation.homes[VICTIM]
        seed = coordinator.secret(VICTIM)
        assert mask is not None
        assert seed is not None
        found = strip_with_key(
            coordinator, simulation.masked[VICTIM], 24, VICTIM, around(home.state), seed=seed, mask=mask
        )
        return np.array_equal(found, home.vector)

    lab.refused(ProtocolViolation, attack)


@twice
def test_a_different_model_to_one_home(lab: Lab) -> None:
    """One home computes on a model made for it; its vector goes into the sum of the others.

    That is all that is gained: the masks know nothing of models, so the vector itself stays hidden in the sum.
    """
    lab.without("manifest_digest", lambda canonical: hashlib.sha256(canonical.split(b'"model"')[0]).digest())
    simulation = Simulation(8, delta=DELTA, manifest=example_manifest(model=seeded("model")))
    home = simulation.homes[VICTIM]
    other = replace(simulation.manifest, model_hash=seeded("a model for this home"))
    home.state, _ = NodeRound.start(other, home.index, home.key, seeded("fresh"))
    coordinator = hostile(simulation.coordinator)
    simulation.coordinator = coordinator

    def attack() -> bool:
        coordinator.smuggle(home.state.advert(), home.key.public)
        return np.array_equal(simulation.run(), simulation.expected())

    simulation.advertise = lambda homes: smuggle_all(simulation, coordinator)  # type: ignore[method-assign]  # the coordinator cheats
    lab.refused(ProofInvalid, attack)


def smuggle_all(simulation: Simulation, coordinator: Hostile) -> None:
    for home in simulation.homes:
        coordinator.smuggle(home.state.advert(), home.key.public)
    coordinator.freeze_roster()


@twice
def test_adverts_made_for_one_home(lab: Lab) -> None:
    """The victim is shown keys of the coordinator's own under the root that everybody else's adverts have. Their
    signatures would betray them, too, and are held off in both runs."""
    lab.hold_off("advert_signature")
    lab.without("advert_included")
    simulation = Simulation(8, delta=DELTA)
    simulation.advertise(everybody(simulation))
    home = simulation.homes[VICTIM]
    view = simulation.coordinator.roster_view(home.index, LEAF, CHECKPOINT)

    def attack() -> bool:
        found = plunder_with_keys(home.state, view, home.vector, 24, simulation.electorate, simulation.bounds)
        return np.array_equal(found, home.vector)

    lab.refused(ProofInvalid, attack)


@twice
def test_choosing_the_notaries(lab: Lab) -> None:
    """Two colluders of eight become the only notaries, and attest that the victim survived and that it did not. The
    threshold would stop this, too, and is held off in both runs."""
    lab.weaken(Parameters(8, 2, 7, 2, None, 2, 2, 6))
    lab.without("notary_order", lambda _, n: np.arange(n))
    simulation = uploaded()
    coordinator = hostile(simulation.coordinator)

    def attack() -> bool:
        secrets = []
        for survivors, homes in ((everybody(simulation), [3, 4]), (without_victim(simulation), [5, 6])):
            bitmap = coordinator.pretend(survivors)
            signed = tuple(signed_by_colluder(simulation, home, bitmap) for home in (0, 1))
            secrets.append(answer(simulation, coordinator, Commitment(bitmap, signed), homes))
        return knows(simulation, coordinator, *secrets)

    lab.refused(ProtocolViolation, attack)


@twice
def test_fake_adverts(lab: Lab) -> None:
    """Somebody takes part under a member's name, with its own keys and a vector of its choice, which is in the sum in
    the place of the member's. The signature of its shares would betray it, too, and is held off in both runs.

    No vector can be recovered: the member whose name is taken never sends one.
    """
    lab.hold_off("share_list_signature")
    lab.without("advert_signature")
    simulation = Simulation(8, delta=DELTA)
    victim = simulation.homes[VICTIM]
    fake = Home(victim.index, impostor(1), fresh(victim.index, simulation, impostor(1)), victim.vector + np.uint32(1))

    def attack() -> bool:
        simulation.homes[VICTIM] = fake
        simulation.advertise(everybody(simulation))
        simulation.share(everybody(simulation))
        simulation.deal(everybody(simulation))
        simulation.input(everybody(simulation))
        simulation.unmask(without_victim(simulation), simulation.commit(without_victim(simulation)))
        return np.array_equal(simulation.finish(), simulation.expected())

    lab.refused(ProofInvalid, attack)


@twice
def test_a_restored_home_whose_advert_is_not_the_one_in_the_roster(lab: Lab) -> None:
    """A store put back to before the run makes new keys, while the roster holds the advert that it has forgotten. It
    deals shares of keys that nobody masks with, so that the run of all the others cannot be ended.

    That is all there is to gain: what is masked with new keys stays masked, even for the home's own neighbours.
    """
    lab.without("own_advert")
    simulation = Simulation(8, delta=DELTA)
    simulation.advertise(everybody(simulation))
    home, others = simulation.homes[VICTIM], without_victim(simulation)
    home.state, _ = NodeRound.start(simulation.manifest, home.index, home.key, seeded("after the restore"))

    def attack() -> bool:
        simulation.share(everybody(simulation))
        simulation.deal(others)
        simulation.input(others)
        simulation.unmask(others, simulation.commit(others))
        with pytest.raises(RoundFailed, match="secrets of 1 of the homes"):
            simulation.finish()
        return True

    lab.refused(ProtocolViolation, attack)


@twice
def test_an_advert_in_a_homes_name_that_it_never_signed(lab: Lab) -> None:
    """The coordinator makes up an advert of the victim, so that it believes that its store has forgotten one, and locks
    itself: everybody at once, where everybody is shown such a roster."""
    lab.without("advert_signature")
    simulation = Simulation(8, delta=DELTA)
    home, coordinator = simulation.homes[VICTIM], hostile(simulation.coordinator)
    for one in simulation.homes:
        coordinator.smuggle(one.state.advert(), one.key.public)
    invented = replace(home.state.advert(), channel_key=simulation.homes[0].state.advert().channel_key)
    coordinator.smuggle(replace(invented, signature=bytes(64)), home.key.public)
    coordinator.freeze_roster()
    view = coordinator.roster_view(home.index, LEAF, CHECKPOINT)

    def attack() -> bool:
        with pytest.raises(ProtocolViolation) as accused:
            home.state.on_roster(view, simulation.electorate, *simulation.bounds)
        return accused.value.where == "journal"

    lab.refused(ProofInvalid, attack)
