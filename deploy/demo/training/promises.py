"""What was promised of a training, and whether it held: the homes' records and accounts, the sums, the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from vicinia.coordinator.services.course import Course
from vicinia.training.compiled import Training
from vicinia.training.replay import Released
from vicinia.training.schedule import trained_runs

from deploy.demo import truth
from deploy.demo.homes import Homes
from deploy.demo.training.history import History
from deploy.demo.training.published import Published

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["of_accounts", "of_counts", "of_model", "of_sums"]


def of_counts(job: str, history: History, homes: Homes) -> list[tuple[str, bool]]:
    """How often each home sent something: once for each round that it was in."""
    sent = homes.sent(job)
    rosters: dict[str, frozenset[str]] = {one.run_id: one.roster for one in history.rounds} | dict(history.others)
    ids = {name: str(homes.states[name]["household"]) for name in sent}
    return [
        (
            "every home has exactly one record of what left for each round that it was in",
            all(sent[name][one.run_id] == 1 for one in history.rounds for name in homes.names(one.survivors)),
        ),
        (
            "no home sent anything for a round that it was not in, or twice for one",
            all(
                count == 1 and ids[name] in rosters.get(run_id, ())
                for name, runs in sent.items()
                for run_id, count in runs.items()
            ),
        ),
    ]


def of_accounts(job: str, history: History, homes: Homes) -> tuple[str, bool]:
    """What each home was charged."""
    cost, sent = history.job.rho_nano, homes.sent(job)
    charged = {name: int(state["spent_lifetime_rho_nano"]) for name, state in homes.states.items()}
    right = all(charged[name] == cost * sent.get(name, Counter()).total() for name in charged)
    return "every home's privacy account was charged for its own rounds, and for nothing else", right


def of_sums(history: History, vectors: Mapping[str, list[NDArray[np.float64]]]) -> tuple[str, bool]:
    """The released sums beside those of the homes' own vectors, by run."""
    off: list[NDArray[np.float64]] = []
    for one in history.rounds:
        exact = np.sum(vectors[one.run_id], axis=0)
        off.append((np.frombuffer(one.vector, "<f8") - exact) / one.release.sigma)
    largest = float(np.abs(np.concatenate(off)).max())
    bound = truth.deviation_bound(sum(len(part) for part in off))
    what = "in every round what was released differs from the homes' own sum by noise of the announced size"
    return f"{what} (at most {bound:.1f} standard errors)", 0 < largest <= bound


def of_model(training: Training, history: History, published: Published) -> tuple[str, bool]:
    """Where the recipe takes the steps, the console has computed them again; Flower's are taken again here."""
    if training.strategy is None:
        what = "the researcher's console computed the model again from what the rounds released"
        return f"{what}, and checked its card against the log", published.replayed
    moved = trained_runs(training.plan, [one.number for one in history.rounds])
    taken = [Released(one.release, one.vector) for one in history.rounds if one.number in moved]
    with Course(training, history.rounds[0].model) as course:  # the one that the log begins with
        for released in taken:
            course.take(released)
        again = course.model
    return "the model follows from what the rounds released, and from nothing else", again == published.model
