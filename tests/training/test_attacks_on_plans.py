"""Plans on which no vote should be held: the coordinator, a sponsor's home and every home refuse them, each by itself.

As in `test_attacks`: each attack fails for one named check, and works where that is taken out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from protocol.training.test_spec import BUDGET, parsed
from simulator_cooperative import Cooperative
from training.conftest import Make
from training.jobs import LOGISTIC, training
from training.test_attacks import joined, nothing, opened, reasons, twice
from vicinia.assembly import Job
from vicinia.coordinator.services import research
from vicinia.coordinator.services import terms as coordinators
from vicinia.coordinator.store.jobs import Stage
from vicinia.errors import NotAccepted, TooLarge
from vicinia.node.services import office
from vicinia.node.services import terms as homes
from vicinia.tlog.canonical import canonical
from vicinia.training import compiled, computation
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.recipes import kmeans, mlp
from vicinia.training.recipes.kmeans import KMeans
from vicinia.training.settings import from_file

NO_NOISE = training(LOGISTIC) | {"rho_nano": 1}


# ---- a budget within which there is no noise


@twice
def test_a_coordinator_takes_no_plan_without_a_noise(
    make: Make, checked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not checked:
        monkeypatch.setattr(research, "require_possible", nothing)
    whole = make()
    job = whole.job(**NO_NOISE)
    if not checked:
        whole.submit(job)
        assert whole.row(job).stage is Stage.SUBMITTED
        return
    with pytest.raises(NotAccepted, match="There can be no noise for it, even if 8 homes take part") as refusal:
        whole.submit(job)
    assert "a larger epsilon" in refusal.value.hint
    assert whole.row(job).stage is Stage.REJECTED
    assert "no noise" in whole.row(job).reason
    assert not office.proposals(whole.stores[1], whole.link(1))


@twice
def test_no_home_sponsors_a_plan_without_a_noise(make: Make, checked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(research, "require_possible", nothing)
    if not checked:
        monkeypatch.setattr(computation, "require_noise", nothing)
    whole = make()
    job = whole.submit(whole.job(**NO_NOISE))
    home, link = whole.stores[1], whole.link(1)
    whole.replica.sync(link)
    proposal = office.proposals(home, link)[job.hash]

    def sponsored() -> None:
        office.sponsor(home, link, proposal, lambda: whole.now_ms, whole.replica.assembly)

    if checked:
        with pytest.raises(NotAccepted, match="There can be no noise for it"):
            sponsored()
    else:
        sponsored()
    assert (job.hash in whole.coordinator.ledger.assembly.votes) is not checked


@twice
def test_no_home_joins_a_plan_without_a_noise(make: Make, checked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever accepted it: a home would find out only after it has dealt its keys."""
    monkeypatch.setattr(research, "require_possible", nothing)
    if not checked:
        monkeypatch.setattr(homes, "require_noise", nothing)
    whole = make()
    run_id = opened(whole, whole.accepted_job(**NO_NOISE))
    assert joined(whole, run_id) == (0 if checked else whole.homes)
    if checked:
        assert all("There can be no noise for it" in reason for reason in reasons(whole, run_id))


# ---- enormous work

FEATURES = ", ".join(f'"food * {place}"' for place in range(1, 201))
TOO_MUCH = {
    "examples": (
        f'dataset = "budget"\nfeatures = [{FEATURES}]\ntarget = "region"\nrecipe = "mlp"\nrounds = 1\n'
        "examples = 10000\n[training.parameters]\nhidden_1 = 0\n",
        [(compiled, "MAX_WORK")],
        "6,000,000 numbers, 4,000,000 are allowed",
    ),
    "centres": (
        f'dataset = "budget"\nfeatures = [{FEATURES}]\nrecipe = "kmeans"\n[training.parameters]\nclusters = 200\n',
        [(kmeans, "_MOST_NUMBERS")],
        "40,400 numbers; 20,000 are allowed",
    ),
    "upload": (
        f'dataset = "budget"\nfeatures = [{FEATURES}]\ntarget = "food - fuel"\nrecipe = "mlp"\nrounds = 1\n'
        "[training.parameters]\nhidden_1 = 6000\n",
        [(compiled, "MAX_SLOTS")],
        "1,212,003 numbers in every round; 1,100,000 are allowed",
    ),
}


def by_coordinator(job: Job) -> None:
    coordinators.compiled(job, {"budget": BUDGET})


def by_home(job: Job) -> None:
    homes._compiled(job, (canonical(BUDGET.payload()),))


@pytest.fixture
def _afresh() -> Iterator[None]:
    coordinators._compiled.cache_clear()
    homes._compiled.cache_clear()
    yield
    coordinators._compiled.cache_clear()
    homes._compiled.cache_clear()


@twice
@pytest.mark.usefixtures("_afresh")
@pytest.mark.parametrize("compile_", [by_coordinator, by_home])
@pytest.mark.parametrize("what", TOO_MUCH)
def test_a_plan_of_enormous_work_is_refused_by_everybody(
    what: str, compile_: Callable[[Job], None], checked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would keep small devices busy for hours, and the coordinator while it reads the plan."""
    text, limits, told = TOO_MUCH[what]
    if what == "upload":  # the recipes' own limits stand before this one
        monkeypatch.setattr(mlp, "MAX_PARAMETERS", 10**9)
        monkeypatch.setattr("vicinia.training.model.MAX_PARAMETERS", 10**9)
    with monkeypatch.context() as patch:
        for module, name in limits:
            patch.setattr(module, name, 10**12)
        plan = parsed(f"[training]\n{text}").plan
    coop = Cooperative.found(households=3)
    job = coop.job(kind="train", query="", training=plan)
    for module, name in [] if checked else limits:
        monkeypatch.setattr(module, name, 10**12)
    if checked:
        with pytest.raises(TooLarge, match=told):
            compile_(job)
    else:
        compile_(job)


@twice
def test_the_first_centres_cost_whoever_reads_a_plan_little(checked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not checked:
        monkeypatch.setattr(kmeans, "_MOST_DRAWN", 10**12)
    drawn: list[int] = []

    def words(seed: int, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        drawn.append(count)
        return np.frombuffer(hashlib.shake_256(bytes([seed])).digest(count), np.uint8) / 256

    monkeypatch.setattr(kmeans, "_words", words)
    recipe = KMeans.of(
        Dimensions(98, TargetKind.NONE), from_file(KMeans.settings, {"clusters": 200}, "training.parameters")
    )
    recipe.initial()
    assert (drawn[0] <= 100_000) is checked
