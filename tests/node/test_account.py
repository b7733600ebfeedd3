"""The privacy account at home: charged once, never below zero, deaf to names and clocks."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vicinia.errors import BudgetSpent
from vicinia.node.services.account import Budget, Cost, charge, load, release, reserve
from vicinia.node.store.accounts import Accounts
from vicinia.node.store.database import Database
from vicinia.node.store.home import Home
from vicinia.node.store.schema import HOME
from vicinia.privacy.account import Limits

BUDGET = Budget(250, Limits(1000, 4000))
G = bytes(32)


def job(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def test_charging_twice_charges_once(home: Home) -> None:
    accounts, cost = Accounts(home.database), Cost(job("a"), 200, 1)
    reserve(accounts, cost, BUDGET)
    for _ in range(3):
        charge(accounts, cost, BUDGET, 0, G, 1)
    assert load(accounts, BUDGET.limits).spent_lifetime() == 200


def test_a_job_above_the_limit_of_a_job_is_refused_with_all_its_runs(home: Home) -> None:
    with pytest.raises(BudgetSpent):
        reserve(Accounts(home.database), Cost(job("a"), 126, 2), BUDGET)


def test_renamed_reformatted_and_others_jobs_draw_on_the_same_account(home: Home) -> None:
    accounts = Accounts(home.database)
    for name in ("title", "Title", "title ", "another researcher"):
        reserve(accounts, Cost(job(name), 250, 1), BUDGET)
        charge(accounts, Cost(job(name), 250, 1), BUDGET, 0, G, 1)
    with pytest.raises(BudgetSpent):
        reserve(accounts, Cost(job("one more"), 1, 1), BUDGET)


def test_a_job_on_another_quarter_has_that_quarters_budget_until_the_lifetime_is_spent(home: Home) -> None:
    accounts = Accounts(home.database)
    for year in range(2010, 2014):
        for number in range(4):
            cost = Cost(job(f"{year}/{number}"), 250, 1, f"{year}Q1", f"{year}Q1")
            reserve(accounts, cost, BUDGET)
            charge(accounts, cost, BUDGET, 0, G, 1)
        with pytest.raises(BudgetSpent):
            reserve(accounts, Cost(job(f"{year}/x"), 1, 1, f"{year - 1}Q4", f"{year}Q2"), BUDGET)
    with pytest.raises(BudgetSpent):
        reserve(accounts, Cost(job("new year"), 1, 1, "2020Q1", "2020Q1"), BUDGET)


def test_concurrent_jobs_cannot_share_one_remainder(home: Home) -> None:
    accounts = Accounts(home.database)
    for name in "abcd":
        reserve(accounts, Cost(job(name), 250, 1), BUDGET)
    with pytest.raises(BudgetSpent):
        reserve(accounts, Cost(job("e"), 1, 1), BUDGET)
    release(accounts, job("a"))
    reserve(accounts, Cost(job("e"), 250, 1), BUDGET)


def test_a_release_gives_back_only_what_was_not_charged(home: Home) -> None:
    accounts, cost = Accounts(home.database), Cost(job("a"), 100, 2)
    reserve(accounts, cost, BUDGET)
    charge(accounts, cost, BUDGET, 0, G, 1)
    release(accounts, cost.job_hash)
    assert load(accounts, BUDGET.limits).remaining() == 900


def test_two_processes_that_charge_at_once_stay_within_the_budget(tmp_path: Path) -> None:
    key, path = bytes(32), tmp_path / "store.db"
    Database(path, HOME, key).close()
    refused: list[int] = []

    def spend(worker: int) -> None:
        database = Database(path, HOME, key)
        for number in range(4):
            cost = Cost(job(f"{worker}/{number}"), 250, 1)
            try:
                with database.transaction("charge"):
                    reserve(Accounts(database), cost, BUDGET)
                    charge(Accounts(database), cost, BUDGET, 0, G, 1)
            except BudgetSpent:
                refused.append(worker)
        database.close()

    threads = [threading.Thread(target=spend, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database = Database(path, HOME, key)
    assert load(Accounts(database), BUDGET.limits).spent_lifetime() == 1000
    assert len(refused) == 8
    database.close()


quarters = st.builds(lambda year, quarter: f"{year}Q{quarter}", st.integers(2013, 2015), st.integers(1, 4))
spans = st.one_of(st.just(("", "")), st.tuples(quarters, quarters).map(lambda pair: (min(pair), max(pair))))
steps = st.tuples(st.integers(0, 5), st.integers(1, 250), st.integers(1, 3), spans, st.booleans())


@settings(max_examples=40, deadline=None)
@given(st.lists(steps, max_size=25))
def test_no_quarter_and_no_lifetime_is_overdrawn(
    tmp_path_factory: pytest.TempPathFactory, asked: list[tuple[int, int, int, tuple[str, str], bool]]
) -> None:
    database = Database(tmp_path_factory.mktemp("account") / "store.db", HOME, bytes(32))
    accounts = Accounts(database)
    for name, rho, runs, (first, last), give_up in asked:
        cost = Cost(job(str((name, rho, runs, first, last))), rho, runs, first, last)
        try:
            reserve(accounts, cost, BUDGET)
            for run in range(runs):
                charge(accounts, cost, BUDGET, run, G, 1)
        except BudgetSpent:
            pass
        if give_up:
            release(accounts, cost.job_hash)
    account = load(accounts, BUDGET.limits)
    assert account.spent() <= 1000
    assert account.spent_lifetime() <= 4000
    database.close()
