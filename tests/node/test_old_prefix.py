"""A run that relies on an old state of the log: lost keys and members who left do not come back by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from simulator_cooperative import Cooperative, key
from simulator_link import Server
from vicinia.assembly import Job, build_resign, build_rotate
from vicinia.node.services.decision import decide
from vicinia.node.services.participation import Participation
from vicinia.node.store.home import Home
from vicinia.node.store.runs import Runs
from vicinia.secagg.manifest import PROTOCOL, Deadlines, Manifest
from vicinia.wire.published import Phase


def resign(coop: Cooperative) -> None:
    """Home 5 leaves."""
    coop.append(build_resign(coop.coop, coop.assembly.members[5].id).sign(coop.households[5]))


def replace_key(coop: Cooperative) -> None:
    """The key of home 5 was stolen; it has another one now."""
    new = key("new")
    coop.append(coop.endorsed(build_rotate(coop.assembly, coop.assembly.members[5].id, new.public).sign(new)))


def advertised(folder: Path, allow: Any) -> tuple[Server, list[Home], list[Participation], bytes]:
    """A run for which every home has advertised."""
    server = Server(Cooperative.found(households=12))
    run_id = server.start_run(server.accept_job())
    homes, replica = server.homes(folder), server.replica(folder)
    for home in homes:
        allow(home, server.coop.now_ms)
    everybody = [server.participation(home, index, replica, run_id) for index, home in enumerate(homes)]
    for one in everybody:
        one.advance()
    return server, homes, everybody, run_id


@pytest.mark.parametrize("event", [resign, replace_key])
def test_a_roster_with_somebody_who_is_no_longer_there_is_refused(tmp_path: Path, allow: Any, event: Any) -> None:
    server, homes, everybody, run_id = advertised(tmp_path, allow)
    event(server.coop)
    assert server.run is not None
    server.run.close_phase()
    for _ in range(3):
        everybody[2].advance()
    run = Runs(homes[2].database).get(run_id)
    assert run is not None
    assert "had left, or had another key" in run.reason
    assert not any(step.startswith("share") for _, step in server.sent)


@pytest.mark.parametrize("event", [resign, replace_key])
def test_what_happens_after_the_roster_breaks_nothing(tmp_path: Path, allow: Any, event: Any) -> None:
    server, homes, everybody, run_id = advertised(tmp_path, allow)
    assert server.run is not None
    server.run.close_phase()
    event(server.coop)
    server.confirm()
    for _ in range(3):
        everybody[2].advance()
    run = Runs(homes[2].database).get(run_id)
    assert run is not None
    assert run.step == "share", run.reason
    assert server.run.phase is Phase.SHARE


def test_a_manifest_from_before_the_certificate_is_refused(tmp_path: Path, allow: Any) -> None:
    server = Server(Cooperative.found(households=12))
    job: Job = server.accept_job()
    coop, (home, *_) = server.coop, server.homes(tmp_path, 1)
    allow(home, coop.now_ms)
    replica = server.replica(tmp_path)
    replica.sync(server.link(0))
    certified = coop.assembly.vote_on(job.hash).certificate_leaf
    assert certified is not None
    deadlines = Deadlines(*(coop.now_ms + step for step in range(1, 6)))
    for size, line in ((certified, "relied on"), (certified + 1, "")):
        manifest = Manifest(coop.coop, job.hash, 0, PROTOCOL, size, coop.assembly.root(size), deadlines)
        with home.critical("decide"):
            made = decide(home, replica, manifest.digest, manifest.canonical(), job.canonical(), server.clock)
        assert next((one.name for one in made.lines if not one.ok), "") == line
