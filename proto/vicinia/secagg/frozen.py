"""The roster as the coordinator froze it: who has which position, what each home is shown, whose neighbour it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from vicinia.errors import NotFound, ProtocolViolation
from vicinia.identity.keys import VerifyingKey
from vicinia.secagg import checks
from vicinia.secagg.bitmap import Bits, from_indices
from vicinia.secagg.cohort import Cohort
from vicinia.secagg.messages import Advert, ProvenAdvert, RosterView
from vicinia.secagg.parameters import Parameters
from vicinia.secagg.roster import advert_leaf
from vicinia.tlog.merkle import Tree

__all__ = ["FrozenRoster", "Roster"]


@dataclass(frozen=True, slots=True)
class Roster:
    """The frozen roster: bitmap of registry indices, RFC 6962 root over the adverts, and G, which is logged."""

    members: bytes
    root: bytes
    G: bytes


@dataclass(frozen=True, slots=True, eq=False)
class FrozenRoster:
    """A roster with everything that follows from it; `adverts` and `keys` (of identities) are by position.

    Proofs and neighbourhoods are made when they are first asked for, and kept.
    """

    roster: Roster
    cohort: Cohort
    adverts: tuple[Advert, ...]
    keys: tuple[VerifyingKey, ...]
    _positions: Mapping[int, int]
    _tree: Tree
    _proofs: dict[int, ProvenAdvert] = field(default_factory=dict)
    _neighbours: dict[int, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, run: bytes, adverts: Mapping[int, Advert], keys: Mapping[int, VerifyingKey], parameters: Parameters
    ) -> FrozenRoster:
        """The roster of run J with these adverts and keys, by registry index."""
        indices = sorted(adverts)
        tree = Tree()
        for index in indices:
            tree.append(advert_leaf(adverts[index]))
        members, root = from_indices(np.array(indices)), tree.root()
        roster = Roster(members, root, checks.roster_id(run, members, root))
        return cls(
            roster,
            Cohort.of(roster.G, parameters),
            tuple(adverts[index] for index in indices),
            tuple(keys[index] for index in indices),
            {index: position for position, index in enumerate(indices)},
            tree,
        )

    @property
    def parameters(self) -> Parameters:
        """The figures of the roster."""
        return self.cohort.parameters

    def position(self, index: int) -> int:
        """The position of a member; NotFound where it is not in the roster."""
        if index not in self._positions:
            raise NotFound(f"Member {index} is not in the roster.", where="roster")
        return self._positions[index]

    def around(self, position: int) -> tuple[int, ...]:
        """The neighbours of a position, ascending."""
        if position not in self._neighbours:
            self._neighbours[position] = self.cohort.neighbours(position)
        return self._neighbours[position]

    def proven(self, position: int) -> ProvenAdvert:
        """The advert at a position with its proof."""
        if position not in self._proofs:
            proof = tuple(self._tree.inclusion(position, self._tree.size))
            self._proofs[position] = ProvenAdvert(position, self.adverts[position], proof)
        return self._proofs[position]

    def view(self, position: int, roster_leaf: int, checkpoint_size: int) -> RosterView:
        """What the home at a position is shown: the adverts of itself and its neighbours."""
        shown = sorted({position, *self.around(position)})
        adverts = tuple(self.proven(one) for one in shown)
        return RosterView(self.roster.members, self.roster.root, roster_leaf, adverts, checkpoint_size)

    def bits(self, positions: Iterable[int]) -> Bits:
        """A set of positions; ProtocolViolation where one is there twice, or none of this roster's."""
        bits = np.zeros(self.parameters.n, np.bool_)
        for position in positions:
            if not 0 <= position < len(bits) or bits[position]:
                raise ProtocolViolation(f"Position {position} is twice there or not in the roster.", where="roster")
            bits[position] = True
        return bits
