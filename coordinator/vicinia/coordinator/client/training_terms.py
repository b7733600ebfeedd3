"""What a training would mean for the homes: the model, what each uploads in a round, who trains and who evaluates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vicinia.assembly.job import Job
from vicinia.coordinator.client.cohort import Cohort
from vicinia.privacy.conversion import rho_to_epsilon
from vicinia.privacy.noise import NANO, NoisePlan
from vicinia.training.compiled import Training
from vicinia.training.parameter import decimal_text
from vicinia.training.registry import recipe_class
from vicinia.training.split import homes_needed
from vicinia.training.spread import REACH

__all__ = ["TrainingTerms"]


@dataclass(frozen=True, slots=True)
class TrainingTerms:
    """`parameters`: numbers of the model; `length`: numbers that a home sends in a round, in `upload_bytes` (0 where
    there can be no such run); `settings`, `steps`: the recipe and who takes the step, in words; `initial`: the SHA-256
    of the researcher's own model that it starts from, or None; `scaling`: 1 where a first round standardises the
    inputs; rho and epsilon are of one round and of all, first, spare and closing ones included; `held_out` is the share
    of homes that evaluate, for which `parts_needed` homes must take part: all of them, where no round trains."""

    sentence: str
    recipe: str
    settings: str
    steps: str
    clip: str
    initial: str | None
    inputs: int
    parameters: int
    length: int
    upload_bytes: int
    scaling: int
    rounds: int
    spare: int
    closing: int
    rho: float
    rho_total: float
    epsilon: float
    epsilon_total: float
    delta: float
    held_out: float
    parts_needed: int

    @classmethod
    def of(cls, job: Job, training: Training, noise: NoisePlan | None, delta: float, cohort: Cohort) -> TrainingTerms:
        """From the plan, the noise of a round, and whom the cooperative has."""
        plan = training.plan
        total_nano = job.rho_nano * plan.runs
        return cls(
            sentence=f"{plan.sentence}.",
            recipe=f"{plan.recipe.name}, version {plan.recipe.version}",
            settings=_settings(training),
            steps=_steps(training),
            clip=_clip(training),
            initial=plan.initial.hex() if plan.initial_given else None,
            inputs=training.design.dimensions.inputs,
            parameters=training.template.size,
            length=training.layout.length,
            upload_bytes=0 if noise is None else -(-training.layout.length * noise.width // 8),
            scaling=plan.scaling,
            rounds=plan.rounds,
            spare=plan.spare,
            closing=plan.closing,
            rho=job.rho_nano / NANO,
            rho_total=total_nano / NANO,
            epsilon=rho_to_epsilon(job.rho_nano, delta),
            epsilon_total=rho_to_epsilon(total_nano, delta),
            delta=delta,
            held_out=1.0 if plan.only_evaluates else plan.holdout_nano / NANO,
            parts_needed=_parts_needed(plan.holdout_nano, cohort),
        )

    @property
    def evaluation(self) -> str:
        """Who evaluates, in a sentence."""
        if not self.rounds:
            return "Every home that takes part evaluates the model; no model learns from its data."
        if not self.held_out:
            return (
                "Nobody is held out, so no round has metrics; holdout = 0.2 in [training] would hold out one in five."
            )
        return (
            f"{self.held_out:.0%} of the homes, drawn by lot when the vote has closed, evaluate the model of every "
            "round and do not train. Each part must be large enough by itself, for which it takes about "
            f"{self.parts_needed:,} homes: with too few who evaluate a round has no metrics, with too few who train "
            "there is no round."
        )

    @property
    def inputs_scaled(self) -> str:
        """What numbers among the inputs are measured by, in a sentence."""
        if not self.scaling:
            return "numbers by their registered bounds, which become -1 and 1"
        return (
            "numbers by mean and deviation of the examples, which a first round finds out from noisy sums: a run like "
            f"every other, with epsilon {self.epsilon:.3g} (rho {self.rho:.6g}) of its own. Values further than "
            f"{REACH:g} deviations from the mean are cut"
        )

    @property
    def cost(self) -> str:
        """What all rounds together cost each home, in a sentence."""
        if not self.rounds:
            runs = f"this run and {self.spare} spare" if self.spare else "this one run"
            return (
                f"epsilon {self.epsilon:.3g} (rho {self.rho:.6g}); at most {self.epsilon_total:.3g} "
                f"(rho {self.rho_total:.6g}) in {runs}, at delta {self.delta:.0e}"
            )
        more = ["the one that standardises"] if self.scaling else []
        more += [f"{self.spare} spare"] if self.spare else []
        more += ["the closing one"] if self.closing else []
        if self.rounds == 1 and not more:
            return f"epsilon {self.epsilon:.3g} (rho {self.rho:.6g}) at delta {self.delta:.0e}"
        wanted = f"all {self.rounds}" if self.rounds > 1 else "the one that trains"
        rounds = " and ".join([", ".join([wanted, *more[:-1]]), *more[-1:]])
        return (
            f"epsilon {self.epsilon:.3g} (rho {self.rho:.6g}) in each round; at most {self.epsilon_total:.3g} "
            f"(rho {self.rho_total:.6g}) in {rounds}, at delta {self.delta:.0e}"
        )

    def payload(self) -> dict[str, Any]:
        """For programs."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def _parts_needed(holdout_nano: int, cohort: Cohort) -> int:
    if not holdout_nano or not cohort.members:
        return 0
    return homes_needed(holdout_nano, cohort.members, cohort.corrupt, cohort.silent, cohort.floor)


def _settings(training: Training) -> str:
    """Every parameter of the recipe, as people write them."""
    chosen = training.plan.recipe
    declared = recipe_class(chosen.name, chosen.version).settings
    return ", ".join(f"{name} = {declared[name].text(value)}" for name, value in chosen.values.items())


def _steps(training: Training) -> str:
    if training.plan.only_evaluates:
        return "none: the model stays as it is"
    if training.strategy is None:
        return "the recipe's own, which anybody can compute again from what is released"
    numbers = ", ".join(f"{name} = {decimal_text(nano)}" for name, nano in training.strategy.parameters)
    return f"Flower's {training.strategy.name}{f' ({numbers})' if numbers else ''}, from the mean update of the homes"


def _clip(training: Training) -> str:
    clip = training.plan.clip
    if clip is None:
        return ""
    moved = f"then towards the length that {clip.quantile_nano / NANO:.0%} of the homes stay below"
    return f"updates are cut to a length of {decimal_text(clip.initial_nano)}" + (
        f", {moved}" if clip.rate_nano else ""
    )
