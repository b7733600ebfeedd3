"""Attacks of the design on the masked vectors: two of one home, late ones, and those that spoil the sum."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from attack_lab import (
    DELTA,
    RING,
    VICTIM,
    Lab,
    everybody,
    knows,
    reveal,
    roll_back,
    shared,
    twice,
    uploaded,
    without_victim,
)
from attacker_round import hostile
from simulator_round import Simulation
from vicinia.errors import InvalidInput, PhaseOver, ProtocolViolation
from vicinia.secagg.encoding import Vector, unpack
from vicinia.secagg.messages import Survivors


def uploads_nothing(simulation: Simulation, vector: Vector) -> bool:
    """The victim uploads once more, with zeros in place of its vector; whether the difference gives that away."""
    _, packed = simulation.homes[VICTIM].state.mask(np.zeros_like(vector), 24)
    return np.array_equal((simulation.masked[VICTIM] - unpack(packed, 16, 24)) & RING, vector)


@twice
def test_a_home_that_rejoins_with_new_input(lab: Lab) -> None:
    """The same masks over two vectors: their difference is in the clear, and where the home has lost its rows in
    between, it is the first vector."""
    lab.without("one_input")
    simulation = uploaded()
    lab.refused(ProtocolViolation, lambda: uploads_nothing(simulation, simulation.homes[VICTIM].vector))


@twice
def test_a_restored_home_that_forgot_its_input(lab: Lab) -> None:
    """A store put back to before the upload would mask another vector with the same masks; told that it survived, it
    locks instead of going on.

    That no input is made once the survivors are known would stop this, too, and is held off in both runs. A home that
    is first asked for the input cannot know: there the guard of the store itself has to help.
    """
    lab.hold_off("input_before_survivors")
    lab.without("own_bit")
    simulation = shared()
    simulation.deal(everybody(simulation))
    copies = {VICTIM: simulation.homes[VICTIM].state.dump()}
    simulation.input(everybody(simulation))
    roll_back(simulation, copies)

    def attack() -> bool:
        simulation.commit(everybody(simulation))
        return uploads_nothing(simulation, simulation.homes[VICTIM].vector)

    lab.refused(ProtocolViolation, attack)


@twice
def test_an_input_after_the_home_saw_the_survivors(lab: Lab) -> None:
    """The victim is said to have dropped, and its mask key is revealed; then it is asked for its vector, so that only
    b hides that. That nobody answers a second set of survivors protects b, and is held off in both runs."""
    lab.hold_off("one_digest")
    lab.without("input_before_survivors")
    simulation = shared()
    simulation.deal(everybody(simulation))
    simulation.input(without_victim(simulation))
    coordinator, others = hostile(simulation.coordinator), without_victim(simulation)
    mask = reveal(simulation, coordinator, others, others)
    home = simulation.homes[VICTIM]
    home.keep(home.state.on_survivors(Survivors(coordinator.pretend(others)))[0])

    def attack() -> bool:
        state, packed = home.state.mask(home.vector, 24)
        home.keep(state)
        simulation.masked[VICTIM] = unpack(packed, 16, 24)
        return knows(simulation, coordinator, reveal(simulation, coordinator, [*everybody(simulation)], others), mask)

    lab.refused(PhaseOver, attack)


@twice
def test_an_input_after_the_digest(lab: Lab) -> None:
    """A vector that arrives after the survivors were fixed is added to the sum, whose masks no longer cancel.

    It is the sum of everybody that is lost; the late vector stays hidden under b, of which no share is revealed.
    """
    lab.without("input_open")
    simulation = shared()
    simulation.deal(everybody(simulation))
    simulation.input(without_victim(simulation))
    expected = simulation.expected()

    def attack() -> bool:
        commitment = simulation.commit(without_victim(simulation))
        simulation.upload(VICTIM, simulation.homes[VICTIM].vector)
        simulation.inputs.remove(VICTIM)
        simulation.unmask(without_victim(simulation), commitment)
        return not np.array_equal(simulation.finish(), expected)

    lab.refused(PhaseOver, attack)


@twice
@pytest.mark.parametrize("change", [lambda packed: packed[:-1], lambda packed: b"\0" + packed], ids=["short", "long"])
def test_a_vector_of_wrong_length(lab: Lab, change: Callable[[bytes], bytes]) -> None:
    """A home uploads another length, and the sum of everybody is silently wrong.

    A sender has no more to gain, for it is the coordinator that is attacked, which has no secret.
    """
    lab.without("packed_shape")
    simulation = shared()
    simulation.deal(everybody(simulation))
    simulation.input(without_victim(simulation))
    home = simulation.homes[VICTIM]

    def attack() -> bool:
        state, packed = home.state.mask(home.vector, 24)
        home.keep(state)
        simulation.total += simulation.coordinator.check_input(home.index, change(packed))
        simulation.inputs.append(VICTIM)
        simulation.unmask(everybody(simulation), simulation.commit(everybody(simulation)))
        return not np.array_equal(simulation.finish(), simulation.expected())

    lab.refused(InvalidInput, attack)


@twice
def test_a_vector_of_wrong_modulus(lab: Lab) -> None:
    """An element outside the ring wraps, and the sum of everybody is silently wrong; again a sender has no more to
    gain."""
    lab.without("in_modulus")

    def attack() -> bool:
        simulation = Simulation(8, delta=DELTA)
        large = simulation.homes[VICTIM].vector
        large[0] = 1 << 30
        total = simulation.run()
        return bool(total[0] != sum(int(home.vector[0]) for home in simulation.homes))

    lab.refused(InvalidInput, attack)
