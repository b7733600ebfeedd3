"""Real processes over real mTLS, killed without warning in every phase of a run.

One cooperative, three jobs. In the first a home dies for good in each phase; in the second, beside it, a home in each
phase dies and comes back; in the third the coordinator dies in each phase and comes back. Nobody may be counted or
charged twice, or be counted who died before its vector was sent, or be left out who had sent it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from system.strikes import Struck, carry_out, coordinator_dies, homes_die, homes_die_and_return
from system.village import RHO, Village
from system.watched import PHASES, Register, Watched
from vicinia.coordinator.store.jobs import Stage
from vicinia.coordinator.store.runs import Phase

HOMES, LONE = 16, 10
DEATHS, RETURNS, RESTARTS = "dpv:NonCommercialResearch", "dpv:ProvideOfficialStatistics", "dpv:PublicBenefit"
END_SECONDS = 120.0
STANDARD_ERRORS = 4.5


@dataclass(frozen=True, slots=True)
class Story:
    """What became of a job: how each strike met it, who was in its run, and what the homes have of it."""

    run: Watched
    struck: list[Struck]
    roster: set[str]
    counted: set[str]
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Homes:
    """What each home says in the end, by household."""

    left: dict[str, list[dict[str, Any]]]
    verified: dict[str, Any]
    states: dict[str, Any]
    reasons: dict[str, Any]


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    made = Village(tmp_path, HOMES, LONE)
    try:
        made.found()
        made.coop.members.run()
        yield made
    finally:
        made.processes.end_all()


@pytest.mark.system
def test_whoever_is_killed_in_whatever_phase_nobody_is_counted_or_charged_twice(
    village: Village, subtests: pytest.Subtests
) -> None:
    """`back` are killed and start again; `gone` stay dead until the run has ended without them."""
    back, gone, others = village.cast.lone[:5], village.cast.lone[5:], village.cast.hosted[0]
    for purpose, names in ((DEATHS, gone + others), (RETURNS, back + others), (RESTARTS, village.cast.everybody)):
        village.consent(purpose, names)
    register = Register(village.coop.steward.coordinator, village.coop.members.households())
    returns = Watched(register, village.put("Homes come back", RETURNS))
    deaths = Watched(register, village.put("Homes stay dead", DEATHS))

    with ThreadPoolExecutor(1) as beside:
        third = beside.submit(_put_when_shares_are_there, village, deaths)
        struck = carry_out(
            [*homes_die(village, deaths, gone), *homes_die_and_return(village, returns, back)], END_SECONDS
        )
    dead = _end(village, deaths, struck[:5])
    returned = _end(village, returns, struck[5:10])
    for name in gone:
        village.start_home(name)
    restarts = Watched(register, third.result())
    strikes = [coordinator_dies(village, restarts, phase) for phase in PHASES]
    restarted = _end(village, restarts, carry_out(strikes, END_SECONDS))
    ask = village.coop.members
    homes = Homes(*village.processes.at_once([ask.left, ask.verify_left, ask.states, ask.reasons]))

    for phase, name, one in zip(PHASES, gone, dead.struck, strict=True):
        with subtests.test("a home dies for good", phase=phase.name):
            _judge_moment(one, name)
            assert (name in dead.counted) == (phase >= Phase.INPUT)
    for phase, name, one in zip(PHASES, back, returned.struck, strict=True):
        with subtests.test("a home dies and comes back", phase=phase.name):
            _judge_moment(one, name)
            assert name in returned.counted
    for one in restarted.struck:
        with subtests.test("the coordinator dies and comes back", phase=one.meant.name):
            _judge_moment(one)
            assert one.answered <= (restarted.roster if one.meant < Phase.INPUT else restarted.counted)
    for story, lost in ((dead, set(gone[:2])), (returned, set()), (restarted, set())):
        with subtests.test("the run", job=story.run.row.title):
            assert story.counted == story.roster - lost
            _judge_result(story)
            _judge_departures(story, homes)
    with subtests.test("accounts"):
        _judge_accounts(homes)


def _put_when_shares_are_there(village: Village, run: Watched) -> str:
    """A job whose vote lasts about as long as the rest of another one's run."""
    deadline = time.monotonic() + END_SECONDS
    while run.phase < Phase.INPUT:
        assert time.monotonic() < deadline, f"{run.row.title}: still in phase {run.phase}"
        time.sleep(0.1)
    return village.put("The coordinator comes back", RESTARTS)


def _end(village: Village, run: Watched, struck: list[Struck]) -> Story:
    """Wait for the end, which has to be a result: nothing that was done is more than a run bears."""
    row = run.end(END_SECONDS)
    assert row.stage is Stage.RELEASED, row.reason
    roster, counted = run.cohort()
    return Story(run, struck, roster, counted, village.result(run.job))


def _judge_moment(one: Struck, name: str | None = None) -> None:
    """The victim died in the phase that was meant, or when the next had just begun; its answer was there before."""
    assert one.found in (one.meant, one.meant + 1)
    if name is not None and one.found is one.meant:
        assert name in one.answered


def _judge_result(story: Story) -> None:
    """The released number is that of the vectors in the sum; a vector more or less would show."""
    (cell,) = story.result["cells"]
    assert cell["stderr"] < 1 / STANDARD_ERRORS
    assert abs(cell["value"] - len(story.counted)) <= STANDARD_ERRORS * cell["stderr"]


def _judge_departures(story: Story, homes: Homes) -> None:
    """Each home that is in the sum has exactly one record of it, and nobody else has any."""
    records = [name for name, left in homes.left.items() for one in left if one["job"] == story.run.job]
    assert sorted(records) == sorted(story.counted)


def _judge_accounts(homes: Homes) -> None:
    """Every record of a home was charged, once, and nothing else; no run is left open."""
    assert all(one["ok"] for one in homes.verified.values())
    for name, state in homes.states.items():
        assert state["spent_lifetime_rho_nano"] == RHO * 10**9 * len(homes.left.get(name, []))
    met = [one["state"] for runs in homes.reasons.values() for one in runs if "run_id" in one]
    assert set(met) <= {"finished", "failed", "refused"}
