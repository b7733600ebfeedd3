"""The story of the demo: from an empty folder to a result beside the truth, and a break-in that gains nothing."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.jobspec import JobSpec
from vicinia.errors import InvalidInput, RoundFailed
from vicinia.privacy.conversion import rho_to_epsilon
from vicinia.query.dataset import DataSet
from vicinia.query.mapping import parse_map
from vicinia.query.plan import compile_query

from deploy.demo import breakin, truth
from deploy.demo.arguments import Options
from deploy.demo.choices import cast_homes, require_cohort
from deploy.demo.cohort import read_cohort
from deploy.demo.cooperative import AGENCY, BYLAWS, RECIPIENT, UNIVERSITY, Cooperative
from deploy.demo.data import built_in, households
from deploy.demo.processes import Supervisor, resident_mb
from deploy.demo.report import Report
from deploy.demo.show import Narrator

__all__ = ["Story"]

HERE = Path(__file__).resolve().parent
DEFAULT_HOUSEHOLDS = 320
LEAST_HOUSEHOLDS = 12


class Story:
    """Plays the demo once; every method is one part of it and leaves its figures in the report."""

    def __init__(self, options: Options, folder: Path, processes: Supervisor, narrator: Narrator) -> None:
        self._options = options
        self._folder = folder
        self._processes = processes
        self._tell = narrator
        self._report = Report()
        self._job_path = options.job or HERE / "JOB.toml"
        self._spec = JobSpec.parse_toml(self._job_path.read_text(), self._job_path.name)

    def play(self) -> Report:
        """The whole story; errors of a step are raised as they come."""
        self._prepare()
        self._found()
        job, commercial = self._ask()
        self._vote(job, commercial)
        stolen = self._break_in(commercial)
        self._run()
        self._refused(stolen)
        self._compare(job)
        self._tell.promises(self._report.promises)
        self._report.seconds = {**self._tell.seconds, "total": round(self._tell.elapsed, 2)}
        return self._report

    def _prepare(self) -> None:
        with self._tell.step("prepare", "The data") as step:
            options = self._options
            source, map_path = options.data, options.map
            if source is None or map_path is None:
                source, map_path = built_in(self._folder)
            definition, mapping = parse_map(map_path.read_text())
            self._check_job(definition)
            wanted = options.households or DEFAULT_HOUSEHOLDS
            least = options.households or LEAST_HOUSEHOLDS
            data = households(definition.name, mapping, source, map_path, wanted, least)
            bylaws = ByLaws.from_toml(BYLAWS.read_text(), BYLAWS.name)
            cast = cast_homes(
                data.names, data.dataset, options.refuse, processes=options.processes, lone=options.lone,
                drop=options.drop, seed=options.seed,
            )  # fmt: skip
            require_cohort(cast, data.dataset, bylaws, self._spec.floor or bylaws.floor, options.seed)
            step.say(f"{definition.description}: {len(data.names)} households, {len(definition.columns)} columns")
        self._cast = cast
        self._definition = definition
        self._coop = Cooperative(self._folder, cast, data, self._processes)
        self._report.households = len(data.names)
        self._report.consenting = len(cast.consenting)

    def _check_job(self, definition: DataSet) -> None:
        """Refuse a job that does not fit the data before anything is founded."""
        try:
            compile_query(self._spec.query, {definition.name: definition})
        except InvalidInput as error:
            hint = f"{error.hint} The map declares {definition.name!r}; a job for it is given with --job JOB.toml."
            raise InvalidInput(error.what, where=f"{self._job_path.name}, {error.where}", hint=hint.strip()) from error

    def _found(self) -> None:
        self._tell.heading("A cooperative")
        with self._tell.step("found", "Founded: 3 registrars, 1 witness, each a home with its own keys"):
            self._coop.found()
            self._coop.serve()
        everybody = len(self._cast.everybody)
        with self._tell.step("join", f"{everybody} households and 2 researchers join, over mutual TLS"):
            self._coop.invite()
            self._coop.join()
        with self._tell.step("start", "Endorsed by 2 of 3 registrars, started, filled with their own rows") as step:
            self._coop.run_homes()
            self._processes.at_once(
                [self._coop.approve, self._coop.standing_votes, self._fill_homes, self._coop.await_homes]
            )
            step.say(f"{len(self._cast.hosted)} hosting processes, {len(self._cast.lone)} homes alone in theirs")
        refusing = self._report.households - self._report.consenting
        self._tell.note(f"{self._report.consenting} consent to this use of their rows, {refusing} do not")

    def _fill_homes(self) -> None:
        self._coop.import_data()
        self._coop.consent(self._spec.purpose, RECIPIENT, self._epsilon())

    def _ask(self) -> tuple[str, str]:
        self._tell.heading("A researcher asks")
        self._tell.note(self._spec.query)
        with self._tell.step("submit", "Checked, submitted and sponsored by a member") as step:
            expected, job, commercial = self._processes.at_once(
                [
                    lambda: self._coop.check(UNIVERSITY, self._job_path),
                    lambda: self._coop.submit(UNIVERSITY, self._job_path),
                    lambda: self._coop.submit(AGENCY, self._commercial_job()),
                ]
            )
            self._processes.at_once([lambda: self._coop.sponsor(job), lambda: self._coop.sponsor(commercial)])
            step.say(f"job {job[:12]}, and a commercial one, {commercial[:12]}")
        errors = [f"{one['column']} ± {one['stderr']:.2g}" for one in expected["errors"]]
        self._tell.note(f"to be expected if all took part: {', '.join(errors)}")
        return job, commercial

    def _epsilon(self) -> str:
        """The job's epsilon, rounded up: what the consenting households allow."""
        if self._spec.epsilon is not None:
            return str(self._spec.epsilon)
        return f"{math.ceil(rho_to_epsilon(self._spec.rho_nano or 0) * 1000) / 1000:.3f}"

    def _commercial_job(self) -> Path:
        path = self._folder / "COMMERCIAL.toml"
        text = (HERE / "COMMERCIAL.toml").read_text()
        path.write_text(text.replace('"@QUERY@"', json.dumps(self._spec.query)))
        return path

    def _vote(self, job: str, commercial: str) -> None:
        self._tell.heading("The members decide")
        with self._tell.step("vote", "Standing votes, and one by hand") as step:
            self._followed = self._coop.follow(UNIVERSITY, job)
            self._other = self._coop.follow(AGENCY, commercial)
            self._coop.vote_by_hand(job, "yes")
            last = self._followed.until(lambda now: now["state"] not in ("submitted", "voting"), step.say)
            step.say(f"yes {last['yes']}, no {last['no']}, abstained {last['abstain']} of {last['electorate']}")
        self._note_memory()

    def _note_memory(self) -> None:
        """Resident memory of one lone home at rest, before its first run."""
        keeper = next(name for name in self._cast.lone if name not in self._cast.dropped)
        self._report.node_rss_mb = round(resident_mb(self._processes.pid(self._coop.daemon(keeper))), 1)

    def _break_in(self, commercial: str) -> str:
        """The members have said no; whoever broke into the coordinator starts the job all the same."""
        last = self._other.until(lambda now: bool(now["final"]), lambda _: None)
        self._promise("the members' no ended the commercial job", last["state"] == "not accepted")
        self._tell.note(f"the commercial job: {last['state']} (yes {last['yes']}, no {last['no']})")
        run_id = breakin.send_anyway(self._coop.coordinator_folder(), commercial)
        self._tell.note("a coordinator that was broken into now sends it to every home all the same")
        return run_id

    def _run(self) -> None:
        self._tell.heading("The homes compute together")
        with self._tell.step("run", "Secure aggregation") as step:
            if self._cast.dropped:
                self._followed.until(_roster_is_fixed, step.say)
                for name in self._cast.dropped:
                    self._processes.kill(self._coop.daemon(name))
            last = self._followed.until(lambda now: bool(now["final"]), step.say)
            step.say("released" if last["state"] == "released" else f"{last['state']}: {last['reason']}")
        if self._cast.dropped:
            self._tell.note(f"killed as soon as the roster was fixed: {len(self._cast.dropped)}")
        self._promise("the members' job ran to its end", last["state"] == "released")
        if last["state"] != "released":
            raise RoundFailed(f"The job ended as {last['state']}. {last['reason']}", where="demo")

    def _refused(self, run_id: str) -> None:
        with self._tell.step("refusals", "Why the homes did not run the rejected job") as step:
            refusals = breakin.wait_for_refusals(self._coop.reasons, run_id, self._alive(), step.say)
        for reason, homes in Counter(refusals.values()).most_common(3):
            self._tell.note(f"{homes} homes: {reason}")
        self._promise("every home refused the job that the members rejected", set(refusals) >= set(self._alive()))

    def _compare(self, job: str) -> None:
        with self._tell.step("compare", "The homes' own records, which only this demo can see") as step:
            result, left, verified, ids = self._processes.at_once(
                [
                    lambda: self._coop.result(UNIVERSITY, job),
                    self._coop.left,
                    self._coop.verify_left,
                    self._coop.households,
                ]
            )
            vectors = self._coop.left(vector_of=_run_of(job, left))
            step.say(f"{sum(len(records) for records in left.values())} records")
        self._judge_records(job, left, verified)
        sizes = [record["bytes_of_run"] for records in left.values() for record in records if record["job"] == job]
        self._report.bytes_up_per_home = sum(sizes) / len(sizes)
        self._report.privacy = {name: result[name] for name in ("rho", "epsilon", "delta", "sigma")}
        self._report.log = {name: result["log"][name] for name in ("size", "root")}
        cohort = read_cohort(self._coop.coordinator_folder(), job)
        survivors = [name for name in self._cast.everybody if ids[name] in cohort.survivors]
        self._report.survivors = len(survivors)
        self._report.dropped = self._report.consenting - len(survivors)
        self._promise("every home that consented and lived took part", set(self._cast.survivors) <= set(survivors))
        self._promise("nobody else took part", set(survivors) <= set(self._cast.consenting))
        plan = compile_query(self._spec.query, {self._definition.name: self._definition})
        rows = truth.beside(plan, result["cells"], {name: vectors[name]["vector"] for name in survivors})
        self._report.cells = rows
        self._tell.result(self._spec.title, rows)
        bound = truth.deviation_bound(len(rows))
        off = [row.deviation for row in rows if row.deviation is not None]
        self._promise(
            f"every difference from the truth is noise of the announced size (at most {bound:.1f} standard errors)",
            all(abs(one) <= bound for one in off),
        )

    def _judge_records(self, job: str, left: Mapping[str, Any], verified: Mapping[str, Any]) -> None:
        consenting = set(self._cast.consenting)
        sent = {name: sum(record["job"] == job for record in records) for name, records in left.items()}
        others = [record for records in left.values() for record in records if record["job"] != job]
        self._promise("nothing left a home that had not consented", {name for name in sent if sent[name]} <= consenting)
        once = all(sent.get(name) == 1 for name in self._cast.survivors)
        self._promise("every surviving home has exactly one record of what left", once)
        self._promise("nothing left for any other job", not others)
        self._promise("the records of all homes are unchanged", all(one["ok"] for one in verified.values()))

    def _alive(self) -> list[str]:
        gone = set(self._cast.dropped)
        return [name for name in self._cast.everybody if name not in gone]

    def _promise(self, sentence: str, held: bool) -> None:
        self._report.promises.append((sentence, held))


def _roster_is_fixed(now: Mapping[str, Any]) -> bool:
    return now["final"] or now["phase"] not in ("", "advertise")


def _run_of(job: str, left: Mapping[str, Any]) -> str:
    """The id of the one run of a job, from what left the homes."""
    return str(next(record["run_id"] for records in left.values() for record in records if record["job"] == job))
