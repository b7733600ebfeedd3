"""How the demo judges: a machine that is too slow breaks no promise, a home that does what it must not breaks one."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from data import PROJECT
from rich.console import Console
from vicinia.errors import RoundFailed

from deploy.demo import breakin, machine, verdict
from deploy.demo.breakin import BreakIn, judge
from deploy.demo.ending import keep_logs
from deploy.demo.machine import Machine
from deploy.demo.report import Report
from deploy.demo.show import Narrator

JOB = "ab" * 32


def run(run_id: str, state: str, reason: str = "", *, checks: tuple[bool, ...] = (), **more: Any) -> dict[str, Any]:
    listed = [{"name": "check", "ok": ok, "sentence": ""} for ok in checks]
    return {
        "run_id": run_id, "job": JOB, "state": state, "reason": reason, "checks": listed, "updated_ms": 1,
        "evidence": [], **more,
    }  # fmt: skip


def test_silence_is_no_refusal_and_no_breach() -> None:
    answers = {
        "a": [run("r1", "refused", "The members said no.", checks=(True, False))],
        "b": [],
        "c": [run("r1", "failed", "This home heard of the run too late.")],
        "d": [run("r0", "finished")],  # of another run
        "e": [run("r1", "considering")],
    }
    found = judge(answers, ["r1"], ["a", "b", "c", "d", "e", "f"])
    assert found.refused == {"a": "The members said no."}
    assert found.silent == ("b", "c", "d", "e", "f")
    assert found.held
    assert not judge({}, ["r1"], ["a"]).held  # nobody was asked: nothing was tried


@pytest.mark.parametrize(
    "taken",
    [
        run("r1", "input"),
        run("r1", "finished"),
        run("r1", "failed", "ended", checks=(True, True)),
        run("r2", "advertise"),
    ],
)
def test_one_home_that_ran_a_rejected_job_breaks_the_promise(taken: dict[str, Any]) -> None:
    refused = run("r1", "refused", "No.", checks=(False,))
    found = judge({"a": [refused], "b": [refused, taken]}, ["r1", "r2"], ["a", "b"])
    assert (found.ran, found.held) == (("b",), False)


def test_who_has_not_answered_is_sent_the_job_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    attack = BreakIn(tmp_path, JOB)
    attack.runs.append("r1")
    monkeypatch.setattr(breakin, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(BreakIn, "over", lambda self: len(self.runs) == 1)
    monkeypatch.setattr(BreakIn, "send", lambda self: self.runs.append("r2"))
    refusal = {"a": [run("r1", "refused", "No.")]}
    looks = [refusal, refusal | {"b": [run("r2", "refused", "No.")]}]
    said: list[str] = []
    found = attack.wait(lambda: looks.pop(0), ["a", "b"], 1, said.append)
    assert (set(found.refused), found.silent) == ({"a", "b"}, ())
    assert said == ["1 of 2 homes have refused", "2 of 2 homes have refused"]


def test_a_home_that_was_late_for_the_sum_is_told_from_one_that_refused() -> None:
    answers = {
        "late": [run("r", "failed", "This home heard of the run too late.")],
        "no": [run("r", "refused", "No consent.")],
        "attacked": [run("r", "failed", "The roster is another.", evidence=[{}])],
    }
    found = verdict.absent(answers, JOB, ["late", "no", "attacked", "away"])
    assert set(found.unwilling) == {"no", "attacked"}
    assert set(found.late) == {"late", "away"}
    assert found.sentence.startswith("2 homes were not in time for the sum; most say (1): ")
    assert verdict.absent({}, JOB, []).sentence == ""


def test_a_job_without_result_says_what_most_homes_say() -> None:
    answers = {name: [run("r", "failed", "This home heard of the run too late.")] for name in ("a", "b")}
    error = verdict.failure({"state": "failed", "reason": "No home took part."}, answers, JOB, ["a", "b"])
    assert isinstance(error, RoundFailed)
    assert str(error) == (
        "The members' job did not run to its end (failed). No home took part. "
        "Of 2 homes that consented, 2 say: This home heard of the run too late."
    )


def test_a_busy_machine_is_given_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(machine, "_others_running", lambda: 1.0)
    idle = Machine.measured(0.5 * machine.IDLE_SECONDS)
    assert (idle.slowness, idle.words) == (1.0, "")
    assert idle.times(320) == {"vote_seconds": 15, "phase_seconds": 16, "poll_ms": 500}
    busy = Machine.measured(5 * machine.IDLE_SECONDS)
    assert busy.times(320) == {"vote_seconds": 35, "phase_seconds": 144, "poll_ms": 500}
    assert "5.0 times" in busy.words
    assert busy.advice(320, 12).endswith("or with fewer homes: --households 80.")
    assert "--households" not in busy.advice(12, 12)
    monkeypatch.setattr(machine, "_others_running", lambda: 12.0)
    assert Machine.measured(0.1).slowness == 6.0  # it was a lull
    assert Machine.measured(1e6).slowness == machine.SLOWEST


def test_the_promises_that_were_not_kept_are_named() -> None:
    report = Report(promises=[("one", True), ("two", False)])
    assert report.broken == "1 promise was not kept: two."
    report.promises.append(("three", False))
    assert report.broken == "2 promises were not kept: two; three."
    assert Report(promises=[("one", True)]).broken == ""


def test_a_step_whose_end_is_not_as_wanted_has_a_cross() -> None:
    out = io.StringIO()
    tell = Narrator(Console(file=out, width=80))
    with tell.step("run", "Secure aggregation") as step:
        step.say("no result")
        step.ok = False
    with pytest.raises(RoundFailed), tell.step("more", "More"):
        raise RoundFailed("No.")
    first, second = out.getvalue().splitlines()
    assert "✗ Secure aggregation: no result (" in first
    assert "✗ More (" in second


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_screen_and_none_runs_together(width: int) -> None:
    out = io.StringIO()
    tell = Narrator(Console(file=out, width=width))
    with tell.step("start", "Endorsed by 2 of 3 registrars, started, filled with own rows") as step:
        step.say("8 hosting processes, 4 homes alone in theirs, and a good many words more than fit into a line")
    tell.note("SELECT kids [bold] " + "word " * 40)
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "own rows: 8 hosting" in " ".join(out.getvalue().split())
    assert "[bold]" in out.getvalue()
    assert all(line == line.rstrip() for line in lines)
    assert all(line.startswith(" " * 11) for line in lines[1:])


def test_a_long_step_shows_where_there_is_no_terminal_that_it_goes_on() -> None:
    out = io.StringIO()
    tell = Narrator(Console(file=out, width=80), patience=0.01)
    with tell.step("join", "Joining") as step:
        step.say("3 of 9")
        deadline = time.monotonic() + 5
        while "…" not in out.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert "s … Joining: 3 of 9\n" in out.getvalue()


def test_logs_are_kept_where_there_are_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "empty.log").touch()
    assert keep_logs(logs) is None
    (logs / "home.log").write_text("said\n")
    kept = keep_logs(logs)
    assert kept is not None
    assert (kept / "home.log").read_text() == "said\n"
    assert kept.stat().st_mode & 0o77 == 0


SCRIPT = """
import sys
sys.path[0] = {project!r}
from deploy.demo import app
from vicinia.errors import RoundFailed

def play(self):
    daemon = {folder!r} + "/daemon.py"
    open(daemon, "w").write("import time; print('a daemon', flush=True); time.sleep(60)")
    self._processes.start("daemon", daemon)
    while not (self._folder / "logs" / "daemon.log").read_text():
        pass
    if {broken}:
        self._report.promises, self._report.advice = [("every home lived", False)], "Try again."
        return self._report
    raise RoundFailed("No home took part.", hint="Try again.")

app.Story.play = play
sys.exit(app.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("keep", [True, False], ids=["--keep", "not kept"])
@pytest.mark.parametrize("broken", [True, False], ids=["promise", "no result"])
def test_a_failed_demo_can_be_looked_at(tmp_path: Path, *, keep: bool, broken: bool) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    script = SCRIPT.format(project=str(PROJECT), folder=str(tmp_path), broken=broken)
    done = subprocess.run(
        [sys.executable, "-c", script, *(["--keep"] if keep else [])],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert done.returncode == 1
    said = "1 promise was not kept: every home lived. Try again." if broken else "No home took part. Try again."
    assert f"error: {said}\n" in done.stderr
    (left,) = temporary.iterdir()
    if keep:
        assert "still running" in done.stdout
        assert f"{left}/logs" in done.stdout
        subprocess.run([left / "end.sh"], check=True, timeout=30)
        assert not left.exists()
    else:
        assert f"kept in {left}" in done.stderr
        assert (left / "daemon.log").read_text() == "a daemon\n"
