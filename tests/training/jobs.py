"""Training jobs for a cooperative in one process."""

from __future__ import annotations

from typing import Any

from simulator_village import MAP
from vicinia.assembly.toml import TomlFile
from vicinia.query.mapping import parse_map
from vicinia.training.spec import training_of

__all__ = ["BYLAWS", "LOGISTIC", "MLP", "every_other", "private", "training"]

BYLAWS = {"rho_job_nano": 10**12, "rho_period_nano": 10**12, "rho_lifetime_nano": 10**12}
_COMMON = """
dataset = "budget"
features = ["fuel"]
target = "kids"
examples = 1
"""
LOGISTIC = _COMMON + 'recipe = "logistic"\nrounds = 2\nspare = 1\n'
MLP = _COMMON + 'recipe = "mlp"\nrounds = 2\nspare = 1\n[training.parameters]\nhidden_1 = 0\n'


def private(text: str) -> str:
    """The same with a first round that standardises."""
    return 'standardise = "private"\n' + text


def training(text: str, rho: int = 40) -> dict[str, Any]:
    """The fields of a job with this section [training]; `rho` for all of its rounds."""
    plan = training_of(TomlFile.parse(f"[training]\n{text}", "JOB.toml"), {"budget": parse_map(MAP)[0]}).plan
    return {"kind": "train", "query": "", "training": plan.payload(), "rho_nano": rho * 10**9 // plan.runs}


def every_other(lot: bytes, index: int, share_nano: int) -> bool:
    """Who is held out, in place of a lot that would leave one part too small now and then."""
    return share_nano > 0 and index % 2 == 1
