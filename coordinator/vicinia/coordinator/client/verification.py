"""Whether a model is what the members accepted and the homes' sums lead to: everything against the confirmed log."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from functools import lru_cache

from vicinia.assembly import Assembly, Job
from vicinia.assembly.vote import Vote
from vicinia.coordinator.client.artifacts import Artifacts
from vicinia.coordinator.client.result import Proof
from vicinia.coordinator.client.trained_model import TrainedModel
from vicinia.errors import Incompatible, InvalidInput, ProofInvalid
from vicinia.query.dataset import DataSet
from vicinia.training.card import ModelCard
from vicinia.training.compiled import Training
from vicinia.training.computation import compile_job
from vicinia.training.model import Model
from vicinia.training.replay import Released, replayed
from vicinia.training.rounds import RoundRelease, check_round, releases_of
from vicinia.training.schedule import trained_runs
from vicinia.training.standardisation import standardised

__all__ = ["verified_model"]

_OWN_ARITHMETIC = ("epsilon", "calibration")  # numbers that another machine may compute to another last digit


def verified_model(job: Job, body: bytes, assembly: Assembly, proof: Proof, artifacts: Artifacts) -> TrainedModel:
    """The model of a training, from the card that was sent; ProofInvalid names what does not follow from the log."""
    vote = assembly.vote_on(job.hash)
    trained = vote.trained
    if trained is None or vote.trained_leaf != proof.index:
        raise ProofInvalid("The log has no end of this training there.", where=f"leaf {proof.index}")
    if trained.digest != hashlib.sha256(body).digest():
        raise ProofInvalid("The log vouches for another model card than the one that was sent.", where="model card")
    training, definitions = _training(job, assembly)
    card = _card(body)
    releases = _releases(job, training, vote, artifacts)

    def fetch(digest: bytes) -> Model:
        model = Model.from_bytes(artifacts.fetch(digest, "model"))
        training.require_model(model)
        return model

    @lru_cache(1)  # the last round is asked for twice
    def load(run: int) -> Released:
        released = Released(releases[run], artifacts.fetch(releases[run].vector, f"sum of round {run + 1}"))
        released.check_metrics(training)
        released.check_moments(training)
        return released

    model = fetch(card.model)
    if training.strategy is None:
        replayed(training, vote, load, card.model, fetch)
        for run in sorted(releases.keys() - set(trained_runs(training.plan, releases))):
            load(run)
    else:  # the steps were Flower's: what they began with and what they had to go on is what the log says
        for logged in vote.models.values():
            fetch(logged.model.digest)
        for run in releases:
            load(run)
    in_order = tuple(releases[run] for run in sorted(releases))
    bins = load(max(releases)).calibration(training)
    training = standardised(training, releases)
    delta = float(assembly.bylaws.delta_dp)
    expected = ModelCard.of(job, training, model, in_order, bins, vote, delta, int(card.fields["created_ms"]))
    _check_card(card, expected)
    if trained.rounds != len(in_order):
        raise ProofInvalid("The log counts other rounds than it has.", where="model card")
    return TrainedModel(job, definitions, training, model, card, in_order, bins, proof)


def _training(job: Job, assembly: Assembly) -> tuple[Training, Mapping[str, DataSet]]:
    """The plan over the data sets of the log, as the homes compile it."""
    definitions = {
        name: DataSet.from_payload(assembly.datasets[name].dataset.definition)
        for name in job.datasets
        if name in assembly.datasets
    }
    training = compile_job(job, definitions)
    if not isinstance(training, Training):
        raise InvalidInput("This job trains no model.", where="model")
    return training, definitions


def _card(body: bytes) -> ModelCard:
    try:
        card = ModelCard.parse(body)
        if len(card.model) != 32:
            raise ValueError
    except (InvalidInput, ValueError, TypeError) as error:
        raise Incompatible(
            "The model card has a form that this program does not know.",
            where="model card",
            hint="Install the cooperative's version of vicinia.",
        ) from error
    return card


def _releases(job: Job, training: Training, vote: Vote, artifacts: Artifacts) -> Mapping[int, RoundRelease]:
    """What every round released, as it is in the log, each about this job and under the model and the clip before."""
    bodies = [
        artifacts.fetch(vote.releases[run].digest, f"release of round {run + 1}") for run in sorted(vote.releases)
    ]
    releases = releases_of(vote, bodies)
    for run, release in releases.items():
        logged, model = vote.releases[run], vote.models[run].model
        said = (release.coop, release.job, release.run, release.cohort, release.rho_nano, release.clip_nano)
        if said != (job.coop, job.hash, run, logged.cohort, logged.rho_nano, model.clip_nano):
            raise ProofInvalid(f"The release of round {run + 1} is not about what the log says of it.", where="round")
    last = max(vote.models)
    check_round(training, vote, releases, last, vote.models[last].model.digest, vote.models[last].model.clip_nano)
    return releases


def _check_card(card: ModelCard, expected: ModelCard) -> None:
    for name, value in expected.fields.items():
        said = card.fields[name]
        if said == value or (name in _OWN_ARITHMETIC and _close(said, value)):
            continue
        raise ProofInvalid(f"The card says something else of {name} than the log and the rounds.", where="model card")


def _close(said: object, value: object) -> bool:
    """Whether two numbers, or all of two lists or tables, are the same but for rounding."""
    if isinstance(said, list) and isinstance(value, list):
        return len(said) == len(value) and all(map(_close, said, value))
    if isinstance(said, dict) and isinstance(value, dict):
        return said.keys() == value.keys() and all(_close(said[name], value[name]) for name in value)
    try:
        return math.isclose(float(str(said)), float(str(value)), rel_tol=1e-9, abs_tol=1e-9)
    except ValueError:
        return said == value
