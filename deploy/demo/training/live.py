"""A training as it goes: its plan in a line, and what each round that was released says."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from vicinia.assembly.learning import TrainingPlan
from vicinia.coordinator.console.metric_words import sentence
from vicinia.training.compiled import Training
from vicinia.training.schedule import Kind, kind_after

from deploy.demo.show import Narrator
from deploy.demo.training.published import metrics_of

__all__ = ["Live", "metrics_in_words", "plan_in_words"]


class Live:
    """Tells each round of a training when it was released; without a training it tells nothing of its own."""

    def __init__(self, tell: Narrator, training: Training | None) -> None:
        self._tell = tell
        self._training = training
        self._told = 0
        self._began: float | None = None
        self.seconds: list[float] = []

    def words(self, now: Mapping[str, Any], text: str) -> str:
        """What to say beside a step now that the job is in this state."""
        if self._training is None:
            return text
        running = now["state"] == "running"
        if self._began is None and running:
            self._began = time.monotonic()
        self._tell_new(now["rounds"])
        return f"{round_in_words(self._told, self._training.plan)}, {text}" if running else text

    def _tell_new(self, rounds: Sequence[Mapping[str, Any]]) -> None:
        if self._training is None or self._began is None:
            return
        new = rounds[self._told :]
        for of_round in new:
            took = (time.monotonic() - self._began) / len(new)
            self.seconds.append(round(took, 2))
            plan = self._training.plan
            final = kind_after(plan, self._told) is Kind.CLOSES
            self._tell.note(
                f"{round_in_words(self._told, plan)} ({took:.1f} s). {metrics_in_words(of_round, final=final)}"
            )
            self._told += 1
        if new:
            self._began = time.monotonic()


def round_in_words(done: int, plan: TrainingPlan) -> str:
    """The round that comes after so many."""
    kind = kind_after(plan, done)
    if plan.only_evaluates:
        return "the evaluation"
    if kind is Kind.TRAINS:
        return f"round {done + 1 - plan.scaling} of {plan.rounds}"
    return (
        "the first round, which standardises" if kind is Kind.SCALES else "the closing round, which measures the model"
    )


def metrics_in_words(of_round: Mapping[str, Any], *, final: bool) -> str:
    """The metrics that a round released, of the model that it began with; `final`: of the last one."""
    metrics = metrics_of(of_round)
    if not metrics:
        return f"{of_round['cohort']} homes or more are in the sum"
    return f"{'The final model' if final else 'The model that it began with'}: {sentence(metrics)}"


def plan_in_words(training: Training, expected: Mapping[str, Any]) -> str:
    """What is to be done, from the plan and what `vicinia check` says."""
    plan = training.plan
    spare = f", {plan.spare} spare" if plan.spare else ""
    held = f"; {plan.holdout_nano / 1e7:g} % of the homes only measure the model" if plan.holdout_nano else ""
    first = "a first round that standardises, then " if plan.scaling else ""
    rounds = f"{first}{plan.rounds} round{'s' if plan.rounds > 1 else ''}{' and a closing one' if plan.closing else ''}"
    return (
        f"{plan.recipe.name}{f' under {plan.strategy.name}' if plan.strategy is not None else ''}, "
        f"{'one run that evaluates' if plan.only_evaluates else rounds}{spare}, {training.layout.length:,} numbers "
        f"from each home in each; epsilon {expected['epsilon']:.3g} for all of them together{held}"
    )
