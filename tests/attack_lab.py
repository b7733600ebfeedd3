"""Every attack is run twice: with the check that is there for it, where it fails, and without it, where it succeeds.

    @twice
    def test_some_attack(lab: Lab) -> None:
        lab.without("the_check")                            # taken out in the second run
        lab.refused(ProtocolViolation, lambda: attack())    # `attack` says whether the attacker has what it wanted

Some defences stand behind one another. To show one of them at work, the others are held off in both runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from attacker_round import Hostile, around, strip, strip_with_key
from simulator_round import Simulation
from vicinia.errors import ViciniaError
from vicinia.secagg import checks
from vicinia.secagg import parameters as table
from vicinia.secagg.bitmap import from_bits
from vicinia.secagg.keys import exchange, private
from vicinia.secagg.messages import Attestation, Commitment, Dealers, Survivors
from vicinia.secagg.node import NodeRound
from vicinia.secagg.parameters import Parameters

__all__ = [
    "DELTA",
    "RING",
    "VICTIM",
    "Lab",
    "answer",
    "arc_known",
    "attested_by",
    "everybody",
    "fewer",
    "knows",
    "mask_key",
    "nothing",
    "reveal",
    "roll_back",
    "shared",
    "signed_by_colluder",
    "twice",
    "uploaded",
    "without_victim",
]

VICTIM = 2
DELTA = Fraction(1, 4)
RING = np.uint32((1 << 24) - 1)
twice = pytest.mark.parametrize("checked", [True, False], ids=["check", "patched-out"])


def nothing(*_: object, **__: object) -> None:
    """A check that lets everything pass."""


class Lab:
    """One run of an attack, with the check in place or patched out."""

    def __init__(self, patch: pytest.MonkeyPatch, checked: bool) -> None:
        self.patch, self.checked = patch, checked

    def without(self, check: str, instead: Callable[..., Any] = nothing) -> None:
        """Take one check out, in the run that has none."""
        if not self.checked:
            self.hold_off(check, instead)

    def hold_off(self, check: str, instead: Callable[..., Any] = nothing) -> None:
        """Take a check out in both runs."""
        assert check in checks.__all__
        self.patch.setattr(checks, check, instead)

    def weaken(self, parameters: Parameters) -> None:
        """Hold the figures off in both runs."""
        self.patch.setattr(table, "parameters", lambda *_: parameters)

    def refused(self, kind: type[ViciniaError], attack: Callable[[], bool]) -> None:
        """The attack is refused with this kind of error where the check is, and succeeds where it is not."""
        if self.checked:
            with pytest.raises(kind):
                attack()
        else:
            assert attack()

    def fails(self, attack: Callable[[], bool]) -> None:
        """The attack runs to its end, and yields nothing where the check is."""
        assert attack() is not self.checked


# ---- how far a run has come


def everybody(simulation: Simulation) -> range:
    """All homes; in these runs all advertise, so that a home's number is its position."""
    return range(len(simulation.homes))


def without_victim(simulation: Simulation) -> list[int]:
    """All homes but the victim."""
    return [home for home in everybody(simulation) if home != VICTIM]


def shared(n: int = 8, **options: Any) -> Simulation:
    """A run in which everybody has dealt, and nobody has been shown U2."""
    simulation = Simulation(n, delta=options.pop("delta", DELTA), **options)
    simulation.advertise(everybody(simulation))
    simulation.share(everybody(simulation))
    return simulation


def uploaded(n: int = 8, **options: Any) -> Simulation:
    """A run in which everybody has uploaded."""
    simulation = shared(n, **options)
    simulation.deal(everybody(simulation))
    simulation.input(everybody(simulation))
    return simulation


def fewer(simulation: Simulation, home: int, omitted: Iterable[int]) -> Dealers:
    """What a home is shown of U2, as though these had not dealt."""
    gone = set(omitted)
    dealers = simulation.coordinator.dealers_for(simulation.homes[home].index)
    bits = np.array([one not in gone for one in everybody(simulation)])
    return Dealers(from_bits(bits), tuple(sealed for sealed in dealers.inbound if sealed.position not in gone))


def roll_back(simulation: Simulation, copies: dict[int, bytes]) -> None:
    """Homes' stores are put back to what they were."""
    for home, copy in copies.items():
        simulation.homes[home].state = NodeRound.load(copy, simulation.homes[home].key)


# ---- what homes are asked for at the end


def attested_by(simulation: Simulation, coordinator: Hostile, survivors: list[int], homes: list[int]) -> Commitment:
    """The commitment to these survivors, whom these homes attest."""
    bitmap = coordinator.pretend(survivors)
    for home in homes:
        attestation = simulation.attest(home, Survivors(bitmap))
        assert attestation is not None
        coordinator.add_attestation(simulation.homes[home].index, attestation)
    commitment = coordinator.commitment()
    assert commitment is not None
    return commitment


def reveal(simulation: Simulation, coordinator: Hostile, survivors: list[int], homes: list[int]) -> bytes | None:
    """These homes attest and answer these survivors; the victim's secret that this gives."""
    return answer(simulation, coordinator, attested_by(simulation, coordinator, survivors, homes), homes)


def answer(simulation: Simulation, coordinator: Hostile, commitment: Commitment, homes: list[int]) -> bytes | None:
    """These homes answer a commitment; the victim's secret that this gives."""
    for home in homes:
        state, shares = simulation.homes[home].state.on_commitment(commitment)
        simulation.homes[home].keep(state)
        coordinator.add_unmask(simulation.homes[home].index, shares)
    return coordinator.secret(VICTIM)


def signed_by_colluder(simulation: Simulation, home: int, survivors: bytes) -> Attestation:
    """What a colluding notary signs: whatever it is asked for."""
    digest = checks.survivor_digest(simulation.coordinator.freeze_roster().G, survivors)
    return Attestation(home, simulation.homes[home].key.sign(checks.attested(simulation.manifest.coop, digest)))


def knows(simulation: Simulation, coordinator: Hostile, seed: bytes | None, mask: bytes | None) -> bool:
    """Whether both secrets give the victim's vector."""
    assert seed is not None
    assert mask is not None
    home = simulation.homes[VICTIM]
    found = strip_with_key(
        coordinator, simulation.masked[VICTIM], simulation.width, VICTIM, around(home.state), seed=seed, mask=mask
    )
    return np.array_equal(found, home.vector)


def arc_known(simulation: Simulation, coordinator: Hostile, arc: Iterable[int], masks: Mapping[int, bytes]) -> bool:
    """Whether the masked vectors of these homes, each without its own mask and without those of its edges to the
    homes whose mask keys are given, add up to the sum of their vectors."""
    found, truth = np.zeros(simulation.elements, np.uint32), np.zeros(simulation.elements, np.uint32)
    for home in arc:
        state, seed = simulation.homes[home].state, coordinator.secret(home)
        assert state.heard is not None
        assert seed is not None
        public = coordinator.mask_keys()[home]
        edges = {peer: exchange(private(masks[peer]), public) for peer in around(state) if peer in masks}
        found += strip(
            simulation.masked[home], 24, home, roster=state.G, dealers=state.heard.dealers, seed=seed, edges=edges
        )
        truth += simulation.homes[home].vector
    return np.array_equal(found & RING, truth & RING)


def mask_key(simulation: Simulation, colluder: int) -> bytes:
    """The mask key of a home that colludes."""
    keys = simulation.homes[colluder].state.keys
    assert keys is not None
    return keys.mask.raw
