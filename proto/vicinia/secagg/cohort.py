"""Who is whose neighbour, who is a notary, who may survive: everything that follows from G and n alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from vicinia.secagg import checks
from vicinia.secagg.bitmap import Bits
from vicinia.secagg.parameters import Parameters

__all__ = ["Cohort"]


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """The ring of a roster: `ring[r]` is the position at place r, `place[p]` the place of position p."""

    parameters: Parameters
    ring: NDArray[np.int64] = field(repr=False)
    place: NDArray[np.int64] = field(repr=False)
    notaries: frozenset[int] = field(repr=False)

    @classmethod
    def of(cls, roster: bytes, parameters: Parameters) -> Cohort:
        """The cohort under roster G."""
        ring = checks.ring_order(roster, parameters.n)
        place = np.empty_like(ring)
        place[ring] = np.arange(parameters.n)
        notaries = checks.notary_order(roster, parameters.n)[: parameters.notaries]
        return cls(parameters, ring, place, frozenset(notaries.tolist()))

    def neighbours(self, position: int) -> tuple[int, ...]:
        """The k neighbours of a position, ascending: k/2 on each side of the ring, or everybody."""
        n, k = self.parameters.n, self.parameters.neighbours
        steps = np.concatenate([np.arange(1, k // 2 + 1), np.arange(n - k + k // 2, n)])
        return tuple(np.sort(self.ring[(self.place[position] + steps) % n]).tolist())

    def check_survivors(self, survivors: Bits, dealers: Bits) -> None:
        """Check that these may be the survivors among these dealers; ProtocolViolation or RoundFailed."""
        checks.survivors_are_dealers(survivors, dealers)
        checks.enough_survivors(int(survivors.sum()), self.parameters.min_survivors)
        if self.parameters.window is not None:
            checks.window_rule(survivors[self.ring], self.parameters.neighbours // 2, self.parameters.window)

    def point(self, dealer: int, holder: int) -> int:
        """Shamir's x, 1 to k, at which a neighbour of `dealer` holds its share: its place counted from the dealer."""
        n, k = self.parameters.n, self.parameters.neighbours
        ahead = int(self.place[holder] - self.place[dealer]) % n
        return ahead if ahead <= k // 2 else ahead - n + k + 1
