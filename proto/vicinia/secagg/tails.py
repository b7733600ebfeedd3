"""Tails of the hypergeometric distribution: how many marked homes fall among some drawn at random.

Floats, rounded to the safe side: a probability is computed with a relative error below 1e-6 (log-gamma of numbers
up to 2**17 is exact to 1e-9; sums run from the smallest term up) and then multiplied by 1 + 1e-5.
"""

from __future__ import annotations

from math import exp, lgamma

__all__ = ["exceeding", "worst_count"]

_SAFE = 1 + 1e-5


def _terms(population: int, marked: int, drawn: int) -> tuple[int, list[float]]:
    """The least possible count and the probabilities of it and all greater ones, by recurrence from the mode."""
    low, high = max(0, drawn - (population - marked)), min(marked, drawn)
    mode = min(max((drawn + 1) * (marked + 1) // (population + 2), low), high)
    at_mode = exp(
        _log_choose(marked, mode) + _log_choose(population - marked, drawn - mode) - _log_choose(population, drawn)
    )
    clear = population - marked - drawn
    up, down = [], []
    term = at_mode
    for i in range(mode, high):
        term *= (marked - i) * (drawn - i) / ((i + 1) * (clear + i + 1))
        up.append(term)
    term = at_mode
    for i in range(mode, low, -1):
        term *= i * (clear + i) / ((marked - i + 1) * (drawn - i + 1))
        down.append(term)
    return low, [*reversed(down), at_mode, *up]


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def exceeding(population: int, marked: int, drawn: int, count: int) -> float:
    """An upper bound of the probability that more than `count` of `drawn` homes are among the `marked`."""
    low, terms = _terms(population, marked, drawn)
    if count < low:
        return 1.0
    return sum(reversed(terms[count + 1 - low :])) * _SAFE


def worst_count(population: int, marked: int, drawn: int, probability: float) -> int:
    """The least count that is exceeded with at most `probability`."""
    low, terms = _terms(population, marked, drawn)
    tail = 0.0
    for i in range(len(terms) - 1, -1, -1):
        tail += terms[i]
        if tail * _SAFE > probability:
            return low + i
    return low
