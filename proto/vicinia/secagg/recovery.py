"""Putting the homes' secrets together again from revealed shares, and saying who spoilt one.

Every secret is compared with what its home advertised. Where shares do not lead to it, those that differ from the
dealer's signed list of hashes are put aside (the dealer and the holder of such a share cannot both be honest); where
the listed ones do not lead to it either, the dealer signed for shares that do not fit together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from vicinia.secagg import checks, shamir

__all__ = ["Blame", "Received", "Recovery", "attribute"]


@dataclass(frozen=True, slots=True)
class Blame:
    """Roster positions of which at least one cheated, and the sentence that says why."""

    positions: tuple[int, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Received:
    """A revealed share: who held it, at which point of the dealer's polynomial."""

    holder: int
    point: int
    share: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Recovery:
    """The secret, if it was found, the holders whose share is not what the dealer listed, and whether the dealer
    itself dealt shares that do not fit."""

    secret: bytes | None = field(repr=False)
    unlisted: tuple[int, ...] = ()
    dealer_at_fault: bool = False

    @classmethod
    def attempt(
        cls,
        received: Sequence[Received],
        threshold: int,
        advertised: bytes,
        advertise: Callable[[bytes], bytes],
        listed: Callable[[Received], bool],
    ) -> Recovery:
        """Try the first t shares; where they are wrong, the listed ones, then other runs of t among those.

        `advertise` maps a secret to what its home advertised of it; `listed` says whether a share is the one that
        its dealer signed for.
        """
        secret = _combine(received[:threshold])
        if checks.secret_matches(advertise(secret), advertised):
            return cls(secret)
        good = [one for one in received if listed(one)]
        unlisted = tuple(one.holder for one in received if one not in good)
        if len(good) < threshold:
            return cls(None, unlisted)
        for start in range(len(good) if len(good) > threshold else 1):
            secret = _combine((good[start:] + good[:start])[:threshold])
            if checks.secret_matches(advertise(secret), advertised):
                return cls(secret, unlisted, dealer_at_fault=start > 0)
        return cls(None, unlisted, dealer_at_fault=True)


def _combine(received: Sequence[Received]) -> bytes:
    ordered = sorted(received, key=lambda one: one.point)  # few different sets of points, so weights are found again
    shares = np.frombuffer(b"".join(one.share for one in ordered), np.uint8).reshape(len(ordered), -1)
    return shamir.recombine([one.point for one in ordered], shares)


def attribute(recoveries: Mapping[int, Recovery], corrupt: int) -> tuple[Blame, ...]:
    """Who is to blame, given the recovery of each dealer's secret and A, the most homes that are corrupt.

    One party of every (dealer, holder) with an unlisted share cheated. Whoever is in more than A such pairs did, for
    otherwise all of its more than A counterparts would have; of a pair with neither, both are named.
    """
    pairs = [(dealer, holder) for dealer, found in recoveries.items() for holder in found.unlisted]
    times = Counter(party for pair in pairs for party in pair)
    certain = {party for party, count in times.items() if count > corrupt}
    blames: dict[tuple[int, ...], str] = {
        (dealer,): "dealt shares that do not fit what it advertised"
        for dealer, found in recoveries.items()
        if found.dealer_at_fault
    }
    for pair in pairs:
        named = tuple(party for party in pair if party in certain) or pair
        blames.setdefault(named, "dealt, or revealed, another share than the dealer signed for")
    return tuple(Blame(positions, reason) for positions, reason in sorted(blames.items()))
