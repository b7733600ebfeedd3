"""The household's privacy account: the stored charges under the by-laws' limits.

Nothing here reads a clock: periods are calendar quarters of the data (`2014Q1`), so that setting a clock back buys
nothing. A charge without a period counts in every quarter; every charge counts in the lifetime.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vicinia.assembly.vote import Vote
from vicinia.errors import BudgetSpent
from vicinia.node.store.accounts import Accounts, Charge
from vicinia.privacy.account import EVERY_PERIOD, Limits, PrivacyAccount, quarters
from vicinia.privacy.account import Charge as PureCharge
from vicinia.privacy.account import Reservation as PureReservation

__all__ = ["Budget", "Cost", "charge", "is_over", "load", "release", "reserve", "settle"]


@dataclass(frozen=True, slots=True)
class Budget:
    """The by-laws' caps in 1e-9 rho: of one job, and of the household's quarters and lifetime."""

    job_nano: int
    limits: Limits


@dataclass(frozen=True, slots=True)
class Cost:
    """What a job asks for: `rho_nano` each run, `runs` at most, over the quarters first..last (empty: every one)."""

    job_hash: bytes
    rho_nano: int
    runs: int
    first: str = ""
    last: str = ""

    @property
    def total(self) -> int:
        """All runs together."""
        return self.rho_nano * self.runs

    @property
    def periods(self) -> frozenset[str]:
        """The quarters that it falls on."""
        return _periods(self.first, self.last)


def load(accounts: Accounts, limits: Limits) -> PrivacyAccount:
    """The account as it is stored."""
    return PrivacyAccount.load(
        limits,
        (
            PureCharge(entry.job_hash, entry.run, entry.roster, entry.rho_nano, _periods(entry.first, entry.last))
            for entry in accounts.charges()
        ),
        (PureReservation(job, rho, _periods(first, last)) for job, first, last, rho in accounts.reservations()),
    )


def reserve(accounts: Accounts, cost: Cost, budget: Budget) -> None:
    """Set all of the job's runs aside, or raise BudgetSpent. Call inside the transaction that decides to join."""
    if cost.total > budget.job_nano:
        raise BudgetSpent(
            f"The job costs rho {cost.total / 1e9:.4f} in all, the by-laws allow {budget.job_nano / 1e9:.4f} a job.",
            where="privacy account",
        )
    load(accounts, budget.limits).reserve(cost.job_hash, cost.total, cost.periods)
    accounts.reserve(cost.job_hash, cost.first, cost.last, cost.total)


def charge(accounts: Accounts, cost: Cost, budget: Budget, run: int, roster: bytes, now_ms: int) -> None:
    """Enter the charge of one run, once per (job hash, run, G); raise BudgetSpent where it does not fit.

    Call inside the transaction that stores the masked vector. Nothing is ever given back.
    """
    load(accounts, budget.limits).charge(cost.job_hash, run, roster, cost.rho_nano, cost.periods)
    accounts.charge(Charge(cost.job_hash, run, roster, cost.first, cost.last, cost.rho_nano, now_ms))


def release(accounts: Accounts, job_hash: bytes) -> None:
    """Give up what a job has reserved and not used; its charges stay."""
    accounts.release(job_hash)


def settle(accounts: Accounts, votes: Mapping[bytes, Vote], now_ms: int) -> None:
    """Give up what was reserved for jobs that can have no further run: ended, revoked, expired, or all runs used."""
    for job_hash, *_ in accounts.reservations():
        if is_over(votes.get(job_hash), now_ms):
            accounts.release(job_hash)


def is_over(vote: Vote | None, now_ms: int, run: int = -1) -> bool:
    """Whether no run comes after this one any more, as far as the log says."""
    if vote is None or vote.certificate is None or vote.revoked is not None or vote.trained is not None:
        return True
    used = max(run + 1, len(vote.rosters))
    return now_ms >= vote.certificate.expires or used >= vote.certificate.max_runs


def _periods(first: str, last: str) -> frozenset[str]:
    return quarters(first, last) if first else EVERY_PERIOD
