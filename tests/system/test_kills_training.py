"""Real processes over real mTLS, killed without warning in the middle of trainings.

One cooperative, three trainings beside each other: one that takes a single round, one of two rounds with its own steps,
and one of two rounds whose steps are Flower's. In each a home dies and comes back, and one stays away for a round; the
coordinator dies in rounds of all three, and once while Flower's process computes the next model. Every training ends
with all its rounds, none of them twice, and with the model that follows from what they released.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from system.lessons import Death, Deaths, Lesson, strikes_on
from system.strikes import Struck, carry_out
from system.village import BYLAWS, RHO, Village, is_flower
from system.watched import Register, Watched
from vicinia.coordinator.services.course import Course
from vicinia.coordinator.services.terms import compiled, datasets_of
from vicinia.coordinator.store.jobs import Stage
from vicinia.coordinator.store.runs import Phase
from vicinia.node.store.accounts import Accounts
from vicinia.node.store.home import Home
from vicinia.node.store.runs import Runs
from vicinia.training.compiled import Training
from vicinia.training.replay import Released

from deploy.demo.training.history import History, read_history

HOMES, LONE = 16, 8
END_SECONDS = 300.0
JOB = """
title = "{title}"
purpose = "{purpose}"
why = "To see that no round is lost, and none is taken twice."
[privacy]
rho = {rho}
[training]
dataset = "budget"
features = ["food", "income"]
examples = 1
spare = 1
"""
LINEAR = ("dpv:ProvideOfficialStatistics", 'recipe = "linear"\ntarget = "fuel"\n')
LOGISTIC = ("dpv:PublicPolicyMaking", 'recipe = "logistic"\ntarget = "kids"\nrounds = 2\n')
# Flower's state after the first round is in the step of the second.
MLP = (
    "dpv:ImproveTransportMobility",
    'recipe = "mlp"\ntarget = "kids"\nrounds = 2\n'
    "[training.parameters]\nhidden_1 = 3\n"
    '[training.strategy]\nname = "FedAvgM"\nserver_momentum = 0.5\n',
)


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    made = Village(tmp_path, HOMES, LONE, BYLAWS.replace("vote_seconds = 12", "vote_seconds = 6"))
    try:
        made.found()
        made.coop.members.run()
        yield made
    finally:
        made.processes.end_all()


@pytest.mark.system
def test_trainings_go_on_where_they_were_whoever_is_killed(village: Village, subtests: pytest.Subtests) -> None:
    register, lessons = _begin(village)
    deaths = Deaths(village, lessons)
    struck = carry_out(strikes_on(village, *lessons, deaths), END_SECONDS)
    for one in lessons:
        row = one.run.end(END_SECONDS)
        assert (row.stage, row.reason) == (Stage.RELEASED, "")
    _until(lambda: not village.flower(), "Flower's process to end with the training")
    ask: list[Callable[[], Any]] = [
        *(partial(village.result, one.run.job) for one in lessons),
        village.coop.members.left,
        village.coop.members.verify_left,
    ]
    *results, left, verified = village.processes.at_once(ask)
    histories = [read_history(village.coop.steward.coordinator, one.run.job) for one in lessons]

    for strike in struck:
        with subtests.test("the moment", phase=strike.meant.name):
            _judge_moment(strike)
    with subtests.test("the coordinator died while Flower computed the next model"):
        _judge_between(deaths.met, lessons[-1])
    with subtests.test("no process of Flower is left"):
        _until(lambda: not [pid for one in deaths.met for pid in one.flower if is_flower(pid)], "Flower to end")
    for one, history, result in zip(lessons, histories, results, strict=True):
        with subtests.test("resumed", job=one.run.row.title):
            _judge_resumed(one, history, deaths.met)
        with subtests.test("in the sums", job=one.run.row.title):
            _judge_rounds(register, one, history)
        with subtests.test("the model", job=one.run.row.title):
            _judge_model(_training(register, history), history, result)
    with subtests.test("records and accounts"):
        assert len(verified) == HOMES
        assert all(one["ok"] for one in verified.values())
        _judge_homes(village, register, histories, left)


def _begin(village: Village) -> tuple[Register, tuple[Lesson, Lesson, Lesson]]:
    """Three proposals are before the members, who have consented: the victims of each to that one alone."""
    first, second, third, witness, *gone, slow = village.cast.lone
    victims = (first, gone[0]), (second, gone[1], slow), (third, gone[2])
    kinds = LINEAR, LOGISTIC, MLP

    def consent() -> None:
        for (purpose, _), mine in zip(kinds, victims, strict=True):
            village.consent(purpose, (*mine, witness, *village.cast.hosted[0]), train=True)

    ids, _ = village.processes.at_once([village.coop.members.households, consent])
    register = Register(village.coop.steward.coordinator, ids)
    runs = [
        Watched(register, job) for job in village.processes.at_once([partial(_put, village, *one) for one in kinds])
    ]
    linear, logistic, mlp = (
        Lesson(run, rounds, *mine) for run, rounds, mine in zip(runs, (1, 2, 2), victims, strict=True)
    )
    return register, (linear, logistic, mlp)


def _put(village: Village, purpose: str, training: str) -> str:
    title = training.split('"')[1]
    return village.ask(title, JOB.format(title=title, purpose=purpose, rho=RHO) + training)


def _training(register: Register, history: History) -> Training:
    found = compiled(history.job, datasets_of(history.job, register.assembly()))
    assert isinstance(found, Training)
    return found


def _until(seen: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + END_SECONDS
    while not seen():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)


def _judge_moment(one: Struck) -> None:
    """The victim died in the phase that was meant, or when the next had just begun; no round failed."""
    assert one.found in (one.meant, min(one.meant + 1, Phase.DONE))


def _judge_between(deaths: Sequence[Death], lesson: Lesson) -> None:
    """One of the deaths was after the first round's release and before the next model was in the log."""
    votes = [death.votes[lesson.run.job] for death in deaths if death.flower]
    assert any(vote.releases.keys() == vote.models.keys() == {0} for vote in votes)


def _judge_resumed(lesson: Lesson, history: History, deaths: Sequence[Death]) -> None:
    """What was in the log at a death stands, and the run that was under way is the one that was released."""
    after = lesson.run.vote
    rounds = set(range(lesson.rounds))
    assert set(after.models) == set(after.rosters) == set(after.releases) == rounds
    ids = {one.number: bytes.fromhex(one.run_id) for one in history.rounds}
    assert ids.keys() == rounds
    for death in deaths:
        before, run = death.votes[lesson.run.job], death.runs[lesson.run.job]
        assert all(after.models[number] == logged for number, logged in before.models.items())
        assert all(after.rosters[number] == logged for number, logged in before.rosters.items())
        assert all(after.releases[number] == logged for number, logged in before.releases.items())
        assert run is None or ids[run.number] == run.run_id


def _judge_rounds(register: Register, lesson: Lesson, history: History) -> None:
    """Whoever is in a round is in its sum, but for the home that stayed away for the first."""
    assert not history.others
    for one in history.rounds:
        roster, counted = register.by_id(one.roster), register.by_id(one.survivors)
        assert roster - counted == ({lesson.gone} if one.number == 0 else set())
        assert lesson.back in roster


def _judge_model(training: Training, history: History, result: dict[str, Any]) -> None:
    """The client accepts the model, and every model follows from what was released before it, bit for bit."""
    assert (result["planned"], result["ended"]) == (len(result["rounds"]), "")
    assert result["replayed"] == (training.strategy is None)
    with Course(training, training.template) as course:
        for one in history.rounds:
            assert course.model == one.model
            course.take(Released(one.release, one.vector))
        assert result["model"] == course.model.digest.hex()
    clips = [one.release.clip_nano for one in history.rounds]
    assert len(set(clips)) == (1 if training.strategy is None else len(clips))


def _judge_homes(
    village: Village, register: Register, histories: Sequence[History], left: dict[str, list[dict[str, Any]]]
) -> None:
    """Each home has one record of each sum that it is in, has paid for these and for nothing else, and has set nothing
    aside any more."""
    counted = [
        (name, one.run_id) for history in histories for one in history.rounds for name in register.by_id(one.survivors)
    ]
    assert sorted((name, one["run_id"]) for name, records in left.items() for one in records) == sorted(counted)
    cost = {one.run_id: history.job.rho_nano for history in histories for one in history.rounds}
    for name in village.cast.everybody:
        with closing(Home.open(village.coop.members.stores() / name)) as home:
            charges = [one.rho_nano for one in Accounts(home.database).charges()]
            assert sorted(charges) == sorted(cost[one["run_id"]] for one in left.get(name, ()))
            _until(partial(_is_settled, home), f"home {name} to see that all is over")


def _is_settled(home: Home) -> bool:
    runs_open = any(one.open for one in Runs(home.database).all())
    return not runs_open and not Accounts(home.database).reservations()
