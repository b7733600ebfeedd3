"""Real processes over real mTLS, killed without warning in every phase of a run, and started again.

The noise of this cooperative is tiny (its by-laws allow a large rho), so that the released count is exact to the home:
a vector that was lost after its acknowledgement, or counted twice, would show.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from vicinia.coordinator.store.runs import Phase
from vicinia.query.mapping import parse_map

from deploy.demo.arguments import Refusal
from deploy.demo.choices import Cast, cast_homes
from deploy.demo.cohort import phase_of, read_cohort
from deploy.demo.cooperative import NODE, RECIPIENT, UNIVERSITY, Cooperative
from deploy.demo.data import built_in, households
from deploy.demo.processes import Supervisor

HOUSEHOLDS = 20
PURPOSE = "dpv:NonCommercialResearch"
BYLAWS = """
vote_seconds = 12
phase_seconds = 20
floor = 10
rho_job = 100
rho_period = 200
rho_lifetime = 400
"""
JOB = f"""
title = "How many"
purpose = "{PURPOSE}"
why = "To see that nobody is counted twice."
query = "SELECT COUNT(DISTINCT household), AVG(fuel) FROM budget"
[privacy]
rho = 40
"""
END_SECONDS = 120.0


@dataclass(slots=True)
class Running:
    """A cooperative whose homes are running and whose members have a job to vote on."""

    cooperative: Cooperative
    cast: Cast
    processes: Supervisor
    job: str

    @property
    def phase(self) -> int:
        """The phase of the job's run, 0 before there is one."""
        return phase_of(self.cooperative.coordinator_folder(), self.job)

    def reach(self, phase: Phase) -> bool:
        """Wait for a phase; False where the run ended before."""
        deadline = time.monotonic() + END_SECONDS
        while (now := self.phase) < phase:
            assert time.monotonic() < deadline, f"phase {phase.name} was not reached, the run is in {now}"
            time.sleep(0.02)
        return now < Phase.DONE

    def kill_coordinator(self) -> None:
        """Kill it, and start it again on the same ports."""
        self.processes.kill("coordinator")
        self.cooperative.serve()

    def kill_home(self) -> None:
        """Kill a home that is alone in its process, with its worker, and start it again."""
        name = self.cast.dropped[0]
        self.processes.kill(self.cooperative.daemon(name))
        self.processes.start(self.cooperative.daemon(name), NODE, "run", "--dir", self.cooperative.home(name))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    source, map_path = built_in(tmp_path)
    definition, mapping = parse_map(map_path.read_text())
    data = households(definition.name, mapping, source, map_path, wanted=HOUSEHOLDS, least=HOUSEHOLDS)
    cast = cast_homes(data.names, data.dataset, Refusal("none"), processes=1, lone=5, drop=1, seed=1)
    bylaws, job = tmp_path / "RULES.toml", tmp_path / "JOB.toml"
    bylaws.write_text(BYLAWS)
    job.write_text(JOB)
    processes = Supervisor(tmp_path / "logs", end_seconds=5)
    try:
        cooperative = Cooperative(tmp_path, cast, data, processes, bylaws)
        cooperative.found()
        cooperative.serve()
        cooperative.invite()
        cooperative.join()
        cooperative.approve()
        cooperative.import_data()
        cooperative.consent(PURPOSE, RECIPIENT, "100")
        cooperative.standing_votes()
        cooperative.run_homes()
        cooperative.await_homes()
        submitted = cooperative.submit(UNIVERSITY, job)
        cooperative.sponsor(submitted)
        yield Running(cooperative, cast, processes, submitted)
    finally:
        processes.end_all()


@pytest.mark.system
def test_killed_in_every_phase_nobody_is_counted_or_charged_twice(running: Running) -> None:
    """The coordinator and a home die in each of the five phases; the run completes, or fails and says why."""
    for phase in (Phase.ADVERTISE, Phase.SHARE, Phase.INPUT, Phase.COMMIT, Phase.UNMASK):
        if not running.reach(phase):
            break
        running.kill_home()
        running.kill_coordinator()
    running.reach(Phase.DONE)
    last = running.cooperative.follow(UNIVERSITY, running.job).until(lambda now: bool(now["final"]), lambda _: None)
    _judge_records(running)
    if last["state"] == "released":
        _judge_result(running)
    else:
        assert last["state"] == "failed"
        assert last["reason"]


def _judge_records(running: Running) -> None:
    """At most one record of what left for each home, each of them charged exactly once."""
    left = running.cooperative.left()
    assert all(len(records) <= 1 for records in left.values())
    assert all(one["ok"] for one in running.cooperative.verify_left().values())
    for name, state in running.cooperative.states().items():
        assert state["spent_lifetime_rho_nano"] == sum(record["rho_nano"] for record in left.get(name, []))


def _judge_result(running: Running) -> None:
    """The released count is the number of homes whose vectors are in the sum, and their records show it."""
    result: dict[str, Any] = running.cooperative.result(UNIVERSITY, running.job)
    cohort = read_cohort(running.cooperative.coordinator_folder(), running.job)
    count = next(cell for cell in result["cells"] if cell["column"].startswith("COUNT"))
    assert count["stderr"] < 0.3
    assert round(count["value"]) == len(cohort.survivors)
    ids = running.cooperative.households()
    sent = {ids[name] for name, records in running.cooperative.left().items() if records}
    assert cohort.survivors <= sent
