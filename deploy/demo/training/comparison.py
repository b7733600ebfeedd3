"""The model beside the truth: what the homes really sent, and what the same data gives in one place.

Everything here is seen by the demo alone, which owns all homes: their records, their stores, the
coordinator's database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from vicinia.training.compiled import Part, Training
from vicinia.training.examples import Examples
from vicinia.training.schedule import Kind
from vicinia.training.standardisation import standardised

from deploy.demo import verdict
from deploy.demo.cooperative import Cooperative
from deploy.demo.homes import Homes
from deploy.demo.report import Report
from deploy.demo.show import Narrator
from deploy.demo.training import promises
from deploy.demo.training.history import read_history
from deploy.demo.training.live import round_in_words
from deploy.demo.training.plain import PlainFlower, plain_flower
from deploy.demo.training.pooled import Pooled, fit, measured, of_model
from deploy.demo.training.published import Published
from deploy.demo.training.stores import held_examples, sent_vectors
from deploy.demo.training.tables import Coefficients, Measured, tell_metrics

__all__ = ["Comparison"]


class Comparison:
    """One training that has ended, and everything that it is compared with."""

    def __init__(
        self,
        coop: Cooperative,
        job: str,
        training: Training,
        published: Published,
        homes: Homes,
        answers: Mapping[str, Any],
    ) -> None:
        self._job, self._published, self._homes = job, published, homes
        self._history = history = read_history(coop.steward.coordinator, job)
        training = standardised(training, {one.number: one.release for one in history.rounds})
        self._training, plan = training, training.plan
        self._last = homes.names(history.rounds[-1].survivors)
        vectors = sent_vectors(coop.members.stores(), history, homes)
        examples = held_examples(coop.members.stores(), training, history, self._last)
        trained = [examples[name] for name in self._last if self._part(name) is Part.TRAINS]
        held = [examples[name] for name in self._last if self._part(name) is Part.EVALUATES]
        judged = held or trained
        cohort = history.rounds[plan.scaling].release.cohort
        aggregated = training.aggregate(np.zeros(training.layout.length), 0.0, cohort)
        self._pooled = fit(training, trained, aggregated.cohort)
        self._flower = plain_flower(training, trained, history.rounds[0].model)
        measuring = list(zip(history.rounds, published.metrics, strict=True))[plan.scaling :]
        self._rounds = [
            Measured(
                f"before round {place + 1}" if place < plan.rounds else "the model",
                measured(training, of_model(training, one.model), judged),
                released,
            )
            for place, (one, released) in enumerate(measuring)
        ]
        self._final = Measured("the model", measured(training, of_model(training, published.model), judged))
        lines = self._rounds if self._rounds[-1].name == self._final.name else [*self._rounds, self._final]
        self._lines = lines
        self._beside = self._references(judged)
        pooled = None if self._pooled is None else self._pooled.coefficients
        self._coefficients = Coefficients(training, published, pooled)
        self.rows = self._coefficients.rows
        self.unwilling: dict[str, str] = {}
        self.late: list[str] = []
        self._judge_absent(answers)
        self.promises = [
            *verdict.of_records(job, homes, promises.of_counts(job, history, homes)),
            promises.of_accounts(job, history, homes),
            promises.of_sums(history, vectors),
            promises.of_model(training, history, published),
            verdict.of_attendance(self.unwilling, self.late, busy=coop.machine.busy, when=" in every round"),
        ]

    def tell(self, tell: Narrator, title: str) -> None:
        """Coefficients where the model has some, then the metrics."""
        if self.rows:
            self._coefficients.tell(tell, title, "nobody" if self._pooled is None else self._pooled.name)
        tell_metrics(tell, "" if self.rows else title, self._lines, self._beside)

    def into(self, report: Report, seconds: Sequence[float]) -> None:
        """Leave the figures, and the promises that were tried, in the report."""
        told, fields = self._published.told, self._published.card.fields
        sizes = [record["bytes_of_run"] for records in self._homes.left.values() for record in records]
        senders = sum(1 for runs in self._homes.sent(self._job).values() if runs)
        report.bytes_up_per_home = sum(sizes) / max(1, senders)
        report.privacy = {
            **{name: told[name] for name in ("rho", "epsilon", "delta")},
            "sigma": self._history.rounds[-1].release.sigma,
        }
        report.log = {name: told["log"][name] for name in ("size", "root")}
        report.survivors = len(self._last)
        report.dropped = report.consenting - report.survivors
        report.cells = self.rows
        report.drowning = self._history.drowning(self._training)
        report.promises += self.promises
        report.model = {
            "recipe": self._training.recipe.name,
            "strategy": None if self._training.strategy is None else self._training.strategy.name,
            "rounds": fields["rounds"],
            "planned": fields["planned"],
            "parameters": fields["parameters"],
            "sha256": fields["model"],
            "card_sha256": self._published.card.digest.hex(),
            "seconds_per_round": list(seconds),
            "metrics": [one.payload() for one in self._rounds],
            "final": self._final.payload(),
            "coefficients": [row.payload() for row in self.rows],
            "pooled": self._reference(self._pooled),
            "plain_flower": self._reference(self._flower),
        }

    # --- what it is compared with

    def _part(self, name: str) -> Part:
        index = self._history.indices[str(self._homes.states[name]["household"])]
        return self._training.part_of(index, self._history.lot, Kind.TRAINS)

    def _references(self, judged: Sequence[Examples]) -> list[Measured]:
        found = []
        if self._pooled is not None:
            found.append(Measured(self._pooled.name, measured(self._training, self._pooled.predict, judged)))
        flower = self._flower
        if flower is not None:
            known = flower.recipe
            exact = measured(self._training, lambda inputs: known.predict(flower.model, inputs), judged)
            found.append(Measured(flower.name, exact))
        return found

    def _reference(self, one: Pooled | PlainFlower | None) -> dict[str, Any] | None:
        if one is None:
            return None
        line = next(line for line in self._beside if line.name == one.name)
        return {"name": one.name, "metrics": {metric.name: metric.value for metric in line.exact}}

    # --- what was promised

    def _judge_absent(self, answers: Mapping[str, Any]) -> None:
        for place, one in enumerate(self._history.rounds):
            there = set(self._homes.names(one.survivors))
            missing = [name for name in self._homes.lived if name not in there]
            of_run = {name: [a for a in answers.get(name, ()) if a["run_id"] == one.run_id] for name in missing}
            found = verdict.absent(of_run, self._job, missing)
            self.unwilling |= found.unwilling
            if found.late:
                self.late.append(f"{round_in_words(place, self._training.plan)}: {found.sentence}")
