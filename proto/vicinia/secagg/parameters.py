"""How many neighbours, what threshold, which quorum: pure functions of (n, A, delta, floor).

n homes are in the roster, A of them at the most are corrupt, and delta of them may fall silent (a corrupt home that
keeps silent is one of those). m_min = ceil((1 - delta) n) survive. The ring and the notaries come from a hash, so the
corrupt and the silent homes lie at random among a home's k neighbours, in a window of k/2 ring positions, and among
the notaries: hypergeometric tails.

*Secrecy*, all three together with probability at least 1 - 2**-80 (each gets a quarter of it):

1. *Threshold.* No honest home has more than `a` corrupt ones among its k neighbours: a union bound over n homes.
   With t = floor((a + k)/2) + 1, corrupt neighbours alone do not reach t (t > a), and b and the mask key of one home
   cannot both be had, even if half of the honest neighbours are told that it survived and half that it did not
   (2t > a + k).
2. *Ring.* No two windows of k/2 consecutive ring positions, apart from each other, hold together more than w corrupt
   homes: a union bound over n(n - 1)/2 pairs, hypergeometric over the k positions of both. A home insists that every
   window holds more than `window` = floor(w/2) survivors, so two windows apart hold more than w of them, one of them
   honest. That keeps the honest survivors connected by edges that no dropout, true or pretended, has opened (Bell et
   al. 2020, section 4.2, with windows in place of a random graph's components): take them in ring order; two in a row
   are neighbours unless k/2 positions or more lie between them, none of which is an honest survivor. Where that
   happens once, the others are a path through all of them; to cut them takes it twice, which is two such windows.
3. *Quorum.* No more than `a_q` of the notaries are corrupt. With a quorum of floor((notaries + a_q)/2) + 1, two
   survivor digests would need an honest notary that signs both.

*Correctness*, all three with probability at least 1 - 2**-20 when delta n homes fall silent at random: every home
keeps t neighbours that answer (union over n), every window holds more than `window` survivors (union over n), and a
quorum of notaries answers.

For n <= 200 everybody is everybody's neighbour, k = n - 1; nothing is random about the neighbours, a = A, there is no
window rule, and m_min - 1 >= t is simply required. With n <= 128 all are notaries.

The corrupt homes are fixed before G: whoever corrupts homes once the ring is known is not covered. The ring is a hash
that a coordinator can grind by choosing among adverts: after 2**50 tries 2**-30 remains. The ring by hash, the window
rule and the notary quorum are our own and need review from outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil, comb

from vicinia.errors import InvalidInput, RoundFailed
from vicinia.secagg import checks
from vicinia.secagg.messages import MAX_NEIGHBOURS, MAX_ROSTER
from vicinia.secagg.tails import exceeding, worst_count

__all__ = ["COMPLETE", "NOTARIES", "Parameters", "corrupt_bound", "parameters"]

COMPLETE = 200
"""Up to this many homes the graph is complete."""
NOTARIES = 128
SECRECY = 2.0**-80 / 4
CORRECTNESS = 2.0**-20 / 4


@dataclass(frozen=True, slots=True)
class Parameters:
    """The figures of one roster: n homes, A corrupt, k neighbours, threshold t, what the survivors in each window must
    exceed (None: no window rule), notaries and their quorum, m_min survivors."""

    n: int
    corrupt: int
    neighbours: int
    threshold: int
    window: int | None
    notaries: int
    quorum: int
    min_survivors: int

    @property
    def honest(self) -> int:
        """h = m_min - A: how many shares of noise are honest at the least."""
        return self.min_survivors - self.corrupt


def corrupt_bound(electorate: int, gamma: Fraction) -> int:
    """A = max(1, ceil(gamma N)), counted against the electorate: the coordinator decides whose advert arrives."""
    if electorate < 1 or not 0 <= gamma < 1:
        raise InvalidInput(f"{electorate} members, share {gamma} corrupt: nonsense.", where="parameters")
    return max(1, ceil(gamma * electorate))


@lru_cache(maxsize=256)
def parameters(n: int, corrupt: int, delta: Fraction, floor: int) -> Parameters:
    """The parameters of a roster of n homes; RoundFailed, with what would be needed, where there are none.

    `delta` is the tolerated share of homes that fall silent, `floor` the least number of honest homes in a sum.
    """
    if n < 1 or corrupt < 0 or floor < 1 or not 0 <= delta < 1:
        raise InvalidInput(f"n={n}, A={corrupt}, delta={delta}, floor={floor}: out of range.", where="parameters")
    if n > MAX_ROSTER:
        raise RoundFailed(
            f"This run can hold at most {MAX_ROSTER:,} homes, {n:,} are here.",
            hint="Invite fewer homes to a run.",
        )
    survivors = ceil((1 - delta) * n)
    needed = (floor + corrupt - 1) // (1 - delta) + 1  # the least n whose ceil((1 - delta) n) is floor + A
    checks.honest_floor(n, survivors, corrupt, floor, needed)
    corrupt = min(corrupt, n)
    notaries, quorum = _notaries(n, corrupt, n - survivors)
    if n <= COMPLETE:
        k, threshold = n - 1, (corrupt + n - 1) // 2 + 1
        if survivors - 1 < threshold:
            why = f"each home needs {threshold} others that answer, and only {survivors - 1} may be left"
            raise _refused(n, corrupt, n - survivors, why)
        return Parameters(n, corrupt, k, threshold, None, notaries, quorum, survivors)
    k, threshold, window = _ring(n, corrupt, n - survivors)
    return Parameters(n, corrupt, k, threshold, window, notaries, quorum, survivors)


def _notaries(n: int, corrupt: int, silent: int) -> tuple[int, int]:
    """How many notaries there are, and how many of them are a quorum."""
    notaries = min(n, NOTARIES)
    worst = worst_count(n, corrupt, notaries, SECRECY)
    quorum = (notaries + worst) // 2 + 1
    if notaries < quorum or exceeding(n, silent, notaries, notaries - quorum) > CORRECTNESS:
        why = f"{quorum} of the {notaries} homes that attest must answer, and fewer may be left"
        raise _refused(n, corrupt, silent, why)
    return notaries, quorum


def _ring(n: int, corrupt: int, silent: int) -> tuple[int, int, int]:
    """The smallest even k with its threshold and window bound."""
    for k in range(2, min(MAX_NEIGHBOURS, n - 1) + 1, 2):
        worst = worst_count(n - 1, corrupt, k, SECRECY / n)
        threshold = (worst + k) // 2 + 1
        if threshold > k or exceeding(n - 1, silent, k, k - threshold) * n > CORRECTNESS:
            continue
        half = k // 2
        window = worst_count(n, corrupt, k, SECRECY / comb(n, 2)) // 2  # two windows have k positions
        if window < half and exceeding(n, silent, half, half - window - 1) * n <= CORRECTNESS:
            return k, threshold, window
    why = f"each home would need more than the {MAX_NEIGHBOURS} neighbours that it can have"
    raise _refused(n, corrupt, silent, why)


def _refused(n: int, corrupt: int, silent: int, why: str) -> RoundFailed:
    return RoundFailed(
        f"The {n:,} homes that are here cannot add up safely, as {corrupt:,} of them may be dishonest and {silent:,} "
        f"may fall silent: {why}.",
        hint="Ask again when more members take part; the members can also vote to expect fewer such homes (by-laws).",
    )
