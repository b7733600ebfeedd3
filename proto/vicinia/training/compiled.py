"""A training plan, compiled: everything that follows from its text and the definitions, and from nothing else.

Every home, the coordinator and the researcher compile the plan by themselves and must come to the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from vicinia.assembly.learning import TrainingPlan
from vicinia.errors import InvalidInput, TooLarge
from vicinia.query.dataset import DataSet
from vicinia.training import evaluation, moments
from vicinia.training.beginning import require_arrays, require_beginning
from vicinia.training.clipping import next_clip
from vicinia.training.design import Design, compile_design
from vicinia.training.layout import VectorLayout
from vicinia.training.model import Model, megabytes
from vicinia.training.parameter import NANO
from vicinia.training.recipe import Aggregate, Recipe
from vicinia.training.registry import recipe_class
from vicinia.training.schedule import Kind
from vicinia.training.spread import Spread
from vicinia.training.standardisation import require_standardisable
from vicinia.training.strategy import Strategy

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FIXED_CLIP_NANO", "MAX_SLOTS", "MAX_WORK", "Part", "Training", "compile_training", "part_of"]

FIXED_CLIP_NANO = 10**9
"""What the log says as the clip of a recipe that has none."""
MAX_SLOTS = 1_100_000
"""A home's vector of a round: a model of a million numbers with its evaluation."""
MAX_WORK = 4_000_000
"""Examples x inputs x classes."""


class Part(StrEnum):
    """What a home does in a round; whatever it is, a vector of the same length leaves it."""

    SCALES = "scales"
    TRAINS = "trains"
    EVALUATES = "evaluates"
    NOTHING = "nothing"  # it trains, or evaluates, and this round does not, or too few would (`vicinia.training.split`)


def part_of(plan: TrainingPlan, index: int, lot: bytes, kind: Kind) -> Part:
    """What the home at this registry index does in a round of a job with this plan and this lot (`Assembly.lot`)."""
    held = evaluation.held_out(lot, index, plan.holdout_nano)
    if kind is Kind.SCALES:  # who measures leaves the scale to those who train, too
        return Part.NOTHING if held else Part.SCALES
    if held or plan.only_evaluates:
        return Part.EVALUATES
    return Part.NOTHING if kind is Kind.CLOSES else Part.TRAINS


@dataclass(frozen=True)
class Training:
    """A compiled plan. `strategy`: who takes the step, None where the recipe itself does."""

    plan: TrainingPlan
    design: Design
    recipe: Recipe
    strategy: Strategy | None

    @property
    def datasets(self) -> tuple[DataSet, ...]:
        """The data sets that it reads."""
        return self.design.datasets

    @cached_property
    def evaluation(self) -> VectorLayout | None:
        """The blocks of those who evaluate; None where nobody does."""
        return evaluation.layout(self.design.dimensions) if self.plan.closing else None

    @cached_property
    def layout(self) -> VectorLayout:
        """A home's vector of any round."""
        if self.plan.only_evaluates:
            return evaluation.layout(self.design.dimensions)
        found = self.recipe.layout()
        if self.evaluation is not None:
            found = evaluation.joined(found, self.evaluation)
        if self.plan.scaling:
            found = evaluation.joined(found, moments.layout(len(self.design.numeric)))
        return found

    @cached_property
    def template(self) -> Model:
        """The recipe's own first model: every model of the training has its arrays (see `beginning`)."""
        return self.recipe.initial()

    @property
    def training_slots(self) -> slice:
        """Where the recipe's own vector stands: nowhere, where nobody trains."""
        return slice(0, 0 if self.plan.only_evaluates else self.recipe.layout().length)

    @property
    def evaluation_slots(self) -> slice:
        """Where the evaluation's vector stands."""
        return slice(self.training_slots.stop, self.layout.length - self.scaling_length)

    @property
    def scaling_length(self) -> int:
        """How many numbers the inputs are standardised by; 0 where the plan has no round for that."""
        return moments.layout(len(self.design.numeric)).length if self.plan.scaling else 0

    @property
    def scaling_slots(self) -> slice:
        """Where the sums stand that inputs are standardised by."""
        return slice(self.layout.length - self.scaling_length, self.layout.length)

    def standardised(self, spreads: Sequence[Spread]) -> Training:
        """The same with these means and deviations of its numeric inputs."""
        return replace(self, design=self.design.standardised(spreads))

    def aggregate(self, sums: NDArray[np.float64], noise: float, cohort: int) -> Aggregate:
        """The recipe's part of a round's noisy sums, float64[layout.length]; `cohort`: homes in them, rounded down."""
        return Aggregate(sums[self.training_slots], noise, self.trainers(cohort))

    def trainers(self, cohort: int) -> int:
        """How many of so many homes train: all but the share that is held out."""
        return cohort - cohort * self.plan.holdout_nano // NANO

    def part_of(self, index: int, lot: bytes, kind: Kind) -> Part:
        """What the home at this registry index does in a round of a job with this lot (`Assembly.lot`)."""
        return part_of(self.plan, index, lot, kind)

    @property
    def first_clip_nano(self) -> int:
        """The clip of the first round."""
        return self.plan.clip.initial_nano if self.plan.clip is not None else FIXED_CLIP_NANO

    def clip_after(self, clip_nano: int, below_nano: int | None) -> int:
        """The clip of the round after one with this clip, in which this share of homes was not cut."""
        clip = self.plan.clip
        if clip is None or below_nano is None:
            return clip_nano
        return next_clip(clip_nano, below_nano, clip.quantile_nano, clip.rate_nano)

    def require_model(self, model: Model) -> None:
        """InvalidInput unless the model has the arrays of this recipe."""
        require_arrays(self.template, model)


def compile_training(plan: TrainingPlan, definitions: Mapping[str, DataSet]) -> Training:
    """The plan over these data sets (name -> definition).

    Raises InvalidInput, naming the field, for a feature, recipe, strategy or parameter that is not known, for parts
    that do not fit each other, and for other initial weights than the recipe's own where the plan does not say that the
    researcher brings them, or where the recipe builds upon none.
    """
    known = recipe_class(plan.recipe.name, plan.recipe.version)
    design = compile_design(plan, definitions, counts=plan.recipe.name == "poisson")
    recipe: Recipe = known.of(design.dimensions, plan.recipe.values)
    strategy = _strategy(plan, recipe)
    rounds = recipe.rounds()
    if rounds is not None and plan.rounds not in (rounds, 0):
        raise InvalidInput(
            f"The recipe {recipe.name!r} takes {rounds} rounds, not {plan.rounds}.", where="training.rounds"
        )
    require_standardisable(plan, design)
    training = Training(plan, design, recipe, strategy)
    if training.layout.length > MAX_SLOTS:
        raise TooLarge(
            f"Each home would send {training.layout.length:,} numbers in every round; {MAX_SLOTS:,} are allowed: its "
            f"upload would be {megabytes(training.layout.length)} MB.",
            where="training.recipe",
            hint="Use fewer features, classes or centres.",
        )
    work = plan.examples * design.dimensions.inputs * max(1, design.dimensions.classes)
    if work > MAX_WORK:  # what takes long only in homes with many rows would tell by when they answer
        raise TooLarge(
            f"So many examples of so many inputs are too much for a small device: {work:,} numbers, {MAX_WORK:,} "
            "are allowed.",
            where="training.examples",
            hint="Let each home bring fewer examples.",
        )
    require_beginning(plan, recipe, training.template)
    return training


def _strategy(plan: TrainingPlan, recipe: Recipe) -> Strategy | None:
    """A strategy and a clip belong to recipes whose homes send updates, where they do, and to no other."""
    updates = hasattr(recipe, "mean_update")
    if not updates:
        if plan.strategy is not None or plan.clip is not None:
            what = "strategy" if plan.strategy is not None else "clip"
            raise InvalidInput(
                f"The recipe {recipe.name!r} takes its own steps, over statistics that are bounded as they are.",
                where=f"training.{what}",
                hint=f"Leave [training.{what}] out, or use the recipe 'mlp'.",
            )
        return None
    if plan.only_evaluates:
        return None
    if plan.strategy is None or plan.clip is None:
        what = "strategy" if plan.strategy is None else "clip"
        raise InvalidInput(f"The recipe {recipe.name!r} needs a {what}.", where=f"training.{what}")
    chosen = plan.strategy
    if chosen.version != 1:
        raise InvalidInput("This version of the strategy is not known here.", where="training.strategy")
    strategy = Strategy.from_payload({"name": chosen.name, "parameters": chosen.values}, "training.strategy")
    if strategy.name == "FedProx" and plan.recipe.values.get("proximal") != chosen.values["proximal_mu"]:
        raise InvalidInput(
            "The homes' proximal term is not the strategy's proximal_mu.",
            where="training.strategy",
            hint="Leave `proximal` out of the recipe's parameters: FedProx sets it.",
        )
    return strategy
