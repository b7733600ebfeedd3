"""The noise of a run as a pure function of the job and the frozen roster; integers and fractions only.

Every node computes it by itself and must get the same plan on every machine, so no floating-point number takes part.
Source: Kairouz, Liu, Steinke 2021, "The distributed discrete Gaussian mechanism for federated learning with secure
aggregation"; the adjacency is one household's vector replaced by zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil, sqrt

from vicinia.errors import InvalidInput

__all__ = ["MAX_LENGTH", "MAX_ROSTER", "MAX_SIGMA", "MIN_SIGMA", "NANO", "NoisePlan", "encoding_scale"]

NANO = 10**9
MAX_LENGTH = 1 << 24
MAX_ROSTER = 131_072
RING_BITS = 32
MIN_SIGMA = 4
MAX_SIGMA = 4096
# The sum of the noise leaves this many of its deviations with probability below 2^-107.
TAIL_SIGMAS = 12
# σ² is rounded up to a multiple of this, so that plans stay small numbers.
_VARIANCE_GRID = 1 << 20
# A lower bound of π²·log2(e) = 14.2388…
_PI_SQUARED_IN_BITS = Fraction(14_238, 1_000)
# τ is below 2^-227 from σ = 4 on; a bound finer than this would only make long numbers.
_TAU_BITS = 1024
_KEPT = 64


def encoding_scale(scale: int, group: int) -> int:
    """S' = S - ⌈L/(8S)⌉ - 1: what a group of length L is multiplied by, so that rounding seldom exceeds S.

    A whole number, so that counts and one-hot slots are encoded without any rounding. InvalidInput when S² < 16 L.
    """
    if scale * scale < 16 * group:
        raise InvalidInput(
            f"The grid that the noise allows is too coarse for {group} slots.",
            where="noise plan",
            hint="Ask for fewer cells, a larger epsilon or a larger cohort.",
        )
    return scale - -(-group // (8 * scale)) - 1


@dataclass(frozen=True, slots=True)
class NoisePlan:
    """How one run encodes, adds noise and decodes.

    scale: S, grid units of a norm of 1; unit: S', by which vectors are multiplied and sums divided; sigma_squared: σ²
    of each home's discrete Gaussian, grid units; width: bits of the ring; rho_nano: zCDP of the run in 1e-9, rounded
    up, with `honest` honest noise shares.
    """

    length: int
    n: int
    honest: int
    norm_squared: Fraction
    scale: int
    unit: int
    sigma_squared: Fraction
    width: int
    rho_nano: int

    @classmethod
    def derive(
        cls, norm_squared: Fraction, length: int, rho_nano: int, n: int, honest: int, *, group: int | None = None
    ) -> NoisePlan:
        """Derive the plan that spends at most `rho_nano` with the finest grid that fits the ring.

        norm_squared: Δ₂²/S² of the layout, at least 1; length: slots; n: homes in the roster; honest: h = m_min - A;
        group: slots of the longest L2 group (by default the whole vector). InvalidInput when no plan exists.
        """
        return _derived(norm_squared, length, rho_nano, n, honest, length if group is None else group)

    @property
    def sigma_local(self) -> float:
        """σ_loc in grid units, for people and statistics only."""
        return sqrt(self.sigma_squared)

    def sum_std(self, survivors: int) -> float:
        """Standard deviation of the noise in a decoded sum over `survivors` homes, in vector units, per slot."""
        return sqrt(survivors * self.sigma_squared) / self.unit

    def rounding_std(self, survivors: int) -> float:
        """Upper bound of the rounding's standard deviation in a decoded sum, in vector units, per slot."""
        return sqrt(survivors) / (2 * self.unit)


@lru_cache(maxsize=_KEPT)
def _derived(norm_squared: Fraction, length: int, rho_nano: int, n: int, honest: int, group: int) -> NoisePlan:
    """The plan, derived once for all homes of a process."""
    _check_arguments(norm_squared, length, rho_nano, n, honest, group)
    rho = Fraction(rho_nano, NANO)
    for exponent in range(RING_BITS - 2, -1, -1):
        scale = 1 << exponent
        sigma_squared = _local_variance(scale, norm_squared, length, rho, honest)
        if sigma_squared <= MAX_SIGMA**2 and _fits(scale, sigma_squared, n, RING_BITS):
            break
    if sigma_squared < MIN_SIGMA**2:
        raise InvalidInput(
            f"Each home's share of the noise would fall below {MIN_SIGMA} grid units.",
            where="noise plan",
            hint="Ask for a smaller epsilon or a smaller cohort.",
        )
    return NoisePlan(
        length=length,
        n=n,
        honest=honest,
        norm_squared=norm_squared,
        scale=scale,
        unit=encoding_scale(scale, group),
        sigma_squared=sigma_squared,
        width=next(bits for bits in range(2, RING_BITS + 1) if _fits(scale, sigma_squared, n, bits)),
        rho_nano=ceil(NANO * _rho_of_run(scale, norm_squared, length, sigma_squared, honest)),
    )


def _check_arguments(norm_squared: Fraction, length: int, rho_nano: int, n: int, honest: int, group: int) -> None:
    limits = (
        ("length", 1 <= length <= MAX_LENGTH, f"1 to {MAX_LENGTH} slots"),
        ("norm_squared", norm_squared >= 1, "at least 1"),
        ("group", 1 <= group <= length, "1 to the vector's length"),
        ("rho", rho_nano >= 1, "more than 0"),
        ("n", 2 <= n <= MAX_ROSTER, f"2 to {MAX_ROSTER} homes"),
        ("honest", 1 <= honest <= n, "1 to n homes"),
    )
    for name, holds, wanted in limits:
        if not holds:
            raise InvalidInput(f"This must be {wanted}.", where=f"noise plan: {name}")


def _local_variance(scale: int, norm_squared: Fraction, length: int, rho: Fraction, honest: int) -> Fraction:
    """The least σ² on the grid with which the run spends at most ρ."""
    delta_squared = scale * scale * norm_squared
    base = delta_squared / (2 * rho * honest)
    if base < MIN_SIGMA**2:
        return base
    left = rho - _tau(base, honest) * length
    if left <= 0:
        return Fraction(MAX_SIGMA**2 + 1)
    return Fraction(ceil(_VARIANCE_GRID * delta_squared / (2 * left * honest)), _VARIANCE_GRID)


def _tau(sigma_squared: Fraction, honest: int) -> Fraction:
    """Upper bound of τ = 10·Σ_{0<j<h} exp(-2π²σ²·j/(j+1)): each term is at most the first, exp(-π²σ²)."""
    return Fraction(10 * (honest - 1), 1 << min(_TAU_BITS, int(_PI_SQUARED_IN_BITS * sigma_squared)))


def _rho_of_run(scale: int, norm_squared: Fraction, length: int, sigma_squared: Fraction, honest: int) -> Fraction:
    """Upper bound of the run's zCDP: ½·(Δ₂²/(hσ²) + 2τd), the first branch of the paper's minimum."""
    delta_squared = scale * scale * norm_squared
    return delta_squared / (2 * honest * sigma_squared) + _tau(sigma_squared, honest) * length


def _fits(scale: int, sigma_squared: Fraction, n: int, bits: int) -> bool:
    """Whether n·S + 12·σ·√n < 2^(bits-1), squared so that it stays exact."""
    room = (1 << (bits - 1)) - n * scale
    return room > 0 and TAIL_SIGMAS**2 * sigma_squared * n < room * room
