"""A training from the vote to the model: the coordinator's services and the homes' own code, in one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simulator_village import MAP
from simulator_whole import Whole
from vicinia.assembly.toml import TomlFile
from vicinia.coordinator.store.jobs import Stage
from vicinia.query.mapping import parse_map
from vicinia.training.spec import training_of

BYLAWS = {"rho_job_nano": 10**12, "rho_period_nano": 10**12, "rho_lifetime_nano": 10**12}


def training(text: str) -> dict[str, Any]:
    """The fields of a job with this section [training]."""
    definition = parse_map(MAP)[0]
    plan = training_of(TomlFile.parse(f"[training]\n{text}", "JOB.toml"), {"budget": definition}).plan
    return {"kind": "train", "query": "", "training": plan.payload(), "rho_nano": 40 * 10**9 // plan.runs}


LOGISTIC = """
dataset = "budget"
features = ["fuel"]
target = "kids"
recipe = "logistic"
rounds = 2
spare = 1
examples = 1
"""


def test_a_training_from_the_vote_to_the_model(tmp_path: Path) -> None:
    whole = Whole(tmp_path, bylaws=BYLAWS)
    job = whole.accepted_job(**training(LOGISTIC))
    row = whole.until(job, Stage.RELEASED)
    vote = whole.coordinator.ledger.assembly.vote_on(job.hash)
    assert set(vote.models) == set(vote.rosters) == set(vote.releases) == {0, 1}
    assert vote.trained is not None
    assert row.reason == ""
