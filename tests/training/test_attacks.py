"""A coordinator that cheats in a training: each attack fails for one named check, and works where that is taken out.

Everything else is real: the coordinator's services and the homes' own code (`simulator_whole`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from simulator_whole import ServiceLink, Whole
from training.conftest import Make
from training.jobs import LOGISTIC, MLP, training
from vicinia.assembly import Job
from vicinia.assembly.build import build_model
from vicinia.coordinator.store import artifacts, runs
from vicinia.coordinator.store.jobs import Stage
from vicinia.node.services import contribution
from vicinia.node.store.departures import Departures
from vicinia.privacy.stream import chacha_stream
from vicinia.secagg.manifest import Deadlines, Manifest
from vicinia.training import rounds
from vicinia.training.model import Model
from vicinia.wire.published import Phase
from vicinia.wire.rounds import ModelPiece

VICTIM = 3
twice = pytest.mark.parametrize("checked", [True, False], ids=["check", "patched-out"])


def nothing(*_: object) -> None:
    """A check that was taken out."""


def reasons(whole: Whole, run_id: bytes) -> list[str]:
    """Why each home is not in the run."""
    found = [whole.run(number, run_id) for number in range(whole.homes)]
    return [run.reason for run in found if run is not None and run.step in ("refused", "failed")]


def joined(whole: Whole, run_id: bytes) -> int:
    """How many homes have advertised in a run or gone further."""
    found = [whole.run(number, run_id) for number in range(whole.homes)]
    return sum(1 for run in found if run is not None and run.step not in ("considering", "refused", "failed"))


def opened(whole: Whole, job: Job) -> bytes:
    """The run that is recruiting, once the homes have decided on it."""
    run = whole.until_phase(job, Phase.ADVERTISE)
    whole.answer_all()
    return run.run_id


def manifest_with(whole: Whole, job: Job, **changes: object) -> bytes:
    """The coordinator shows everybody a run with another manifest than the one that it opened."""
    row = whole.run_of(job)
    forged = replace(Manifest.from_canonical(row.manifest), **changes)  # type: ignore[arg-type]
    with whole.coordinator.database.write("forge") as connection:
        runs.add(connection, replace(row, run_id=forged.digest, manifest=forged.canonical(), attempt=row.attempt + 1))
    whole.coordinator.bulletin.tick()
    whole.answer_all()
    return forged.digest


@twice
def test_a_clip_that_was_changed_in_mid_run(make: Make, checked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clip of next to nothing would leave of each update its direction alone."""
    whole = make()
    job = whole.accepted_job(**training(MLP))
    opened(whole, job)
    if not checked:
        monkeypatch.setattr(rounds, "model_as_logged", nothing)
    forged = manifest_with(whole, job, clip=1_000)
    assert joined(whole, forged) == (0 if checked else whole.homes)
    if checked:
        assert [reason for reason in reasons(whole, forged) if "another model or clip" in reason]


@twice
def test_a_clip_in_the_log_that_does_not_follow(make: Make, checked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = make()
    if not checked:
        monkeypatch.setattr(rounds, "clip_follows", nothing)
    real = build_model
    monkeypatch.setattr(
        "vicinia.coordinator.services.trainer.build_model",
        lambda coop, job, run, digest, clip: real(coop, job, run, digest, clip // 1000),
    )
    job = whole.accepted_job(**training(MLP))
    run_id = opened(whole, job)
    assert joined(whole, run_id) == (0 if checked else whole.homes)
    if checked:
        assert all("does not follow" in reason for reason in reasons(whole, run_id))


@twice
def test_other_first_weights_than_were_voted_on(make: Make, checked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights of the coordinator's choosing could make updates tell more of a home than of its data."""
    whole = make()
    if not checked:
        monkeypatch.setattr(rounds, "model_carried_over", nothing)
    real, other = build_model, []

    def chosen(coop: str, job: bytes, run: int, digest: bytes, clip: int) -> object:
        with whole.coordinator.database.write("another model") as connection:
            other.append(artifacts.add(connection, job, bent(whole, job).to_bytes()))
        return real(coop, job, run, other[0], clip)

    monkeypatch.setattr("vicinia.coordinator.services.trainer.build_model", chosen)
    job = whole.accepted_job(**training(MLP))
    run_id = opened(whole, job)
    assert joined(whole, run_id) == (0 if checked else whole.homes)


def bent(whole: Whole, job_hash: bytes) -> Model:
    """The recipe's model, with other numbers."""
    model: Model = whole.coordinator.trainer._lessons[job_hash].training.recipe.initial()
    return model.with_flat(model.flat() + 1.0)


@dataclass
class Swapping:
    """Shows its home another model than everybody else."""

    link: ServiceLink
    model_of: Callable[[], Model]

    def __getattr__(self, name: str) -> object:
        return getattr(self.link, name)

    def model(self, run_id: bytes, offset: int) -> ModelPiece:
        body = self.model_of().to_bytes()
        return ModelPiece(len(body), body[offset:])


@pytest.fixture
def separate_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Homes of this process fetch a model each, as homes in processes of their own do."""
    from vicinia.node.services import curriculum, engagement

    class Fresh(curriculum.Models):
        def fetch(self, link: object, run_id: bytes, digest: bytes) -> Model:
            return curriculum.Models().fetch(link, run_id, digest)  # type: ignore[arg-type]

    monkeypatch.setattr(engagement, "models", Fresh())


@pytest.mark.usefixtures("separate_models")
def test_another_model_for_one_home_is_seen_by_its_hash(make: Make) -> None:
    whole = make()
    job = whole.job(**training(MLP))
    whole.wrap = lambda number, link: Swapping(link, lambda: bent(whole, job.hash)) if number == VICTIM else link
    whole.accepted_job(**training(MLP))
    whole.until(job, Stage.RUNNING)
    run = whole.run(VICTIM, whole.run_of(job).run_id)
    assert run is not None
    assert run.step == "failed"
    assert "not the one that the log names" in run.reason


def test_a_round_is_not_run_twice_and_there_is_no_round_beyond_the_plan(make: Make) -> None:
    whole = make()
    job = whole.accepted_job(**training(LOGISTIC))
    whole.until(job, Stage.RELEASED)
    last = whole.run_of(job)
    for number in (0, last.number, 3, 50):
        shown = Manifest.from_canonical(last.manifest)
        ends = (one + 1 for one in shown.deadlines.in_order())
        manifest = replace(shown, run=number, deadlines=Deadlines(*ends))
        with whole.coordinator.database.write("once more") as connection:
            runs.add(
                connection,
                replace(
                    last, run_id=manifest.digest, manifest=manifest.canonical(), number=100 + number,
                    phase=Phase.ADVERTISE, roster=None, release=None,
                ),
            )  # fmt: skip
        whole.coordinator.bulletin.tick()
        whole.answer_all()
        assert joined(whole, manifest.digest) == 0
        told = reasons(whole, manifest.digest)
        assert len(told) == whole.homes


def many_rows(number: int) -> list[tuple[int, float]]:
    """The same rows in every home, more than the plan takes of one."""
    return [(1 + place % 2, 0.002 * place) for place in range(200)]


@twice
def test_a_home_s_sample_of_its_rows(make: Make, checked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample that followed from what the coordinator knows could be chosen: it asks until a certain row is in it."""
    if not checked:
        monkeypatch.setattr(contribution, "chacha_stream", lambda secret, label: chacha_stream(bytes(32), label))
    whole = make(rows=many_rows)
    job = whole.accepted_job(**training(LOGISTIC))
    while not whole.coordinator.ledger.assembly.vote_on(job.hash).releases:
        whole.tick()
        whole.answer_all()
        whole.wait(5)
    sent = {next(Departures(store.database).all()).vector for store in whole.stores}
    assert len(sent) == 1 if not checked else len(sent) > whole.homes // 2
