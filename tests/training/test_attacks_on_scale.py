"""A coordinator that cheats about what inputs are standardised by: each attack fails for one named check, and works
where that is taken out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from simulator_whole import ServiceLink
from training.conftest import Make
from training.jobs import LOGISTIC, MLP, private, training
from training.researchers import client_of, trained_in
from training.test_attacks import VICTIM, bent, joined, nothing, reasons, twice
from training.test_standardised import FUEL, RHO, until_released
from vicinia.assembly.build import build_model
from vicinia.assembly.vote import Vote
from vicinia.coordinator.services import round_result
from vicinia.coordinator.store import artifacts
from vicinia.errors import ProofInvalid
from vicinia.node.services import admission, curriculum, decision, engagement
from vicinia.node.services.ports import Link
from vicinia.training import rounds
from vicinia.training.replay import Released
from vicinia.training.rounds import RoundRelease
from vicinia.wire.published import Phase

HONEST = round_result.told_moments


def moved(moments: tuple[float, ...]) -> tuple[float, ...]:
    """Sums of another mean."""
    return (moments[0], moments[1] + 0.5 * moments[0], *moments[2:])


@pytest.mark.parametrize("text", [LOGISTIC, MLP], ids=["logistic", "mlp"])
@twice
def test_a_scale_in_the_log_that_is_not_that_of_the_sum(
    tmp_path: Path, text: str, checked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody at home can see the whole sum; whoever gets the model can, and would predict by a mean that nobody has."""
    monkeypatch.setattr(round_result, "told_moments", lambda *arguments: moved(HONEST(*arguments)))
    whole, job = trained_in(tmp_path, private(text), RHO)
    client, _ = client_of(whole, tmp_path, monkeypatch)
    if checked:
        with pytest.raises(ProofInvalid, match="Round 1 has told other sums than its own"):
            client.model(job.hash.hex())
        return
    monkeypatch.setattr(Released, "check_moments", nothing)
    found = client.model(job.hash.hex())
    assert float(found.card.fields["inputs"][0]["mean"]) > FUEL.max()


@dataclass
class Forging:
    """Shows its home another scale than everybody else."""

    link: ServiceLink

    def __getattr__(self, name: str) -> object:
        return getattr(self.link, name)

    def rounds(self, run_id: bytes) -> tuple[bytes, ...]:
        first, *others = self.link.rounds(run_id)
        release = RoundRelease.from_canonical(first)
        assert release.moments is not None
        return replace(release, moments=moved(release.moments)).canonical(), *others


class Fresh(curriculum.Rounds):
    """Homes of this process ask for themselves, as homes in processes of their own do."""

    def __init__(self, checked: bool) -> None:
        super().__init__()
        self.checked = checked

    def fetch(self, link: Link, run_id: bytes, vote: Vote) -> tuple[bytes, ...]:
        return curriculum.Rounds().fetch(link, run_id, vote) if self.checked else link.rounds(run_id)


def believed(_: Vote, bodies: Iterable[bytes], __: int | None = None) -> dict[int, RoundRelease]:
    """`releases_of` without its check."""
    return {release.run: release for release in map(RoundRelease.from_canonical, bodies)}


@twice
def test_another_scale_for_one_home(make: Make, checked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its inputs would be cut where somebody wants."""
    whole = make()
    job = whole.accepted_job(**training(private(LOGISTIC), rho=RHO))
    until_released(whole, job, 1)
    whole.wrap = lambda number, link: Forging(link) if number == VICTIM else link
    for module in (admission, engagement):
        monkeypatch.setattr(module, "rounds", Fresh(checked))
    if not checked:
        monkeypatch.setattr(decision, "releases_of", believed)
        monkeypatch.setattr(engagement, "releases_of", believed)
    run = whole.until_phase(job, Phase.ADVERTISE)
    while run.number != 1:
        whole.answer_all()
        whole.wait(1)
        run = whole.until_phase(job, Phase.ADVERTISE)
    whole.answer_all()
    assert joined(whole, run.run_id) == (whole.homes - 1 if checked else whole.homes)
    if checked:
        (reason,) = reasons(whole, run.run_id)
        assert "not the one in the log" in reason


@twice
def test_a_model_that_the_first_round_has_moved(make: Make, checked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody trained in it: the members voted on the weights with which the training begins after it."""
    whole = make()
    job = whole.accepted_job(**training(private(MLP), rho=RHO))
    until_released(whole, job, 1)
    if not checked:
        monkeypatch.setattr(rounds, "model_carried_over", nothing)

    def chosen(coop: str, job_hash: bytes, run: int, digest: bytes, clip: int) -> object:
        with whole.coordinator.database.write("another model") as connection:
            other = artifacts.add(connection, job_hash, bent(whole, job_hash).to_bytes())
        return build_model(coop, job_hash, run, other, clip)

    monkeypatch.setattr("vicinia.coordinator.services.trainer.build_model", chosen)
    while whole.run_of(job).number != 1:
        whole.tick()
        whole.answer_all()
        whole.wait(1)
    for _ in range(3):
        whole.tick()
        whole.answer_all()
    run_id = whole.run_of(job).run_id
    assert joined(whole, run_id) == (0 if checked else whole.homes)
    if checked:
        assert all("another model than the one before it left" in reason for reason in reasons(whole, run_id))
