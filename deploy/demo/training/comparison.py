"""The model beside the truth: what the homes really sent, and what the same data gives in one place.

Everything here is seen by the demo alone, which owns all homes: their records, their stores, the
coordinator's database.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from vicinia.coordinator.services.course import Course
from vicinia.node.store.departures import Departures
from vicinia.node.store.home import Home
from vicinia.privacy.stream import chacha_stream
from vicinia.training.compiled import Part, Training
from vicinia.training.examples import Examples
from vicinia.training.reading import read_examples
from vicinia.training.replay import Released
from vicinia.training.schedule import Kind, trained_runs
from vicinia.training.standardisation import standardised

from deploy.demo import truth, verdict
from deploy.demo.cooperative import Cooperative
from deploy.demo.report import Report
from deploy.demo.show import Narrator
from deploy.demo.training.history import read_history
from deploy.demo.training.live import round_in_words
from deploy.demo.training.plain import PlainFlower, plain_flower
from deploy.demo.training.pooled import Pooled, fit, measured, of_model
from deploy.demo.training.published import Published
from deploy.demo.training.tables import Coefficients, Measured, tell_metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Comparison", "Homes"]


@dataclass(frozen=True, slots=True)
class Homes:
    """The homes by name, and what they say of themselves: what left, whether its record is whole, how they stand."""

    everybody: Sequence[str]
    consenting: Sequence[str]
    lived: Sequence[str]
    left: Mapping[str, Any]
    verified: Mapping[str, Any]
    states: Mapping[str, Any]

    def names(self, ids: frozenset[str]) -> list[str]:
        """Those with these ids, in their order."""
        return [name for name in self.everybody if str(self.states[name]["household"]) in ids]

    def sent(self, job: str) -> dict[str, Counter[str]]:
        """How many records there are of each run of a job, by home."""
        return {
            name: Counter(record["run_id"] for record in records if record["job"] == job)
            for name, records in self.left.items()
        }


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
        examples, self._vectors = self._opened(coop)
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
        self.promises = [*self._of_records(), *self._of_accounts(), *self._of_sums(), self._of_model()]

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

    def _opened(self, coop: Cooperative) -> tuple[dict[str, Examples], dict[str, list[NDArray[np.float64]]]]:
        """Out of the homes' own stores: the examples of each that is in the last sum, and what each home in a sum sent
        for it, before noise and mask; by run."""
        rounds = self._history.rounds
        members = {one.run_id: self._homes.names(one.survivors) for one in rounds}
        examples: dict[str, Examples] = {}
        vectors: dict[str, list[NDArray[np.float64]]] = {one.run_id: [] for one in rounds}
        for name in self._homes.everybody:
            if not any(name in there for there in members.values()):
                continue
            home = Home.open(coop.members.stores() / name)
            try:
                sent = Departures(home.database)
                for run_id, there in members.items():
                    record = sent.of_run(bytes.fromhex(run_id)) if name in there else None
                    if record is not None:
                        vectors[run_id].append(np.frombuffer(record.vector, "<f8"))
                if name in self._last:
                    examples[name] = self._read(home, name)
            finally:
                home.close()
        return examples, vectors

    def _read(self, home: Home, name: str) -> Examples:
        """A home's examples, read as it reads them."""
        reader = home.reader()
        try:
            return read_examples(
                self._training.design,
                {one.name: reader.connection for one in self._training.datasets},
                self._history.job.period,
                self._training.plan.examples,
                chacha_stream(hashlib.sha256(name.encode()).digest()).bytes,
                lambda: False,
                lambda _: None,
            )
        finally:
            reader.close()

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

    def _of_records(self) -> list[tuple[str, bool]]:
        homes, history, sent = self._homes, self._history, self._homes.sent(self._job)
        rosters: dict[str, frozenset[str]] = {one.run_id: one.roster for one in history.rounds} | dict(history.others)
        ids = {name: str(homes.states[name]["household"]) for name in sent}
        others = [record for records in homes.left.values() for record in records if record["job"] != self._job]
        return [
            ("nothing left a home that had not consented", {n for n in sent if sent[n]} <= set(homes.consenting)),
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
            ("nothing left for any other job", not others),
            ("the records of all homes are unchanged", all(one["ok"] for one in homes.verified.values())),
        ]

    def _of_accounts(self) -> list[tuple[str, bool]]:
        cost, sent = self._history.job.rho_nano, self._homes.sent(self._job)
        charged = {name: int(state["spent_lifetime_rho_nano"]) for name, state in self._homes.states.items()}
        right = all(charged[name] == cost * sum(sent.get(name, Counter()).values()) for name in charged)
        return [("every home's privacy account was charged for its own rounds, and for nothing else", right)]

    def _of_sums(self) -> list[tuple[str, bool]]:
        off: list[NDArray[np.float64]] = []
        for one in self._history.rounds:
            exact = np.sum(self._vectors[one.run_id], axis=0)
            off.append((np.frombuffer(one.vector, "<f8") - exact) / one.release.sigma)
        largest = float(np.abs(np.concatenate(off)).max())
        bound = truth.deviation_bound(sum(len(part) for part in off))
        what = "in every round what was released differs from the homes' own sum by noise of the announced size"
        return [(f"{what} (at most {bound:.1f} standard errors)", 0 < largest <= bound)]

    def _of_model(self) -> tuple[str, bool]:
        """Where the recipe takes the steps, the console has computed them again; Flower's are taken again here."""
        if self._training.strategy is None:
            what = "the researcher's console computed the model again from what the rounds released"
            return f"{what}, and checked its card against the log", self._published.replayed
        moved = trained_runs(self._training.plan, [one.number for one in self._history.rounds])
        taken = [Released(one.release, one.vector) for one in self._history.rounds if one.number in moved]
        with Course(self._training, self._history.rounds[0].model) as course:  # the one that the log begins with
            for released in taken:
                course.take(released)
            again = course.model
        return "the model follows from what the rounds released, and from nothing else", again == self._published.model
