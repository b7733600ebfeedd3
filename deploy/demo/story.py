"""The story of the demo: from an empty folder to a result beside the truth, and a break-in that gains nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vicinia.assembly.bylaws import ByLaws
from vicinia.query.mapping import parse_map
from vicinia.query.plan import compile_query
from vicinia.training.compiled import Training

from deploy.demo import truth, verdict
from deploy.demo.arguments import FEWEST, Options
from deploy.demo.breakin import BreakIn
from deploy.demo.choices import cast_homes, require_cohort, require_parts
from deploy.demo.cohort import read_cohort
from deploy.demo.cooperative import Cooperative
from deploy.demo.data import Table, households
from deploy.demo.processes import Supervisor, resident_mb
from deploy.demo.question import Question
from deploy.demo.report import Report
from deploy.demo.researchers import AGENCY, RECIPIENT, UNIVERSITY
from deploy.demo.show import Narrator
from deploy.demo.steward import BYLAWS
from deploy.demo.training.comparison import Comparison, Homes
from deploy.demo.training.live import Live, plan_in_words
from deploy.demo.training.published import Published
from deploy.demo.training.sources import material

__all__ = ["Story"]

DEFAULT_HOUSEHOLDS = 320


class Story:
    """Plays the demo once; every method is one part of it and leaves its figures in the report."""

    def __init__(self, options: Options, folder: Path, processes: Supervisor, narrator: Narrator) -> None:
        self._options = options
        self._folder = folder
        self._processes = processes
        self._tell = narrator
        self._report = Report()

    def play(self) -> Report:
        """The whole story; errors of a step are raised as they come."""
        self._prepare()
        self._found()
        job, commercial = self._ask()
        self._vote(job, commercial)
        attack = self._break_in(commercial)
        self._run(job)
        self._refused(attack)
        self._compare(job)
        self._tell.promises(self._report.promises)
        self._report.seconds = {**self._tell.seconds, "total": round(self._tell.elapsed, 2)}
        return self._report

    def _prepare(self) -> None:
        with self._tell.step("prepare", "The data") as step:
            options = self._options
            given = material(options, self._folder)
            maps = [(source, path, *parse_map(path.read_text())) for source, path in given.tables]
            definition = maps[0][2]
            self._question = question = Question(given.job)
            question.check({one.name: one for _, _, one, _ in maps})
            wanted = options.households or DEFAULT_HOUSEHOLDS
            least = options.households or FEWEST
            data = households(definition.name, maps[0][3], *given.tables[0], wanted, least)
            more = tuple(Table(one.name, source, path) for source, path, one, _ in maps[1:])
            data = replace(data, tables=data.tables + more)
            bylaws = ByLaws.from_toml(BYLAWS.read_text(), BYLAWS.name)
            cast = cast_homes(
                data.names, data.dataset, options.refuse, processes=options.processes, lone=options.lone,
                drop=options.drop, seed=options.seed,
            )  # fmt: skip
            floor = question.spec.floor or bylaws.floor
            require_cohort(cast, data.dataset, bylaws, floor, options.seed)
            require_parts(cast, question.training, bylaws, floor)
            step.say(f"{definition.description}: {len(data.names)} households, {len(definition.columns)} columns")
        self._cast = cast
        self._spec = question.spec
        self._definition = definition
        self._coop = Cooperative(self._folder, cast, data, self._processes)
        self._report.households = len(data.names)
        self._report.consenting = len(cast.consenting)

    def _found(self) -> None:
        self._tell.heading("A cooperative")
        everybody = len(self._cast.everybody)
        with self._tell.step("found", "Founded: 3 registrars, 1 witness, each a home with its own keys"):
            self._coop.found()
            self._coop.steward.serve()
        if self._coop.machine.words:
            self._tell.note(f"{self._coop.machine.words} So the by-laws give each phase of a run more time")
            self._tell.note(
                f"phase_seconds = {self._coop.steward.phase_seconds}; a phase ends sooner when all have answered"
            )
        self._report.advice = self._coop.machine.advice(everybody, FEWEST)
        with self._tell.step("join", f"{everybody} households and 2 researchers join, over mutual TLS"):
            self._coop.join()
        with self._tell.step("start", "Endorsed by 2 of 3 registrars, started, filled with own rows") as step:
            self._coop.members.run()
            self._processes.at_once(
                [
                    self._coop.members.approve,
                    self._coop.members.standing_votes,
                    self._fill_homes,
                    self._coop.await_members,
                ]
            )
            hosts = f"{len(self._cast.hosted)} hosting process{'' if len(self._cast.hosted) == 1 else 'es'}"
            step.say(f"{hosts}, {len(self._cast.lone)} homes alone in theirs")
        refusing = self._report.households - self._report.consenting
        but = "allow queries only, which is not enough" if self._question.trains else "do not"
        self._tell.note(f"{self._report.consenting} consent to this use of their rows, {refusing} {but}")

    def _fill_homes(self) -> None:
        self._coop.members.import_data()
        self._coop.members.consent(self._spec.purpose, RECIPIENT, self._question.epsilon, train=self._question.trains)

    def _ask(self) -> tuple[str, str]:
        self._tell.heading("A researcher asks")
        self._tell.note(self._question.query)
        with self._tell.step("submit", "Checked, submitted and sponsored by a member") as step:
            expected, job, commercial = self._processes.at_once(
                [
                    lambda: self._coop.researchers.check(UNIVERSITY, self._question.path),
                    lambda: self._coop.researchers.submit(UNIVERSITY, self._question.path),
                    lambda: self._coop.researchers.submit(AGENCY, self._question.commercial(self._folder)),
                ]
            )
            self._processes.at_once(
                [lambda: self._coop.members.sponsor(job), lambda: self._coop.members.sponsor(commercial)]
            )
            step.say(f"job {job[:12]}, and a commercial one, {commercial[:12]}")
        errors = [f"{one['column']} ± {one['stderr']:.2g}" for one in expected["errors"]]
        if self._question.training is not None:
            self._tell.note(plan_in_words(self._question.training, expected))
        else:
            self._tell.note(f"to be expected if all took part: {', '.join(errors)}")
        return job, commercial

    def _vote(self, job: str, commercial: str) -> None:
        self._tell.heading("The members decide")
        with self._tell.step("vote", "Standing votes, and one by hand") as step:
            self._followed = self._coop.researchers.follow(UNIVERSITY, job)
            self._other = self._coop.researchers.follow(AGENCY, commercial)
            self._coop.members.vote_by_hand(job, "yes")
            last = self._followed.until(lambda now: now["state"] not in ("submitted", "voting"), step.say)
            step.say(f"yes {last['yes']}, no {last['no']}, abstained {last['abstain']} of {last['electorate']}")
        self._note_memory()

    def _note_memory(self) -> None:
        """Resident memory of one lone home at rest, before its first run."""
        keeper = next(name for name in self._cast.lone if name not in self._cast.dropped)
        self._report.node_rss_mb = round(resident_mb(self._processes.pid(self._coop.members.daemon(keeper))), 1)

    def _break_in(self, commercial: str) -> BreakIn:
        """The members have said no; whoever broke into the coordinator starts the job all the same."""
        last = self._other.until(lambda now: bool(now["final"]), lambda _: None)
        self._promise("the members' no ended the commercial job", last["state"] == "not accepted")
        self._tell.note(f"the commercial job: {last['state']} (yes {last['yes']}, no {last['no']})")
        attack = BreakIn(self._coop.steward.coordinator, commercial)
        attack.send()
        self._tell.note("a coordinator that was broken into now sends it to every home all the same")
        return attack

    def _run(self, job: str) -> None:
        self._tell.heading("The homes compute together")
        with self._tell.step("run", "Secure aggregation") as step:
            if self._cast.dropped:
                self._followed.until(_roster_is_fixed, step.say)
                for name in self._cast.dropped:
                    self._processes.kill(self._coop.members.daemon(name))
            live = Live(self._tell, self._question.training)
            last = self._followed.until(
                lambda now: bool(now["final"]), lambda text: step.say(live.words(self._followed.last, text))
            )
            self._seconds_of_rounds = live.seconds
            step.say("released" if last["state"] == "released" else "no result")
            if last["state"] != "released":
                failure = verdict.failure(last, self._reasons(), job, self._cast.survivors)
                failure.hint = self._report.advice
                raise failure
        if self._cast.dropped:
            self._tell.note(f"killed as soon as the roster was fixed: {len(self._cast.dropped)}")
        self._promise("the members' job ran to its end", held=True)

    def _reasons(self) -> Mapping[str, Any]:
        """Why every home ran or refused each job, as they say it now."""
        self._answers = self._coop.members.reasons()
        return self._answers

    def _refused(self, attack: BreakIn) -> None:
        with self._tell.step("refusals", "Why the homes did not run the rejected job") as step:
            found = attack.wait(self._reasons, self._alive(), self._coop.steward.phase_seconds, step.say)
            step.ok = found.held
        for reason, homes in Counter(found.refused.values()).most_common(3):
            self._tell.note(f"{verdict.counted(homes)}: {reason}")
        if found.ran:
            self._tell.note(f"{verdict.counted(len(found.ran))} took part in it")
        elif found.silent:
            self._tell.note(f"{verdict.counted(len(found.silent))} did not answer in time, and did not run it either")
        self._promise("no home ran the job that the members rejected; all that answered refused it", found.held)

    def _compare(self, job: str) -> None:
        """The result beside the truth."""
        if self._question.training is not None:
            self._compare_model(job, self._question.training)
        else:
            self._compare_query(job)

    def _compare_model(self, job: str, training: Training) -> None:
        with self._tell.step(
            "compare", "The researcher fetches the model; the homes' own records, and the same rows in one place"
        ) as step:
            told, left, verified, states = self._processes.at_once(
                [
                    lambda: self._coop.researchers.model(UNIVERSITY, job),
                    self._coop.members.left,
                    self._coop.members.verify_left,
                    self._coop.members.states,
                ]
            )
            homes = Homes(self._cast.everybody, self._cast.consenting, self._cast.survivors, left, verified, states)
            found = Comparison(self._coop, job, training, Published.of(told), homes, self._answers)
            step.say(f"{sum(len(records) for records in left.values())} records")
        found.tell(self._tell, self._spec.title)
        found.into(self._report, self._seconds_of_rounds)
        for sentence in found.late:
            self._tell.note(sentence)
        excused = bool(found.late) and bool(self._coop.machine.words)
        who = "consented, lived and was in time" if excused else "consented and lived"
        held = not found.unwilling and (excused or not found.late)
        self._promise(f"every home that {who} took part in every round", held)

    def _compare_query(self, job: str) -> None:
        with self._tell.step("compare", "The homes' own records, which only this demo can see") as step:
            result, left, verified, ids = self._processes.at_once(
                [
                    lambda: self._coop.researchers.result(UNIVERSITY, job),
                    self._coop.members.left,
                    self._coop.members.verify_left,
                    self._coop.members.households,
                ]
            )
            vectors = self._coop.members.left(vector_of=_run_of(job, left))
            step.say(f"{sum(len(records) for records in left.values())} records")
        sizes = [record["bytes_of_run"] for records in left.values() for record in records if record["job"] == job]
        self._report.bytes_up_per_home = sum(sizes) / len(sizes)
        self._report.privacy = {name: result[name] for name in ("rho", "epsilon", "delta", "sigma")}
        self._report.log = {name: result["log"][name] for name in ("size", "root")}
        cohort = read_cohort(self._coop.steward.coordinator, job)
        survivors = [name for name in self._cast.everybody if ids[name] in cohort.survivors]
        self._report.survivors = len(survivors)
        self._report.dropped = self._report.consenting - len(survivors)
        self._report.promises += verdict.of_records(job, left, verified, self._cast.consenting, survivors)
        self._judge_absent(job, survivors)
        self._promise("nobody else took part", set(survivors) <= set(self._cast.consenting))
        plan = compile_query(self._question.query, {self._definition.name: self._definition})
        rows = truth.beside(plan, result["cells"], {name: vectors[name]["vector"] for name in survivors})
        self._report.cells = rows
        self._tell.result(self._spec.title, rows)
        bound = truth.deviation_bound(len(rows))
        off = [row.deviation for row in rows if row.deviation is not None]
        self._promise(
            f"every difference from the truth is noise of the announced size (at most {bound:.1f} standard errors)",
            all(abs(one) <= bound for one in off),
        )

    def _judge_absent(self, job: str, survivors: Collection[str]) -> None:
        """Who consented and lived belongs into the sum; on a busy machine a home may be late, which it says."""
        missing = [name for name in self._cast.survivors if name not in set(survivors)]
        found = verdict.absent(self._answers, job, missing)
        if found.late:
            self._tell.note(found.sentence)
        excused = bool(found.late) and bool(self._coop.machine.words)
        who = "consented, lived and was in time" if excused else "consented and lived"
        self._promise(f"every home that {who} took part", not found.unwilling and (excused or not found.late))

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
