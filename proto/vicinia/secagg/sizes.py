"""How many of some members can add up: the sizes of a roster for which there are parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from vicinia.errors import RoundFailed
from vicinia.secagg.parameters import parameters

__all__ = ["largest", "sizes", "works"]

EXACT = 600
"""Up to so many homes, every number of them is tried."""


def works(homes: int, corrupt: int, delta: Fraction, floor: int) -> bool:
    """Whether a roster of so many homes has parameters."""
    try:
        parameters(homes, corrupt, delta, floor)
    except RoundFailed:
        return False
    return True


@lru_cache(maxsize=256)
def largest(members: int, corrupt: int, delta: Fraction, floor: int) -> int:
    """The most of the members whose sum is allowed; 0 where none is."""
    homes = members
    while homes > floor:
        if works(homes, corrupt, delta, floor):
            return homes
        homes -= _step(homes)
    return 0


def sizes(members: int, corrupt: int, delta: Fraction, floor: int) -> tuple[int, int]:
    """The fewest and the most of the members whose sum is allowed, as are all numbers between; (0, 0) where none is.

    Not every number above the fewest that works does so: the least one from which on all do is told. Searched from
    above, in steps that are coarse where the numbers are large.
    """
    most = largest(members, corrupt, delta, floor)
    fewest, homes = most, most - _step(most)
    while homes > floor and works(homes, corrupt, delta, floor):
        fewest = homes
        homes -= _step(homes)
    while fewest - 1 > floor and works(fewest - 1, corrupt, delta, floor):
        fewest -= 1
    return fewest, most


def _step(homes: int) -> int:
    return 1 if homes <= EXACT else homes // 50
