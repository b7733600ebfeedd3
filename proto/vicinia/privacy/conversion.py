"""Between zCDP's ρ and (ε, δ): Canonne, Kamath, Steinke 2020, "The discrete Gaussian for differential privacy".

Proposition 12 there gives, for every α > 1, an ε that holds; the best α is searched for. A search that stops early
only makes ε larger, never wrong.
"""

from __future__ import annotations

from math import exp, isfinite, log, log1p, sqrt

from vicinia.errors import InvalidInput
from vicinia.privacy.noise import NANO

__all__ = ["DELTA", "MAX_RHO_NANO", "epsilon_to_rho_nano", "rho_to_epsilon"]

DELTA = 1e-8
MAX_RHO_NANO = 10**6 * NANO

_GOLDEN = (sqrt(5) - 1) / 2
_SEARCH_STEPS = 100


def rho_to_epsilon(rho_nano: int, delta: float = DELTA) -> float:
    """The least ε for which ρ-zCDP implies (ε, δ)-DP; rho_nano in 1e-9; 0 costs 0."""
    _check_delta(delta)
    if not 0 <= rho_nano <= MAX_RHO_NANO:
        raise InvalidInput(f"rho must lie between 0 and {MAX_RHO_NANO // NANO}.", where="rho")
    if rho_nano == 0:
        return 0.0
    rho = rho_nano / NANO
    # The bound is unimodal in log(α - 1); its minimum lies near 1 + √(log(1/δ)/ρ).
    centre = 0.5 * log(log(1 / delta) / rho)
    low, high = centre - 8.0, centre + 8.0
    for _ in range(_SEARCH_STEPS):
        span = _GOLDEN * (high - low)
        if _epsilon_at(high - span, rho, delta) < _epsilon_at(low + span, rho, delta):
            high = low + span
        else:
            low = high - span
    return max(0.0, _epsilon_at((low + high) / 2, rho, delta))


def epsilon_to_rho_nano(epsilon: float, delta: float = DELTA) -> int:
    """The largest ρ in 1e-9 whose ε is at most `epsilon`; InvalidInput when not even the smallest is."""
    _check_delta(delta)
    if not (isfinite(epsilon) and epsilon > 0):
        raise InvalidInput("epsilon must be a positive number.", where="epsilon")
    low, high = 0, MAX_RHO_NANO
    while low < high:
        middle = (low + high + 1) // 2
        if rho_to_epsilon(middle, delta) <= epsilon:
            low = middle
        else:
            high = middle - 1
    if low == 0:
        raise InvalidInput(f"An epsilon of {epsilon} is too small for any noise to reach.", where="epsilon")
    return low


def _epsilon_at(log_excess: float, rho: float, delta: float) -> float:
    """ε at α = 1 + exp(log_excess): αρ + (log(1/δ) + (α-1)·log(1-1/α) - log α)/(α-1)."""
    excess = exp(log_excess)
    alpha = 1 + excess
    return alpha * rho - (log(delta) + log(alpha)) / excess - log1p(1 / excess)


def _check_delta(delta: float) -> None:
    if not 0 < delta < 1:
        raise InvalidInput("delta must lie between 0 and 1.", where="delta")
