"""The answer to a query beside the truth: what the homes really sent, and what their own records say of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from vicinia.query.plan import Plan

from deploy.demo import truth, verdict
from deploy.demo.cohort import read_cohort
from deploy.demo.cooperative import Cooperative
from deploy.demo.homes import Homes
from deploy.demo.report import Report

__all__ = ["Answer"]


class Answer:
    """A query that was answered, and everything that its result is compared with.

    `rows`: every cell beside the same one without noise; `late`: sentences about homes that were not in time;
    `promises`: those that were tried.
    """

    def __init__(
        self,
        coop: Cooperative,
        job: str,
        plan: Plan,
        result: Mapping[str, Any],
        homes: Homes,
        answers: Mapping[str, Any],
    ) -> None:
        self._job, self._result, self._homes = job, result, homes
        vectors = coop.members.left(vector_of=_run_of(job, homes.left))
        self._survivors = homes.names(read_cohort(coop.steward.coordinator, job).survivors)
        self.rows = truth.beside(plan, result["cells"], {name: vectors[name]["vector"] for name in self._survivors})
        there = set(self._survivors)
        absent = verdict.absent(answers, job, [name for name in homes.lived if name not in there])
        self.late = [absent.sentence] if absent.late else []
        self.promises = [
            *verdict.of_records(job, homes, [self._of_counts()]),
            verdict.of_attendance(absent.unwilling, absent.late, busy=coop.machine.busy),
            ("nobody else took part", there <= set(homes.consenting)),
            self._of_noise(),
        ]

    def into(self, report: Report) -> None:
        """Leave the figures, and the promises that were tried, in the report."""
        result, records = self._result, [record for records in self._homes.left.values() for record in records]
        sizes = [record["bytes_of_run"] for record in records if record["job"] == self._job]
        report.bytes_up_per_home = sum(sizes) / len(sizes)
        report.privacy = {name: result[name] for name in ("rho", "epsilon", "delta", "sigma")}
        report.log = {name: result["log"][name] for name in ("size", "root")}
        report.survivors = len(self._survivors)
        report.dropped = report.consenting - report.survivors
        report.cells = self.rows
        report.promises += self.promises

    def _of_counts(self) -> tuple[str, bool]:
        sent = self._homes.sent(self._job)
        held = all(sent.get(name, Counter()).total() == 1 for name in self._survivors)
        return "every home in the sum has exactly one record of what left", held

    def _of_noise(self) -> tuple[str, bool]:
        bound = truth.deviation_bound(len(self.rows))
        off = [row.deviation for row in self.rows if row.deviation is not None]
        return (
            f"every difference from the truth is noise of the announced size (at most {bound:.1f} standard errors)",
            all(abs(one) <= bound for one in off),
        )


def _run_of(job: str, left: Mapping[str, Any]) -> str:
    """The id of the one run of a job, from what left the homes."""
    return str(next(record["run_id"] for records in left.values() for record in records if record["job"] == job))
