"""One electorate for all homes of a process."""

from __future__ import annotations

from simulator_cooperative import Cooperative
from vicinia.node.services.electorate import electorate_of


def test_the_electorate_is_the_assemblys() -> None:
    coop = Cooperative.found(households=4)
    job = coop.job()
    coop.accept(job)
    size = len(coop.leaves)
    kept = electorate_of(coop.assembly, job.hash, size)
    expected = coop.assembly.electorate_keys(coop.assembly.vote_on(job.hash), size)
    assert {index: key.raw for index, key in kept.items()} == {index: key.raw for index, key in expected.items()}
    assert electorate_of(coop.replay(), job.hash, size) is kept
