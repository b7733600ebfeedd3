"""The story of the demo: from an empty folder to a result beside the truth, and a break-in that gains nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vicinia.query.plan import compile_query
from vicinia.training.compiled import Training

from deploy.demo import verdict
from deploy.demo.answer import Answer
from deploy.demo.arguments import FEWEST, Options
from deploy.demo.breakin import BreakIn
from deploy.demo.cooperative import Cooperative
from deploy.demo.homes import Homes
from deploy.demo.processes import Supervisor, resident_mb
from deploy.demo.report import Report
from deploy.demo.researchers import AGENCY, RECIPIENT, UNIVERSITY
from deploy.demo.scene import Scene
from deploy.demo.show import Narrator
from deploy.demo.training.comparison import Comparison
from deploy.demo.training.live import Live, plan_in_words
from deploy.demo.training.published import Published

__all__ = ["Story"]


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
            self._scene = scene = Scene.of(self._options, self._folder)
            step.say(scene.words)
        self._question, self._cast = scene.question, scene.cast
        self._coop = Cooperative(self._folder, scene.cast, scene.data, self._processes)
        self._members, self._researchers = self._coop.members, self._coop.researchers
        self._report.households = len(scene.data.names)
        self._report.consenting = len(scene.cast.consenting)

    def _found(self) -> None:
        self._tell.heading("A cooperative")
        everybody = len(self._cast.everybody)
        with self._tell.step("found", "Founded: 3 registrars, 1 witness, each a home with its own keys"):
            self._coop.found()
            self._coop.steward.serve()
        if self._coop.machine.busy:
            self._tell.note(f"{self._coop.machine.words} So the by-laws give each phase of a run more time")
            seconds = self._coop.steward.phase_seconds
            self._tell.note(f"phase_seconds = {seconds}; a phase ends sooner when all have answered")
        self._report.advice = self._coop.machine.advice(everybody, FEWEST)
        with self._tell.step("join", f"{everybody} households and 2 researchers join, over mutual TLS"):
            self._coop.join()
        with self._tell.step("start", "Endorsed by 2 of 3 registrars, started, filled with own rows") as step:
            self._members.run()
            self._processes.at_once(
                [self._members.approve, self._members.standing_votes, self._fill_homes, self._coop.await_members]
            )
            hosts = f"{len(self._cast.hosted)} hosting process{'' if len(self._cast.hosted) == 1 else 'es'}"
            step.say(f"{hosts}, {len(self._cast.lone)} homes alone in theirs")
        refusing = self._report.households - self._report.consenting
        but = "allow queries only, which is not enough" if self._question.trains else "do not"
        self._tell.note(f"{self._report.consenting} consent to this use of their rows, {refusing} {but}")

    def _fill_homes(self) -> None:
        self._members.import_data()
        asked = self._question
        self._members.consent(asked.spec.purpose, RECIPIENT, asked.epsilon, train=asked.trains)

    def _ask(self) -> tuple[str, str]:
        self._tell.heading("A researcher asks")
        self._tell.note(self._question.query)
        with self._tell.step("submit", "Checked, submitted and sponsored by a member") as step:
            expected, job, commercial = self._processes.at_once(
                [
                    lambda: self._researchers.check(UNIVERSITY, self._question.path),
                    lambda: self._researchers.submit(UNIVERSITY, self._question.path),
                    lambda: self._researchers.submit(AGENCY, self._question.commercial(self._folder)),
                ]
            )
            self._processes.at_once([lambda: self._members.sponsor(job), lambda: self._members.sponsor(commercial)])
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
            self._followed = self._researchers.follow(UNIVERSITY, job)
            self._other = self._researchers.follow(AGENCY, commercial)
            self._members.vote_by_hand(job, "yes")
            last = self._followed.until(lambda now: now["state"] not in ("submitted", "voting"), step.say)
            step.say(f"yes {last['yes']}, no {last['no']}, abstained {last['abstain']} of {last['electorate']}")
        self._note_memory()

    def _note_memory(self) -> None:
        """Resident memory of one lone home at rest, before its first run."""
        keeper = next(name for name in self._cast.lone if name not in self._cast.dropped)
        self._report.node_rss_mb = round(resident_mb(self._processes.pid(self._members.daemon(keeper))), 1)

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
                    self._processes.kill(self._members.daemon(name))
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
        self._answers = self._members.reasons()
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
            self._compare_answer(job)

    def _compare_model(self, job: str, training: Training) -> None:
        what = "The researcher fetches the model; the homes' own records, and the same rows in one place"
        with self._tell.step("compare", what) as step:
            told, homes = self._told(job, self._researchers.model)
            published = Published.of(told)
            found = Comparison(self._coop, job, training, published, homes, self._answers)
            step.say(f"{homes.records} records")
        found.tell(self._tell, self._question.spec.title)
        found.into(self._report, self._seconds_of_rounds)
        for sentence in found.late:
            self._tell.note(sentence)

    def _compare_answer(self, job: str) -> None:
        with self._tell.step("compare", "The homes' own records, which only this demo can see") as step:
            told, homes = self._told(job, self._researchers.result)
            plan = compile_query(self._question.query, {self._scene.definition.name: self._scene.definition})
            found = Answer(self._coop, job, plan, told, homes, self._answers)
            step.say(f"{homes.records} records")
        found.into(self._report)
        for sentence in found.late:
            self._tell.note(sentence)
        self._tell.result(self._question.spec.title, found.rows)

    def _told(self, job: str, fetch: Callable[[str, str], Any]) -> tuple[Any, Homes]:
        """What the researcher is told, and what the homes say."""
        told, left, verified, states = self._processes.at_once(
            [lambda: fetch(UNIVERSITY, job), self._members.left, self._members.verify_left, self._members.states]
        )
        cast = self._cast
        return told, Homes(cast.everybody, cast.consenting, cast.survivors, left, verified, states)

    def _alive(self) -> list[str]:
        gone = set(self._cast.dropped)
        return [name for name in self._cast.everybody if name not in gone]

    def _promise(self, sentence: str, held: bool) -> None:
        self._report.promises.append((sentence, held))


def _roster_is_fixed(now: Mapping[str, Any]) -> bool:
    return now["final"] or now["phase"] not in ("", "advertise")
