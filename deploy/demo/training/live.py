"""A training as it goes: its plan in a line, and what each round that was released says."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vicinia.assembly.learning import TrainingPlan
from vicinia.training.compiled import Training
from vicinia.training.rounds import RoundRelease
from vicinia.training.schedule import Kind, kind_after

from deploy.demo.show import Narrator
from deploy.demo.training.history import released

__all__ = ["Live", "metrics_in_words", "plan_in_words"]


class Live:
    """Tells each round of a training when it was released; without a training it tells nothing of its own."""

    def __init__(self, coordinator: Path, job: str, tell: Narrator, training: Training | None) -> None:
        self._coordinator = coordinator
        self._job = job
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
        self._tell_new()
        return f"{round_in_words(self._told, self._training.plan)}, {text}" if running else text

    def _tell_new(self) -> None:
        if self._training is None or self._began is None:
            return
        new = released(self._coordinator, self._job)[self._told :]
        for release in new:
            took = (time.monotonic() - self._began) / len(new)
            self.seconds.append(round(took, 2))
            title = round_in_words(self._told, self._training.plan)
            self._tell.note(f"{title} ({took:.1f} s): {metrics_in_words(release)}")
            self._told += 1
        if new:
            self._began = time.monotonic()


def round_in_words(done: int, plan: TrainingPlan) -> str:
    """The round that comes after so many."""
    kind = kind_after(plan, done)
    if kind is Kind.TRAINS:
        return f"round {done + 1 - plan.scaling} of {plan.rounds}"
    return (
        "the first round, which standardises" if kind is Kind.SCALES else "the closing round, which measures the model"
    )


def metrics_in_words(release: RoundRelease) -> str:
    """The metrics of the model that the round began with."""
    if not release.metrics:
        return f"{release.cohort} homes or more in the sum"
    if all(one.value is None or one.stderr is None for one in release.metrics):
        return "it began with a model of which every metric lies below the noise"
    parts = [
        f"{one.name.replace('_', ' ')} "
        + ("below the noise" if one.value is None or one.stderr is None else f"{one.value:.3g} ± {one.stderr:.2g}")
        for one in release.metrics
    ]
    return f"it began with a model of {', '.join(parts)}"


def plan_in_words(training: Training, expected: Mapping[str, Any]) -> str:
    """What is to be done, from the plan and what `vicinia check` says."""
    plan = training.plan
    spare = f", {plan.spare} spare" if plan.spare else ""
    held = f"; {plan.holdout_nano / 1e7:g} % of the homes only measure the model" if plan.holdout_nano else ""
    first = "a first round that standardises, then " if plan.scaling else ""
    return (
        f"{plan.recipe.name}{f' under {plan.strategy.name}' if plan.strategy is not None else ''}, "
        f"{first}{plan.rounds} rounds"
        f"{' and a closing one' if plan.closing else ''}{spare}, {training.layout.length:,} numbers from each home in "
        f"each; epsilon {expected['epsilon']:.3g} for all of them together{held}"
    )
