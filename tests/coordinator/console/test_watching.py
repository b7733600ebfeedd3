"""Following a job: every state in words, turnout only while the vote is open, and a status that says how it ended."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from vicinia.coordinator.client.connection import pace
from vicinia.coordinator.client.link import JobStatus, RoundMetric, RoundStatus
from vicinia.coordinator.console.show import duration
from vicinia.coordinator.console.watching import watch_json, watch_live
from vicinia.errors import NotAccepted, RoundFailed

START = JobStatus(
    job_hash="3f" * 32,
    title="Fuel",
    state="submitted",
    reason="",
    submitted_ms=0,
    deadline_ms=0,
    turnout=0,
    electorate=24,
    yes=0,
    no=0,
    abstain=0,
    phase="",
    phase_done=0,
    phase_of=0,
    phase_deadline_ms=0,
    run=0,
)
VOTING = replace(START, state="voting", turnout=20)
ENDED = "The members did not accept it, more yes than no are needed: 3 yes, 17 no, 0 abstained, of 24 households."


class Watched:
    """A client that has seen it all."""

    def __init__(self, *states: JobStatus) -> None:
        self._states = states

    def watch(self, _job_hash: str) -> Iterator[JobStatus]:
        yield from self._states


def live(*states: JobStatus, width: int = 200) -> str:
    out = io.StringIO()
    client: Any = Watched(*states)
    watch_live(client, START.job_hash, Console(file=out, width=width))
    return out.getvalue()


def at_work(*states: JobStatus, width: int = 120) -> str:
    """What a terminal shows when the last of the states has come, and no end yet."""

    class Interrupted(Watched):
        def watch(self, job_hash: str) -> Iterator[JobStatus]:
            yield from super().watch(job_hash)
            raise KeyboardInterrupt

    out = io.StringIO()
    client: Any = Interrupted(*states)
    with pytest.raises(KeyboardInterrupt):
        watch_live(client, START.job_hash, Console(file=out, width=width))
    return out.getvalue()


def test_every_state_is_said_in_words() -> None:
    recruiting, released = replace(VOTING, state="recruiting"), replace(VOTING, state="released")
    sending = replace(VOTING, state="running", phase="input", phase_done=10, phase_of=20)
    text = live(START, VOTING, recruiting, sending, released)
    for words in (
        "The members have voted",
        "20/24",
        "Accepted: the homes are asked to take part",
        "The homes send masked vectors",
        "Released. Read it with: vicinia result 3f3f3f3f3f3f",
    ):
        assert words in text
    assert "0/?" not in text
    assert "A member must sponsor the job before the vote opens" in at_work(START)
    assert "10/20" in at_work(VOTING, sending)


def test_a_phase_that_another_one_follows_is_over_whatever_was_counted_last() -> None:
    sending = replace(VOTING, state="running", phase="input", phase_done=0, phase_of=20)
    text = at_work(VOTING, sending, replace(sending, phase="unmask", phase_done=5))
    assert "0/20" not in text
    assert "5/20" in text
    assert "The homes send masked vectors" in text


def test_the_rounds_of_a_training_never_fill_the_terminal() -> None:
    recruiting = replace(VOTING, state="recruiting", rounds_planned=40)
    rounds = [
        replace(recruiting, state=state, phase=phase, run=run, rounds_released=run)
        for run in range(30)
        for state, phase in (("recruiting", ""), ("running", "share"), ("running", "unmask"))
    ]
    vote, phase = at_work(VOTING, *rounds).splitlines()
    assert vote.startswith("The members have voted")
    assert phase.startswith("Round 30 of 40. The homes unmask the sum")


@pytest.mark.parametrize("width", [80, 120])
def test_the_times_are_whole_in_a_narrow_terminal(width: int) -> None:
    now = replace(VOTING, state="running", phase="commit", rounds_planned=1, rounds_released=1, phase_of=5_000)
    text = at_work(VOTING, replace(now, phase_done=4_321), width=width)
    assert "4321/5000" in text
    assert text.count("0:00:00") == 2
    assert all(len(line) <= width for line in text.splitlines())


@pytest.mark.parametrize(
    ("state", "reason", "kind"),
    [("not accepted", ENDED, NotAccepted), ("expired", "Too late.", NotAccepted), ("failed", "Few.", RoundFailed)],
)
def test_every_other_end_is_an_error_told_once(state: str, reason: str, kind: type[Exception]) -> None:
    with pytest.raises(kind) as ended:
        live(VOTING, replace(VOTING, state=state, reason=reason))
    assert str(ended.value) == f"job 3f3f3f3f3f3f: The job ended: {state}. {reason}"


def test_a_long_vote_is_looked_at_seldom_and_its_end_at_once() -> None:
    voting = replace(VOTING, deadline_ms=604_800_000)
    assert [pace(voting, at) for at in (0, 604_700, 604_799, 700_000)] == [10.0, 1.0, 0.1, 0.1]
    running = replace(VOTING, state="running", phase_deadline_ms=20_000)
    assert pace(running, 0) == 0.2
    assert [pace(START, at) for at in (1, 86_400)] == [0.1, 10.0]


def test_programs_get_a_line_for_each_state(capsys: pytest.CaptureFixture[str]) -> None:
    client: Any = Watched(VOTING, replace(VOTING, state="released"))
    watch_json(client, START.job_hash, Console())
    first, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["state"], first["turnout"], first["yes"], first["final"]) == ("voting", 20, 0, False)
    assert last["final"]


def test_times_are_told_in_the_unit_that_people_would_use() -> None:
    assert [duration(seconds) for seconds in (14, 119, 120, 7200, 604_800)] == [
        "14 s", "119 s", "2 minutes", "2 hours", "7 days",
    ]  # fmt: skip


def test_a_training_shows_its_round_and_what_every_released_one_showed(capsys: pytest.CaptureFixture[str]) -> None:
    first = RoundStatus(0, 240, (RoundMetric("auc", 0.7123, 0.0104), RoundMetric("log_loss", None, None)))
    second = RoundStatus(2, 230, (RoundMetric("auc", 0.75, 0.01),))
    training = replace(VOTING, state="recruiting", rounds_planned=5)
    sending = replace(training, state="running", phase="input", phase_done=10, phase_of=20)
    after = replace(training, rounds_released=1, rounds=(first,), run=1)
    released = replace(training, state="released", rounds_released=2, rounds=(first, second), run=2)
    text = live(training, sending, after, replace(after, state="running", phase="share", phase_of=20), released)
    for words in (
        "Round 1 of 5 is released, of 240 to 249 homes. The model that it began with: AUC 0.712 ± 0.010, log loss "
        "below noise",
        "Round 2 of 5 is released, of 230 to 239 homes. The model that it began with: AUC 0.750 ± 0.010",
    ):
        assert words in text
    assert text.count("Round 1 of 5 is released") == 1
    closing = replace(released, rounds_planned=1, rounds=(replace(first, metrics=second.metrics[:0]), second))
    assert "The closing round is released, of 230 to 239 homes. The final model: AUC 0.75" in live(closing)
    assert "Round 1 of 1 is released, of 240 to 249 homes.\n" in live(closing)
    hidden = replace(second, metrics=first.metrics[1:])
    assert "began with: every metric is below the noise" in live(replace(released, rounds=(hidden,)))
    client: Any = Watched(after, released)
    watch_json(client, START.job_hash, Console())
    one, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert (one["rounds_released"], one["rounds_planned"]) == (1, 5)
    assert one["rounds"] == [
        {
            "run": 0,
            "cohort": 240,
            "metrics": {"auc": {"value": 0.7123, "stderr": 0.0104}, "log_loss": {"value": None, "stderr": None}},
        }
    ]
    assert len(last["rounds"]) == 2


def test_the_round_that_standardises_is_none_of_those_that_train(capsys: pytest.CaptureFixture[str]) -> None:
    first = replace(VOTING, state="running", phase="share", phase_of=20, rounds_planned=2, rounds_scaling=1)
    assert "The standardising round. The homes share their secrets" in at_work(VOTING, first)
    done = tuple(RoundStatus(run, 20, (RoundMetric("auc", 0.75, 0.01),) * (run > 0)) for run in range(4))
    second = replace(first, rounds_released=1, rounds=done[:1], run=1)
    assert "Round 1 of 2. The homes share their secrets" in at_work(VOTING, second)
    ended = replace(second, state="released", rounds_released=4, rounds=done)
    lines = [line for line in live(first, ended).splitlines() if "is released" in line]
    assert [line.partition(" is released, of 20 to 29 homes. ")[::2] for line in lines[1:]] == [
        ("Round 1 of 2", "The model that it began with: AUC 0.750 ± 0.010"),
        ("Round 2 of 2", "The model that it began with: AUC 0.750 ± 0.010"),
        ("The closing round", "The final model: AUC 0.750 ± 0.010"),
    ]
    assert lines[0] == "The standardising round is released, of 20 to 29 homes."
    client: Any = Watched(ended)
    watch_json(client, START.job_hash, Console())
    told = json.loads(capsys.readouterr().out)
    assert (told["rounds_scaling"], told["rounds_planned"], told["rounds_released"]) == (1, 2, 4)


def test_an_evaluation_has_no_rounds_to_count() -> None:
    running = replace(VOTING, state="running", phase="input", phase_done=10, phase_of=20)
    round_ = RoundStatus(0, 20, (RoundMetric("accuracy", 0.8, 0.01),))
    text = live(VOTING, running, replace(running, state="released", rounds_released=1, rounds=(round_,)))
    assert "The homes send masked vectors" in text
    assert "The evaluation is released, of 20 to 29 homes. The model: accuracy 0.800 ± 0.010" in text
    assert "Round" not in text
