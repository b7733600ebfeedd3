"""What must not depend on a home's data: whether it answers, when, and what that costs in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from node.test_run import World
from vicinia.node.services import departures
from vicinia.node.store.accounts import Accounts
from vicinia.node.store.departures import Departures
from vicinia.query.legend import slot_labels


def test_the_record_of_a_long_vector_is_small_beside_it_and_labels_every_slot(tmp_path: Path, allow: Any) -> None:
    world = World(tmp_path, allow)
    long = " + ".join(["fuel"] * 60)
    query = f"SELECT kids, HISTOGRAM(BOUND({long}, 0, 9), 500), COUNT(DISTINCT household) FROM budget GROUP BY kids"
    run_id = world.run(world.server.accept_job(query=query))
    home = world.homes[1]
    assert world.step(1, run_id) == "finished"
    found = Departures(home.database).of_run(run_id)
    assert found is not None
    assert len(found.labels) < 1500
    labels = list(slot_labels(json.loads(found.labels)))
    values = world.vector(1, run_id)
    assert len(labels) == len(values) == len(set(labels))
    assert [label for label, value in zip(labels, values, strict=True) if value][1] == "has rows [kids = 2]"
    assert departures.verify(Departures(home.database), Accounts(home.database), home.facts) == 1
