"""A coordinator and its homes in one process: a whole run of secure aggregation without a network.

    simulation = Simulation(n=20, delta=Fraction(1, 5), seed=7)
    total = simulation.run({3: Phase.INPUT, 8: Phase.UNMASK})     # home 3 deals and leaves, home 8 uploads and leaves
    assert (total == simulation.expected()).all()

`run` is `advertise`, `share`, `deal`, `input`, `commit`, `unmask`, `finish`, which can be called one by one, with
anything in between: `simulation.homes[i]` is a home (its `state` is a NodeRound), `simulation.coordinator` the
coordinator. With `reload`, a home's state goes through `dump` and `load` after every step, as it does in a home
whose process ends. All randomness comes from `seed`. Home i has the registry index
3 i + 1 and, when all advertise, the position i.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from vicinia.identity.keys import SigningKey, VerifyingKey
from vicinia.secagg.coordinator import CoordinatorRound
from vicinia.secagg.encoding import Vector, centred
from vicinia.secagg.manifest import PROTOCOL, Deadlines, Manifest
from vicinia.secagg.messages import Attestation, Commitment, Survivors
from vicinia.secagg.node import NodeRound

LEAF, CHECKPOINT = 7, 8


class Phase(IntEnum):
    """The messages of a home, in order; a home that leaves at one does not send it, nor any later one."""

    ADVERTISE = 1
    SHARE = 2
    INPUT = 3
    COMMIT = 4
    UNMASK = 5
    NEVER = 6


@dataclass
class Home:
    """A home in memory."""

    index: int
    key: SigningKey
    state: NodeRound
    vector: Vector
    reload: bool = True

    def keep(self, state: NodeRound) -> None:
        """What a home does before it sends: write the state down (and, here, read it again)."""
        self.state = NodeRound.load(state.dump(), self.key) if self.reload else state


def seeded(*parts: object) -> bytes:
    """32 bytes that follow from the parts."""
    return hashlib.sha256(repr(parts).encode()).digest()


def example_manifest(run: int = 0, model: bytes | None = None) -> Manifest:
    """A manifest with nothing special about it."""
    return Manifest("valley", seeded("job"), run, PROTOCOL, CHECKPOINT, seeded("root"), Deadlines(1, 2, 3, 4, 5), model)


class Simulation:
    """A run with `n` homes, `elements` numbers of `width` bits, and the bounds of the by-laws."""

    def __init__(
        self,
        n: int,
        *,
        corrupt: int = 1,
        delta: Fraction = Fraction(1, 5),
        floor: int = 2,
        elements: int = 16,
        width: int = 24,
        seed: int = 0,
        manifest: Manifest | None = None,
        reload: bool = True,
    ) -> None:
        self.manifest = manifest or example_manifest()
        self.bounds = (corrupt, delta, floor)
        self.elements, self.width, self.seed = elements, width, seed
        keys = [SigningKey.from_seed(seeded("identity", seed, home)) for home in range(n)]
        self.electorate: dict[int, VerifyingKey] = {3 * home + 1: key.public for home, key in enumerate(keys)}
        draw = np.random.default_rng(seed)
        self.homes = [
            Home(
                3 * home + 1,
                key,
                NodeRound.start(self.manifest, 3 * home + 1, key, seeded("secret", seed, home))[0],
                draw.integers(0, 1 << width, elements, dtype=np.uint32),
                reload,
            )
            for home, key in enumerate(keys)
        ]
        self.coordinator = CoordinatorRound(self.manifest, self.electorate, *self.bounds, elements, width)
        self.total: Vector = np.zeros(elements, np.uint32)
        self.inputs: list[int] = []
        self.masked: dict[int, Vector] = {}

    def run(self, leaves: Mapping[int, Phase] | None = None) -> NDArray[np.int64]:
        """The whole run; `leaves` says at which message a home is gone. The sum, as the coordinator sees it."""
        last = leaves or {}

        def there(phase: Phase) -> list[int]:
            return [home for home in range(len(self.homes)) if last.get(home, Phase.NEVER) > phase]

        self.advertise(there(Phase.ADVERTISE))
        self.share(there(Phase.SHARE))
        self.deal(there(Phase.SHARE))
        self.input(there(Phase.INPUT))
        commitment = self.commit(there(Phase.COMMIT))
        self.unmask(there(Phase.UNMASK), commitment)
        return self.finish()

    def expected(self) -> NDArray[np.int64]:
        """The true sum over the homes whose input arrived."""
        total = np.zeros(self.elements, np.uint32)
        for home in self.inputs:
            total += self.homes[home].vector
        return centred(total & np.uint32((1 << self.width) - 1), self.width)

    def advertise(self, homes: Iterable[int]) -> None:
        """The homes advertise and the roster is frozen."""
        for home in homes:
            self.coordinator.add_advert(self.homes[home].state.advert())
        self.coordinator.freeze_roster()

    def share(self, homes: Iterable[int]) -> None:
        """The homes are shown the roster and deal; U2 is frozen."""
        for home in homes:
            view = self.coordinator.roster_view(self.homes[home].index, LEAF, CHECKPOINT)
            state, upload = self.homes[home].state.on_roster(view, self.electorate, *self.bounds)
            self.homes[home].keep(state)
            self.coordinator.add_shares(self.homes[home].index, upload)
        self.coordinator.freeze_dealers()

    def deal(self, homes: Iterable[int]) -> None:
        """The homes are shown U2 and the shares for them."""
        for home in homes:
            dealers = self.coordinator.dealers_for(self.homes[home].index)
            self.homes[home].keep(self.homes[home].state.on_dealers(dealers))

    def input(self, homes: Iterable[int]) -> None:
        """The homes upload; the coordinator adds up."""
        for home in homes:
            self.upload(home, self.homes[home].vector)

    def upload(self, home: int, vector: Vector) -> None:
        """One home uploads this vector."""
        state, packed = self.homes[home].state.mask(vector, self.width)
        self.homes[home].keep(state)
        self.masked[home] = self.coordinator.check_input(self.homes[home].index, packed)
        self.total += self.masked[home]
        self.inputs.append(home)

    def commit(self, homes: Iterable[int]) -> Commitment | None:
        """The survivors are frozen and attested; None when there is no quorum."""
        positions = [self.coordinator.position(self.homes[home].index) for home in self.inputs]
        survivors = Survivors(self.coordinator.freeze_survivors(positions))
        for home in homes:
            if (attestation := self.attest(home, survivors)) is not None:
                self.coordinator.add_attestation(self.homes[home].index, attestation)
        return self.coordinator.commitment()

    def attest(self, home: int, survivors: Survivors) -> Attestation | None:
        """One home is shown survivors."""
        state, attestation = self.homes[home].state.on_survivors(survivors)
        self.homes[home].keep(state)
        return attestation

    def unmask(self, homes: Iterable[int], commitment: Commitment | None) -> None:
        """The homes whose input arrived reveal their shares."""
        if commitment is None:
            return
        for home in homes:
            if home in self.inputs:
                state, shares = self.homes[home].state.on_commitment(commitment)
                self.homes[home].keep(state)
                self.coordinator.add_unmask(self.homes[home].index, shares)

    def finish(self) -> NDArray[np.int64]:
        """The coordinator takes the masks off."""
        return self.coordinator.unmask(self.total)
