"""The household's account: never negative, never double, whatever the order of events."""

from __future__ import annotations

import hashlib
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vicinia.errors import BudgetSpent, InvalidInput
from vicinia.privacy.account import EVERY_PERIOD, Charge, Limits, PrivacyAccount, Reservation, quarters

LIMITS = Limits(period_nano=1_000, lifetime_nano=4_000)
Q1, Q2 = quarters("2014Q1", "2014Q1"), quarters("2014Q2", "2014Q2")


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


JOB, OTHER, G = digest("job"), digest("other"), digest("roster")


def empty() -> PrivacyAccount:
    return PrivacyAccount(LIMITS)


def test_quarters_run_over_the_turn_of_the_year() -> None:
    assert quarters("2013Q4", "2014Q2") == {"2013Q4", "2014Q1", "2014Q2"}


@pytest.mark.parametrize(("start", "end"), [("2014Q2", "2014Q1"), ("2014Q5", "2015Q1"), ("14Q1", "2015Q1"), ("", "")])
def test_a_period_that_means_nothing_is_refused(start: str, end: str) -> None:
    with pytest.raises(InvalidInput):
        quarters(start, end)


def test_a_charge_falls_on_its_quarters_and_on_the_lifetime() -> None:
    account = empty().charge(JOB, 0, G, 400, Q1)
    assert account.remaining(Q1) == 600
    assert account.remaining(Q2) == 1_000
    assert account.remaining() == 600
    assert account.spent(Q2) == 0
    assert account.spent_lifetime() == 400


def test_a_charge_without_a_period_falls_on_every_quarter_also_on_those_to_come() -> None:
    account = empty().charge(JOB, 0, G, 400)
    assert account.remaining(quarters("2099Q4", "2099Q4")) == 600


def test_the_lifetime_ends_what_the_quarters_would_still_allow() -> None:
    account = empty()
    for number in range(4):
        quarter = quarters(f"2014Q{number + 1}", f"2014Q{number + 1}")
        account = account.charge(JOB, number, G, 1_000, quarter)
    assert account.remaining(quarters("2015Q1", "2015Q1")) == 0
    with pytest.raises(BudgetSpent):
        account.charge(JOB, 4, G, 1, quarters("2015Q1", "2015Q1"))


def test_the_same_run_is_charged_once_and_another_roster_again() -> None:
    account = empty().charge(JOB, 0, G, 400, Q1)
    assert account.charge(JOB, 0, G, 400, Q1) is account
    assert account.charge(JOB, 0, digest("another roster"), 400, Q1).remaining(Q1) == 200


def test_the_same_run_with_another_cost_is_refused() -> None:
    account = empty().charge(JOB, 0, G, 400, Q1)
    for rho, periods in ((399, Q1), (400, Q2)):
        with pytest.raises(InvalidInput):
            account.charge(JOB, 0, G, rho, periods)


def test_a_reservation_keeps_concurrent_jobs_out_and_pays_the_runs_of_its_own() -> None:
    account = empty().reserve(JOB, 800, Q1)
    assert account.remaining(Q1) == 200
    with pytest.raises(BudgetSpent):
        account.reserve(OTHER, 201, Q1)
    with pytest.raises(BudgetSpent):
        account.charge(OTHER, 0, G, 201, Q1)
    account = account.charge(JOB, 0, G, 400, Q1)
    assert account.remaining(Q1) == 200
    account = account.charge(JOB, 1, G, 400, Q1)
    assert account.remaining(Q1) == 200
    assert account.release(JOB).remaining(Q1) == 200


def test_releasing_gives_back_what_was_reserved_and_never_what_was_charged() -> None:
    account = empty().reserve(JOB, 800, Q1).charge(JOB, 0, G, 300, Q1).release(JOB)
    assert account.remaining(Q1) == 700
    assert account.spent(Q1) == 300


def test_a_repeated_reservation_changes_nothing_and_a_different_one_is_refused() -> None:
    account = empty().reserve(JOB, 800, Q1)
    assert account.reserve(JOB, 800, Q1) is account
    with pytest.raises(InvalidInput):
        account.reserve(JOB, 700, Q1)


def test_a_charge_on_other_quarters_than_reserved_is_refused() -> None:
    with pytest.raises(InvalidInput):
        empty().reserve(JOB, 800, Q1).charge(JOB, 0, G, 400, Q2)


def test_lowered_limits_hold_also_for_what_was_reserved_before() -> None:
    held = Reservation(JOB, 800, Q1)
    account = PrivacyAccount.load(Limits(500, 4_000), [Charge(OTHER, 0, G, 400, Q1)], [held])
    assert account.remaining(Q1) == 0
    with pytest.raises(BudgetSpent):
        account.charge(JOB, 0, G, 101, Q1)
    assert account.charge(JOB, 0, G, 100, Q1).spent(Q1) == 500


def test_stored_rows_that_repeat_a_key_are_refused() -> None:
    charge = Charge(JOB, 0, G, 1, Q1)
    with pytest.raises(InvalidInput):
        PrivacyAccount.load(LIMITS, [charge, charge])


@pytest.mark.parametrize("rho", [0, -1, 1 << 63])
def test_a_cost_that_means_nothing_is_refused(rho: int) -> None:
    with pytest.raises(InvalidInput):
        empty().charge(JOB, 0, G, rho, Q1)
    with pytest.raises(InvalidInput):
        empty().reserve(JOB, rho, Q1)


def test_bad_keys_are_refused() -> None:
    for job, run, roster, periods in (
        (b"", 0, G, Q1),
        (JOB, -1, G, Q1),
        (JOB, 0, b"", Q1),
        (JOB, 0, G, frozenset[str]()),
        (JOB, 0, G, frozenset({"*", "2014Q1"})),
    ):
        with pytest.raises(InvalidInput):
            empty().charge(job, run, roster, 1, periods)
    with pytest.raises(InvalidInput):
        Limits(-1, 0)


_PERIODS = st.sampled_from([EVERY_PERIOD, Q1, Q2, Q1 | Q2, quarters("2014Q1", "2015Q1")])
_EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "charge", "release"]),
        st.integers(0, 3),
        st.integers(0, 2),
        st.integers(1, 700),
        _PERIODS,
    ),
    max_size=25,
)


@given(_EVENTS)
@settings(max_examples=150, deadline=None)
def test_whatever_happens_no_budget_is_overdrawn_and_no_key_counts_twice(
    events: list[tuple[str, int, int, int, frozenset[str]]],
) -> None:
    account = empty()
    book: dict[tuple[int, int], tuple[int, frozenset[str]]] = {}
    for kind, job, run, rho, periods in events:
        name = digest(f"job {job}")
        try:
            if kind == "reserve":
                account = account.reserve(name, rho, periods)
            elif kind == "charge":
                account = account.charge(name, run, G, rho, periods)
                book[job, run] = (rho, periods)
            else:
                account = account.release(name)
        except (BudgetSpent, InvalidInput):
            continue
        assert all(account.remaining(where) >= 0 for where in (EVERY_PERIOD, Q1, Q2))
    assert account.spent_lifetime() == sum(rho for rho, _ in book.values()) <= LIMITS.lifetime_nano
    for quarter in ("2014Q1", "2014Q2", "2099Q1"):
        on_quarter = sum(rho for rho, where in book.values() if where == EVERY_PERIOD or quarter in where)
        assert account.spent(frozenset({quarter})) == on_quarter <= LIMITS.period_nano
    total = sum((Fraction(charge.rho_nano, 10**9) for charge in account.charges), Fraction(0))
    assert total * 10**9 == account.spent_lifetime()


@given(_EVENTS, st.integers(0, 24))
@settings(max_examples=60, deadline=None)
def test_a_crash_after_any_event_and_a_replay_end_in_the_same_account(
    events: list[tuple[str, int, int, int, frozenset[str]]], crash: int
) -> None:
    def play(account: PrivacyAccount, part: list[tuple[str, int, int, int, frozenset[str]]]) -> PrivacyAccount:
        for kind, job, run, rho, periods in part:
            try:
                if kind == "charge":
                    account = account.charge(digest(f"job {job}"), run, G, rho, periods)
            except (BudgetSpent, InvalidInput):
                pass
        return account

    straight = play(empty(), events)
    stored = play(empty(), events[:crash])
    again = play(PrivacyAccount.load(LIMITS, stored.charges, stored.reservations), events)
    assert set(straight.charges) == set(again.charges)
