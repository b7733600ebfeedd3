"""A home's clock goes only on, whatever the machine's does."""

from __future__ import annotations

from pathlib import Path

from vicinia.node.services.clock import HomeClock
from vicinia.node.store.home import Home


def test_a_clock_set_back_does_not_revive_a_consent(tmp_path: Path) -> None:
    home = Home.create(tmp_path / "h")
    passed = [0.0]
    clock = HomeClock(home.facts, lambda: 5, lambda: passed[0])
    assert clock() == 5
    clock.witness(20_000_000)
    assert clock() == 20_000_000
    passed[0] = 3600.0
    assert clock() == 23_600_000
    clock.witness(21_000_000)  # older than what has passed
    assert clock() == 23_600_000
    assert HomeClock(home.facts, lambda: 5, lambda: 0.0)() == 23_600_000  # after a restart
    assert HomeClock(home.facts, lambda: 30_000_000)() == 30_000_000
    home.close()


def test_a_clock_that_was_ahead_once_ruins_nothing(tmp_path: Path) -> None:
    home, now = Home.create(tmp_path / "h"), [10**14]
    clock = HomeClock(home.facts, lambda: now[0], lambda: 0.0)
    clock.witness(10_000_000)
    assert clock() == 10**14
    now[0] = 10_500_000
    assert clock() == 10_500_000
    assert HomeClock(home.facts, lambda: now[0])() == 10_500_000
    home.close()
