"""Attacks of the design on the survivors: who is said to have dropped, and which shares are asked for."""

from __future__ import annotations

import hashlib
from fractions import Fraction

import numpy as np
from attack_lab import (
    DELTA,
    VICTIM,
    Lab,
    answer,
    arc_known,
    attested_by,
    everybody,
    fewer,
    knows,
    mask_key,
    reveal,
    roll_back,
    shared,
    signed_by_colluder,
    twice,
    uploaded,
    without_victim,
)
from attacker_round import cohort, hostile
from numpy.typing import NDArray
from simulator_round import Phase, Simulation, example_manifest
from vicinia.errors import ProofInvalid, ProtocolViolation, RoundFailed
from vicinia.secagg.messages import Commitment, RevealedShare, UnmaskShares
from vicinia.secagg.parameters import Parameters


@twice
def test_asking_for_both_secrets(lab: Lab) -> None:
    """The coordinator says first that the victim survived and then that it did not."""
    lab.without("one_digest")
    simulation = uploaded()
    coordinator, others = hostile(simulation.coordinator), without_victim(simulation)

    def attack() -> bool:
        seed = reveal(simulation, coordinator, [*everybody(simulation)], others)
        mask = reveal(simulation, coordinator, others, others)
        return knows(simulation, coordinator, seed, mask)

    lab.refused(ProtocolViolation, attack)


@twice
def test_different_survivors_to_different_homes(lab: Lab) -> None:
    """Half the homes are told that the victim survived, half that it did not, with no notary for either. The
    threshold t > (a + k)/2 would stop this, too, and is held off in both runs."""
    lab.weaken(Parameters(8, 1, 7, 3, None, 8, 5, 6))
    lab.without("quorum")
    simulation = uploaded()
    coordinator = hostile(simulation.coordinator)

    def attack() -> bool:
        alive = coordinator.pretend(everybody(simulation))
        seed = answer(simulation, coordinator, Commitment(alive, ()), [0, 1, 3])
        dropped = coordinator.pretend(without_victim(simulation))
        mask = answer(simulation, coordinator, Commitment(dropped, ()), [4, 5, 6])
        return knows(simulation, coordinator, seed, mask)

    lab.refused(ProtocolViolation, attack)


@twice
def test_replaying_a_run(lab: Lab) -> None:
    """In run 0 the victim dropped, and notaries signed that; in run 1 their signatures are shown again to some homes,
    while the others are asked for its b. Threshold and quorum are held off in both runs."""
    lab.weaken(Parameters(8, 1, 7, 3, None, 8, 4, 6))
    lab.without("survivor_digest", lambda _, survivors: hashlib.sha256(survivors).digest())
    past = Simulation(8, delta=DELTA)
    past.run({VICTIM: Phase.INPUT})
    simulation = uploaded(manifest=example_manifest(run=1))
    coordinator = hostile(simulation.coordinator)

    def attack() -> bool:
        seed = reveal(simulation, coordinator, [*everybody(simulation)], [0, 1, 3, 4])
        replayed = past.coordinator.commitment()
        assert replayed is not None
        coordinator.pretend(without_victim(simulation))
        mask = answer(simulation, coordinator, replayed, [5, 6, 7])
        return knows(simulation, coordinator, seed, mask)

    lab.refused(ProofInvalid, attack)


@twice
def test_too_few_survivors(lab: Lab) -> None:
    """Of 20 homes with a floor of 15, 8 are said to have dropped: what is gained is the exact sum of 12."""
    lab.without("enough_survivors")
    simulation = Simulation(20, delta=Fraction(1, 5), floor=15)
    leaves = dict.fromkeys(range(12, 20), Phase.INPUT)

    def attack() -> bool:
        simulation.coordinator = hostile(simulation.coordinator)
        simulation.coordinator.freeze_survivors = simulation.coordinator.pretend  # type: ignore[method-assign,assignment]  # cheats
        return np.array_equal(simulation.run(leaves), simulation.expected())

    lab.refused(RoundFailed, attack)


@twice
def test_fake_dropouts_that_isolate_an_arc(lab: Lab) -> None:
    """Three places on each side of an arc of three homes are said to have dropped, so their mask keys are revealed,
    and with them every edge out of the arc: the exact sum of three, where 17 honest homes are due. Test-size figures in
    both runs: k = 6, t = 2.

    A single vector cannot be had like this, since homes that hold shares of its b must survive beside it.
    """
    lab.weaken(Parameters(24, 1, 6, 2, 0, 24, 13, 18))
    lab.without("window_rule")
    simulation = uploaded(24)
    coordinator = hostile(simulation.coordinator)
    ring = cohort(simulation.homes[0].state).ring.tolist()
    cut, arc = {*ring[0:3], *ring[6:9]}, ring[3:6]
    alive = [home for home in everybody(simulation) if home not in cut]

    def attack() -> bool:
        reveal(simulation, coordinator, alive, alive)
        opened = {home: coordinator.secret(home) or b"" for home in cut}
        return arc_known(simulation, coordinator, arc, opened)

    lab.refused(RoundFailed, attack)


def corrupted(shares: UnmaskShares) -> UnmaskShares:
    return UnmaskShares(tuple(RevealedShare(one.position, bytes(32)) for one in shares.shares))


def with_a_corrupt_home(simulation: Simulation) -> NDArray[np.int64]:
    """Home 0 reveals zeros in place of every share."""
    commitment = simulation.commit(everybody(simulation))
    assert commitment is not None
    for home in everybody(simulation):
        _, shares = simulation.homes[home].state.on_commitment(commitment)
        simulation.coordinator.add_unmask(simulation.homes[home].index, corrupted(shares) if home == 0 else shares)
    return simulation.finish()


@twice
def test_corrupt_shares(lab: Lab) -> None:
    """One home reveals wrong shares: the sum is spoilt, or it is right and the home is named.

    A corrupt home has nothing else to gain here: wrong shares tell it nothing of anybody's vector.
    """
    lab.without("secret_matches", lambda *_: True)
    simulation = uploaded()
    lab.fails(lambda: not np.array_equal(with_a_corrupt_home(simulation), simulation.expected()))
    assert [blame.positions for blame in simulation.coordinator.blame] == ([(0,)] if lab.checked else [])


@twice
def test_one_attestation_many_times(lab: Lab) -> None:
    """One colluding notary signs that the victim survived and that it did not, five times each. The threshold would
    stop this, too, and is held off in both runs."""
    lab.weaken(Parameters(8, 1, 7, 3, None, 8, 5, 6))
    lab.without("ascending")
    simulation = uploaded()
    coordinator = hostile(simulation.coordinator)

    def attack() -> bool:
        secrets = []
        for survivors, homes in ((everybody(simulation), [1, 3, 4]), (without_victim(simulation), [5, 6, 7])):
            bitmap = coordinator.pretend(survivors)
            signed = (signed_by_colluder(simulation, 0, bitmap),) * 5
            secrets.append(answer(simulation, coordinator, Commitment(bitmap, signed), homes))
        return knows(simulation, coordinator, *secrets)

    lab.refused(ProtocolViolation, attack)


@twice
def test_survivors_that_were_no_dealers(lab: Lab) -> None:
    """An arc of six homes between two colluders is shown a U2 without the honest homes that border on it, and these
    one without the arc: no mask leads out of the arc, but to the colluders. Everybody is then told that all survived.

    What is gained is the exact sum of six, where 18 honest homes are due; a single vector stays hidden, because the
    threshold makes every home share masks with honest ones. Test-size figures; t and quorum are by the true formulas.
    """
    lab.weaken(Parameters(24, 2, 6, 4, 1, 24, 14, 20))
    lab.without("survivors_are_dealers")
    simulation = shared(24)
    ring = cohort(simulation.homes[0].state).ring.tolist()
    arc, colluders = ring[1:7], {ring[0], ring[7]}
    border, edge = {*ring[-2:], *ring[8:10]}, {*ring[1:3], *ring[5:7]}
    for home in everybody(simulation):
        omitted = border if home in arc else edge if home not in colluders else set[int]()
        simulation.homes[home].keep(simulation.homes[home].state.on_dealers(fewer(simulation, home, omitted)))
    simulation.input(everybody(simulation))
    coordinator, all_homes = hostile(simulation.coordinator), [*everybody(simulation)]

    def attack() -> bool:
        reveal(simulation, coordinator, all_homes, all_homes)
        return arc_known(simulation, coordinator, arc, {home: mask_key(simulation, home) for home in colluders})

    lab.refused(ProtocolViolation, attack)


# ---- restored stores


@twice
def test_a_restored_home_is_shown_its_own_attestation(lab: Lab) -> None:
    """Homes attest that the victim survived; put back to before that, they attest and answer that it dropped; put back
    again, they are shown the attestations of their first life, and give the other secret, too.

    A home that is asked to attest anew in each life cannot know: there the guard of the store itself has to help.
    """
    lab.without("own_attestation_known")
    simulation = uploaded()
    coordinator, others = hostile(simulation.coordinator), without_victim(simulation)
    copies = {home: simulation.homes[home].state.dump() for home in others}

    def attack() -> bool:
        first = attested_by(simulation, coordinator, [*everybody(simulation)], others)
        roll_back(simulation, copies)
        mask = reveal(simulation, coordinator, others, others)
        roll_back(simulation, copies)
        coordinator.pretend(everybody(simulation))
        return knows(simulation, coordinator, answer(simulation, coordinator, first, others), mask)

    lab.refused(ProtocolViolation, attack)
