"""A household's privacy-loss account: additive zCDP in integers of 1e-9, by quarter and for the lifetime.

A pure value: the node stores its charges and reservations as rows and builds the account from them. Nothing is ever
refunded; a charge is keyed by (job hash, run, G) and counts once however often it is repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from vicinia.errors import BudgetSpent, InvalidInput

__all__ = ["EVERY_PERIOD", "Charge", "Limits", "PrivacyAccount", "Reservation", "quarters"]

_QUARTER = re.compile(r"([0-9]{4})Q([1-4])")
_HASH_BYTES = 32
_MAX_RUN = 1_000_000
_MAX_RHO_NANO = 1 << 62

# What a job without a period or a timestamp column draws on: all quarters, those to come included.
EVERY_PERIOD: frozenset[str] = frozenset({"*"})


def quarters(start: str, end: str) -> frozenset[str]:
    """The calendar quarters from `start` to `end` inclusive, each written like "2014Q1"."""
    first, last = _quarter_number(start), _quarter_number(end)
    if last < first:
        raise InvalidInput(f"The period ends ({end}) before it starts ({start}).", where="period")
    return frozenset(f"{number // 4:04d}Q{number % 4 + 1}" for number in range(first, last + 1))


def _quarter_number(text: str) -> int:
    match = _QUARTER.fullmatch(text)
    if match is None:
        raise InvalidInput(f"{text!r} is not a calendar quarter.", where="period", hint="Write it like 2014Q1.")
    return int(match[1]) * 4 + int(match[2]) - 1


def _check(job: bytes, rho_nano: int, periods: frozenset[str]) -> None:
    if len(job) != _HASH_BYTES:
        raise InvalidInput("A job hash has 32 bytes.", where="account")
    if not 0 < rho_nano <= _MAX_RHO_NANO:
        raise InvalidInput("A privacy cost is a positive whole number of 1e-9.", where="account")
    if not periods:
        raise InvalidInput("A privacy cost falls on at least one period.", where="account")
    if periods != EVERY_PERIOD:
        for period in periods:
            _quarter_number(period)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a household may lose at most, in 1e-9 of ρ: in each quarter, and ever."""

    period_nano: int
    lifetime_nano: int

    def __post_init__(self) -> None:
        if self.period_nano < 0 or self.lifetime_nano < 0:
            raise InvalidInput("A privacy budget is not negative.", where="account")


@dataclass(frozen=True, slots=True)
class Charge:
    """What one run cost: the key (job hash, run, G), ρ in 1e-9, and the quarters that it falls on."""

    job: bytes
    run: int
    roster: bytes
    rho_nano: int
    periods: frozenset[str] = EVERY_PERIOD

    def __post_init__(self) -> None:
        _check(self.job, self.rho_nano, self.periods)
        if len(self.roster) != _HASH_BYTES or not 0 <= self.run <= _MAX_RUN:
            raise InvalidInput("A charge names a run and a 32-byte roster hash.", where="account")

    @property
    def key(self) -> tuple[bytes, int, bytes]:
        """Under which it counts once."""
        return self.job, self.run, self.roster


@dataclass(frozen=True, slots=True)
class Reservation:
    """What a job may still cost when all its runs are used: ρ × runs in 1e-9, including what it was charged."""

    job: bytes
    rho_nano: int
    periods: frozenset[str] = EVERY_PERIOD

    def __post_init__(self) -> None:
        _check(self.job, self.rho_nano, self.periods)


@dataclass(frozen=True, slots=True)
class PrivacyAccount:
    """Charges and open reservations under limits; every change returns a new account or raises BudgetSpent."""

    limits: Limits
    charges: tuple[Charge, ...] = ()
    reservations: tuple[Reservation, ...] = ()

    @classmethod
    def load(
        cls, limits: Limits, charges: Iterable[Charge], reservations: Iterable[Reservation] = ()
    ) -> PrivacyAccount:
        """The account of stored rows, which may exceed limits that were lowered since; then nothing remains."""
        account = cls(limits, tuple(charges), tuple(reservations))
        keys = [charge.key for charge in account.charges]
        jobs = [reservation.job for reservation in account.reservations]
        if len(set(keys)) != len(keys) or len(set(jobs)) != len(jobs):
            raise InvalidInput("The same charge or reservation is there twice.", where="account")
        return account

    def spent(self, periods: frozenset[str] = EVERY_PERIOD) -> int:
        """ρ charged so far, in 1e-9: of the worst of these quarters; EVERY_PERIOD: of the worst quarter there is."""
        return self._load_on(periods, self._charge_costs())

    def spent_lifetime(self) -> int:
        """ρ charged so far in all, in 1e-9."""
        return sum(cost for cost, _ in self._charge_costs())

    def remaining(self, periods: frozenset[str] = EVERY_PERIOD) -> int:
        """ρ in 1e-9 that a new job on these quarters may still cost; never negative."""
        costs = self._charge_costs() + [(self._unused(held), held.periods) for held in self.reservations]
        by_period = self.limits.period_nano - self._load_on(periods, costs)
        by_lifetime = self.limits.lifetime_nano - sum(cost for cost, _ in costs)
        return max(0, min(by_period, by_lifetime))

    def reserve(self, job: bytes, rho_nano: int, periods: frozenset[str] = EVERY_PERIOD) -> PrivacyAccount:
        """Set aside all that a job may cost; the same reservation again changes nothing."""
        wanted = Reservation(job, rho_nano, periods)
        held = self._reservation(job)
        if held == wanted:
            return self
        if held is not None:
            raise InvalidInput("This job has a different reservation already.", where="account")
        charged = self._charged(job)
        if charged > rho_nano:
            raise InvalidInput("This job was charged more than is to be reserved.", where="account")
        self._require(rho_nano - charged, self.remaining(periods))
        return replace(self, reservations=(*self.reservations, wanted))

    def charge(
        self, job: bytes, run: int, roster: bytes, rho_nano: int, periods: frozenset[str] = EVERY_PERIOD
    ) -> PrivacyAccount:
        """Charge a run, first against the job's reservation; the same charge again changes nothing."""
        wanted = Charge(job, run, roster, rho_nano, periods)
        for charge in self.charges:
            if charge.key == wanted.key:
                if charge != wanted:
                    raise InvalidInput("This run was charged otherwise already.", where="account")
                return self
        held = self._reservation(job)
        if held is not None and held.periods != periods:
            raise InvalidInput("This job's reservation is for other periods.", where="account")
        # What the job itself has reserved is there for it, as far as the limits still allow.
        self._require(rho_nano, self.release(job).remaining(periods))
        return replace(self, charges=(*self.charges, wanted))

    def release(self, job: bytes) -> PrivacyAccount:
        """Give up what a finished job has reserved and not used; its charges stay."""
        return replace(self, reservations=tuple(held for held in self.reservations if held.job != job))

    def _reservation(self, job: bytes) -> Reservation | None:
        return next((held for held in self.reservations if held.job == job), None)

    def _unused(self, held: Reservation) -> int:
        return max(0, held.rho_nano - self._charged(held.job))

    def _charged(self, job: bytes) -> int:
        return sum(charge.rho_nano for charge in self.charges if charge.job == job)

    def _charge_costs(self) -> list[tuple[int, frozenset[str]]]:
        return [(charge.rho_nano, charge.periods) for charge in self.charges]

    @staticmethod
    def _load_on(periods: frozenset[str], costs: list[tuple[int, frozenset[str]]]) -> int:
        """The cost on the most loaded of the quarters; what falls on every period falls on each of them."""
        named = {name for _, where in costs for name in where} if periods == EVERY_PERIOD else periods
        everywhere = sum(cost for cost, where in costs if where == EVERY_PERIOD)
        return everywhere + max(
            (sum(cost for cost, where in costs if name in where) for name in named - EVERY_PERIOD), default=0
        )

    @staticmethod
    def _require(rho_nano: int, room: int) -> None:
        if rho_nano > room:
            raise BudgetSpent(
                f"The household's privacy budget has {room / 1e9:.9f} left, and {rho_nano / 1e9:.9f} is asked.",
                where="privacy account",
                hint="A new quarter's data has a new budget; the lifetime's has none.",
            )
