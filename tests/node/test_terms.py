"""What a home makes of a run: only from the log as it stands, and only from what the job names."""

from __future__ import annotations

import pytest
from simulator_cooperative import BUDGET, Cooperative, key
from vicinia.assembly import Job, build_rotate
from vicinia.errors import InvalidInput, NotAccepted
from vicinia.node.services.terms import Terms
from vicinia.secagg.manifest import PROTOCOL, Deadlines, Manifest

STRANGE = {**BUDGET, "name": "weather", "timezone": "Europe/Newzone"}


def manifest(coop: Cooperative, job: Job, size: int | None = None) -> Manifest:
    """Of run 0, over the first `size` leaves."""
    size = coop.assembly.size if size is None else size
    deadlines = Deadlines(*(coop.now_ms + step for step in range(1, 6)))
    return Manifest(coop.coop, job.hash, 0, PROTOCOL, size, coop.assembly.root(size), deadlines)


def test_a_home_whose_key_was_replaced_since_takes_no_part() -> None:
    coop = Cooperative.found()
    job, new = coop.job(), key("new")
    coop.accept(job)
    old = manifest(coop, job)
    coop.append(build_rotate(coop.assembly, coop.assembly.members[5].id, new.public).sign(coop.households[5]).sign(new))
    with pytest.raises(NotAccepted, match="key was replaced"):
        Terms.of(old, job, coop.assembly, coop.assembly.members[5].id)
    Terms.of(old, job, coop.assembly, coop.assembly.members[4].id)


def test_a_definition_that_a_home_cannot_read_stops_no_other_job() -> None:
    coop = Cooperative.found(datasets=(STRANGE, BUDGET))
    job = coop.job()
    coop.accept(job)
    terms = Terms.of(manifest(coop, job), job, coop.assembly, coop.assembly.members[0].id)
    assert [one.name for one in terms.plan.datasets] == ["budget"]
    strange = coop.job(datasets=("weather",), query="SELECT AVG(fuel) FROM weather")
    coop.accept(strange)
    with pytest.raises(InvalidInput):
        Terms.of(manifest(coop, strange), strange, coop.assembly, coop.assembly.members[0].id)
