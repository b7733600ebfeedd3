"""A cooperative whose households have homes, and runs in which they take part, with the coordinator in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from simulator_cooperative import BUDGET, Cooperative
from simulator_link import Server, joined_home
from vicinia.node.services.account import load
from vicinia.node.services.participation import Participation
from vicinia.node.store.accounts import Accounts
from vicinia.node.store.datasets import DataSets
from vicinia.node.store.departures import Departures
from vicinia.node.store.home import Home
from vicinia.node.store.runs import Runs
from vicinia.privacy.account import Limits
from vicinia.query.dataset import DataSet
from vicinia.query.schema import create_table_sql, insert_sql
from vicinia.tlog.canonical import canonical

HOUSEHOLDS = 12
NO_LIMITS = Limits(0, 0)


class Homes(dict[int, Home]):
    """The households' homes, each made when it is asked for: joined, consenting, with a row."""

    def __init__(self, world: World, allow: Any) -> None:
        super().__init__()
        self._world, self._allow = world, allow

    def __missing__(self, number: int) -> Home:
        server = self._world.server
        home = joined_home(self._world.folder / f"h{number}", server, server.coop.households[number])
        self._allow(home, server.coop.now_ms)
        fill(home, number)
        self[number] = home
        return home


class World:
    """A cooperative whose households have all joined."""

    def __init__(self, folder: Path, allow: Any, **changes: Any) -> None:
        self.server = Server(Cooperative.found(households=HOUSEHOLDS, **changes))
        self.folder = folder
        self.homes = Homes(self, allow)
        self.replica = self.server.replica(folder)

    def take_part(self, run_id: bytes, homes: list[int] | None = None) -> list[Participation]:
        return [
            self.server.participation(self.homes[i], i, self.replica, run_id)
            for i in (range(HOUSEHOLDS) if homes is None else homes)
        ]

    def run(self, job: Any, number: int = 0) -> bytes:
        run_id = self.server.start_run(job, number)
        self.server.drive(self.take_part(run_id))
        return run_id

    def step(self, household: int, run_id: bytes) -> str:
        run = Runs(self.homes[household].database).get(run_id)
        return run.step if run else "unknown"

    def reason(self, household: int, run_id: bytes) -> str:
        run = Runs(self.homes[household].database).get(run_id)
        return run.reason if run else ""

    def spent(self, household: int) -> int:
        return load(Accounts(self.homes[household].database), NO_LIMITS).spent_lifetime()

    def vector(self, household: int, run_id: bytes) -> np.ndarray[Any, np.dtype[np.float64]]:
        departure = Departures(self.homes[household].database).of_run(run_id)
        assert departure is not None
        return np.frombuffer(departure.vector, "<f8")


def fill(home: Home, number: int) -> None:
    """One row; the first home has none, which must not show."""
    if not number:
        return
    definition = DataSet.from_payload(BUDGET)
    with home.database.transaction("fill"):
        home.database.run(create_table_sql(definition))
        home.database.run(insert_sql(definition), (f"r{number}", "test", 0.01 * number, 1 + number % 2))
        DataSets(home.database).put("budget", canonical(definition.payload()), 1)
