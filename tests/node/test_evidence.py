"""What a home keeps of a run that was not as it should be, and of the result that it was shown."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulator_cooperative import Cooperative
from simulator_link import Link, Server, joined_home
from vicinia.node.app import main
from vicinia.node.services import contribution, release
from vicinia.node.services.engagement import Engagement
from vicinia.node.services.participation import Participation
from vicinia.node.services.replica import Replica
from vicinia.node.store.accounts import Accounts
from vicinia.node.store.alerts import Alerts
from vicinia.node.store.database import Database
from vicinia.node.store.datasets import DataSets
from vicinia.node.store.offences import Offences
from vicinia.node.store.releases import Released, Releases
from vicinia.node.store.runs import Run, Runs
from vicinia.node.store.schema import HOME
from vicinia.tlog.canonical import canonical
from vicinia.wire import journal as codec
from vicinia.wire.published import Phase

HOUSEHOLDS = 12
CELL = {"column": "AVG(fuel)", "keys": {"kids": 1}, "note": "", "stderr": "0.01", "value": "0.125"}
BODY = canonical({"v": 1, "cells": [CELL]})


class Village:
    """All households of a cooperative in one run."""

    def __init__(self, folder: Path, allow: Callable[..., None]) -> None:
        self.server = Server(Cooperative.found(households=HOUSEHOLDS))
        self.replica: Replica = self.server.replica(folder)
        keys = self.server.coop.households
        self.homes = [joined_home(folder / f"h{i}", self.server, key) for i, key in enumerate(keys)]
        for home in self.homes:
            allow(home, self.server.coop.now_ms)
        self.job = self.server.accept_job()
        self.run_id = self.server.start_run(self.job)

    def take_part(self) -> list[Participation]:
        return [self.server.participation(home, i, self.replica, self.run_id) for i, home in enumerate(self.homes)]


@pytest.fixture
def village(tmp_path: Path, allow: Callable[..., None]) -> Village:
    return Village(tmp_path, allow)


def test_the_message_that_offends_is_kept_and_told(
    village: Village, dial: Callable[[Link], None], capsys: pytest.CaptureFixture[str]
) -> None:
    everybody = village.take_part()
    for one in everybody:
        one.advance()
    run = village.server.run
    assert run is not None
    run.close_phase()
    original = run.published

    def forged(household: int, after: Phase) -> Any:
        view = original(household, after)
        first = view.adverts[0]
        advert = replace(first.advert, mask_key=bytes([9]) * 32)
        return replace(view, adverts=(replace(first, advert=advert), *view.adverts[1:]))

    run.published = forged  # type: ignore[method-assign]
    assert everybody[3].advance() is None
    home = village.homes[3]
    (kept,) = Offences(home.database).of_run(village.run_id)
    assert (kept.step, kept.kind) == ("advertise", "RosterView")
    assert codec.decode_roster_view(kept.message) == forged(3, Phase.ADVERTISE)
    assert Alerts(home.database).all()
    home.close()
    dial(village.server.link(3))
    assert main(["jobs", "--why", "--dir", str(home.directory)]) == 0
    assert "evidence: the RosterView" in capsys.readouterr().out


@pytest.mark.parametrize(("logged", "state"), [(BODY, "logged"), (b"another", "differs")])
def test_the_result_is_compared_with_the_log_and_shown(
    village: Village, logged: bytes, state: str, dial: Callable[[Link], None], capsys: pytest.CaptureFixture[str]
) -> None:
    home, server = village.homes[0], village.server
    Runs(home.database).add(Run(village.run_id, village.job.hash, 0, b"", b"", "finished", "", 1))
    Releases(home.database).add(Released(village.run_id, village.job.hash, 0, BODY, "shown"))
    village.replica.sync(server.link(0))
    release.settle(home, village.replica, server.clock)
    assert Releases(home.database).unsettled()  # the log does not have it yet
    server.coop.roster(village.job)
    server.coop.release(village.job, 0, hashlib.sha256(logged).digest())
    server.confirm()
    village.replica.sync(server.link(0))
    release.settle(home, village.replica, server.clock)
    shown = Releases(home.database).of_run(village.run_id)
    assert shown is not None
    assert shown.state == state
    assert bool(Alerts(home.database).all()) == (state == "differs")
    home.close()
    dial(server.link(0))
    assert main(["jobs", "--dir", str(home.directory)]) == 0
    out = capsys.readouterr().out
    assert "0.125" in out
    assert ("NOT the one" in out) == (state == "differs")


def test_a_finished_run_keeps_what_was_released(village: Village) -> None:
    village.server.drive(village.take_part())
    for home in village.homes:
        shown = Releases(home.database).of_run(village.run_id)
        assert shown is not None
        assert (shown.body, shown.state) == (b"{}", "shown")


def test_a_query_has_a_limit_of_time(village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    over: list[bool] = []

    def vector(plan: Any, *_: Any, out_of_time: Callable[[], bool], **__: Any) -> Any:
        asked.append(out_of_time())
        over.append(True)
        asked.append(out_of_time())
        return np.zeros(plan.layout.length)

    everybody = village.take_part()
    everybody[0].advance()
    link = village.server.link(0)
    engagement = Engagement(village.homes[0], village.replica, link, village.run_id, village.server.clock)
    run = engagement.runs.get(village.run_id)
    assert run is not None
    terms, _ = engagement.resume(run)
    definition = canonical(terms.plan.datasets[0].payload())
    monkeypatch.setattr(contribution, "household_vector", vector)
    monkeypatch.setattr(DataSets, "get", lambda *_: definition)
    contribution.exact_vector(village.homes[0], terms, lambda: bool(over), lambda _: None)
    assert asked == [False, True]


def test_a_store_of_the_first_schema_is_brought_up(tmp_path: Path) -> None:
    old = Database(tmp_path / "s.db", HOME[:1], bytes(32))
    for job, run in ((b"a", 0), (b"b", 1)):
        old.run("INSERT INTO charge VALUES(?, ?, x'00', '', '', 5, 5)", (job, run))
    old.run("INSERT INTO run VALUES(x'01', ?, 0, x'', x'', 'finished', '', 1)", (b"a",))
    old.close()
    database = Database(tmp_path / "s.db", HOME, bytes(32))
    assert Offences(database).of_run(b"") == []
    assert [charge.forgotten for charge in Accounts(database).charges()] == [False, True]
    database.close()
