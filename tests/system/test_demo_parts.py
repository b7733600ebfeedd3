"""The demo's own parts: who plays which part, which households there are, processes that always end."""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from data import PROJECT
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from vicinia.assembly.bylaws import ByLaws
from vicinia.coordinator.client.cohort import Cohort
from vicinia.errors import InvalidInput, RoundFailed
from vicinia.query.mapping import parse_map

from deploy.demo.arguments import FEWEST, Refusal, parse_arguments, parse_refusal
from deploy.demo.choices import cast_homes, refuses, require_cohort, require_parts
from deploy.demo.data import built_in, households
from deploy.demo.processes import Supervisor
from deploy.demo.question import Question
from deploy.demo.report import Report
from deploy.demo.show import Narrator, Row
from deploy.demo.steward import BYLAWS
from deploy.demo.waiting import wait_until

DEMO = PROJECT / "deploy" / "demo"


def test_the_refusal_rule_is_the_shared_one() -> None:
    for household in map(str, range(50)):
        expected = int(hashlib.sha256(f"budget:{household}".encode()).hexdigest()[-8:], 16) % 5 == 0
        assert refuses(Refusal("sha256"), "budget", household, seed=1) is expected
        assert not refuses(Refusal("none"), "budget", household, seed=1)


def test_a_fraction_refuses_about_so_many_and_the_same_ones_again() -> None:
    rule = parse_refusal("0.3")
    chosen = [refuses(rule, "budget", str(i), seed=7) for i in range(2000)]
    assert chosen == [refuses(rule, "budget", str(i), seed=7) for i in range(2000)]
    assert 500 < sum(chosen) < 700


@pytest.mark.parametrize("text", ["1.5", "-0.1", "some", "nan", ""])
def test_what_is_no_refusal_rule_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        parse_refusal(text)


@settings(max_examples=60)
@given(count=st.integers(20, 400), processes=st.integers(1, 9), drop=st.integers(0, 3), seed=st.integers(0, 99))
def test_every_household_has_one_place_and_one_vote(count: int, processes: int, drop: int, seed: int) -> None:
    names = [f"h{i}" for i in range(count)]
    try:
        cast = cast_homes(names, "budget", Refusal("sha256"), processes=processes, lone=4 + drop, drop=drop, seed=seed)
    except InvalidInput:
        assert drop > count * 0.05
        return
    assert sorted(cast.everybody) == sorted(names)
    assert len(cast.lone) == 4 + drop
    assert sorted([cast.by_hand, *(name for group in cast.votes.values() for name in group)]) == sorted(names)
    assert set(cast.dropped) <= set(cast.consenting) & set(cast.lone) - {*cast.registrars, cast.witness}
    assert set(cast.survivors) == set(cast.consenting) - set(cast.dropped)
    assert len(cast.votes["yes"]) > len(cast.votes["no"]) >= len(cast.votes["abstain"])


def test_more_than_a_run_bears_cannot_be_dropped() -> None:
    names = [str(i) for i in range(40)]
    with pytest.raises(InvalidInput, match="bears at most 4"):
        cast_homes(names, "budget", Refusal("none"), processes=1, lone=9, drop=5, seed=1)


def test_the_built_in_data_fits_its_map(tmp_path: Path) -> None:
    source, map_path = built_in(tmp_path)
    definition, mapping = parse_map(map_path.read_text())
    found = households(definition.name, mapping, source, map_path, wanted=1519, least=1519)
    assert found.names == tuple(map(str, range(1519)))
    header = source.read_text().splitlines()[0].split(",")
    assert set(mapping.needs()) <= set(header)
    with pytest.raises(InvalidInput, match="only 1519"):
        households(definition.name, mapping, source, map_path, wanted=1520, least=1520)


def test_households_are_named_by_their_column_each_once(tmp_path: Path) -> None:
    data, map_path = tmp_path / "readings.csv", tmp_path / "MAP.toml"
    data.write_text("VID,kwh\n7,1\n8,1\n7,2\n\n9,1\n")
    map_path.write_text(
        'dataset = "power"\ndescription = "Power"\ncategory = "pd:Physical"\nfile = "readings.csv"\n'
        'household = "VID"\n[columns]\nkwh = { type = "real", low = 0, high = 9 }\n'
    )
    _, mapping = parse_map(map_path.read_text())
    assert households("power", mapping, data, map_path, wanted=5, least=3).names == ("7", "8", "9")
    assert households("power", mapping, tmp_path, map_path, wanted=2, least=2).names == ("7", "8")
    data.write_text("VID,kwh\n../evil,1\n")
    with pytest.raises(InvalidInput, match="cannot be the name of a folder"):
        households("power", mapping, data, map_path, wanted=1, least=1)


def test_contradicting_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="belong together"):
        parse_arguments(["--data", str(tmp_path)])
    with pytest.raises(InvalidInput, match="nothing at"):
        parse_arguments(["--job", str(tmp_path / "none.toml")])
    with pytest.raises(InvalidInput, match="not a text file"):
        parse_arguments(["--job", str(tmp_path)])


@pytest.mark.parametrize(
    ("words", "where", "says"),
    [
        (["--households", "many"], "--households", "It must be a whole number between 12 and 5000."),
        (["--households", "11"], "--households", "between 12 and 5000"),
        (["--refuse", "some"], "--refuse", "It must be none, sha256 or a fraction"),
        (["found"], "command line", "Unrecognized arguments: found."),
        (["--house", "20"], "command line", "Unrecognized arguments: --house 20."),
    ],
)
def test_a_wrong_command_line_is_one_sentence(words: list[str], where: str, says: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_arguments(words)
    assert refusal.value.where == where
    assert says in str(refusal.value)
    assert "--help" in refusal.value.hint


def test_help_names_every_range(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_arguments(["--help"])
    assert ended.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for words in ("12 to 5000", "1 to 64", "0 to 500", "Exit status: 0 when"):
        assert words in text


@pytest.mark.parametrize("wrong", ["map", "rows", "words"])
def test_what_cannot_be_played_ends_with_the_status_of_a_wrong_command(tmp_path: Path, wrong: str) -> None:
    data, map_path = tmp_path / "readings.csv", tmp_path / "MAP.toml"
    data.write_text("VID,kids,sfuel\n7,1,0.1\n8,2,0.2\n")
    columns = re.findall(r"^(?:kids|fuel) .*\n", (DEMO / "MAP.toml").read_text(), re.MULTILINE)
    head = 'dataset = "budget"\ndescription = "Few"\ncategory = "pd:Financial"\nhousehold = "VID"\n[columns]\n'
    map_path.write_text("dataset = 1" if wrong == "map" else head + "".join(columns))
    words = ["--frobnicate"] if wrong == "words" else ["--data", str(data), "--map", str(map_path)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, str(DEMO), *words], capture_output=True, text=True, check=False, timeout=60, env=environment
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    said = {"map": "MAP.toml", "rows": "at least 12", "words": "--frobnicate"}[wrong]
    assert said in done.stderr


@pytest.mark.parametrize(
    ("fails", "says"), [("ZeroDivisionError('a value')", "defect"), ("PermissionError(13, 'denied', 'x')", "refused")]
)
def test_a_defect_of_the_demo_is_one_sentence_that_names_a_file(tmp_path: Path, fails: str, says: str) -> None:
    script = (
        f"import sys; sys.path[0] = {str(PROJECT)!r}\nfrom deploy.demo import app\n"
        f"def play(self): raise {fails}\napp.Story.play = play\nsys.exit(app.main([]))"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert says in done.stderr
    assert "a value" not in done.stderr
    (details,) = tmp_path.iterdir()
    assert str(details) in done.stderr
    assert details.read_text().startswith("Traceback")
    assert fails.partition("(")[0] in details.read_text()


@pytest.mark.parametrize(
    ("count", "rule", "floor", "where", "says"),
    [
        (12, "0.5", 5, "--refuse", "only 5 would consent. At least 6 of the 12 members must"),
        (24, "0.95", 5, "--refuse", "Let fewer refuse: --refuse 0."),
        (320, "1", 5, "--refuse", "At least 23 of the 320 members"),
        (320, "none", 400, "--households", "Take a floor of 272 or less in the job or --households 471 or more."),
    ],
)
def test_too_few_who_consent_are_refused_at_once(count: int, rule: str, floor: int, where: str, says: str) -> None:
    names = [str(home) for home in range(count)]
    cast = cast_homes(names, "budget", parse_refusal(rule), processes=2, lone=4, drop=0, seed=1)
    with pytest.raises(InvalidInput) as refusal:
        require_cohort(cast, "budget", ByLaws.from_toml(BYLAWS.read_text()), floor, seed=1)
    assert refusal.value.where == where
    assert says in str(refusal.value)
    if where == "--refuse":  # what it advises is enough
        advised = parse_refusal(refusal.value.hint.split()[-3])
        cast = cast_homes(names, "budget", advised, processes=2, lone=4, drop=0, seed=1)
        require_cohort(cast, "budget", ByLaws.from_toml(BYLAWS.read_text()), floor, seed=1)


def test_homes_that_are_too_few_to_be_parted_are_refused_at_once() -> None:
    bylaws = ByLaws.from_toml(BYLAWS.read_text())
    definitions = {"budget": parse_map((DEMO / "MAP.toml").read_text())[0]}

    def require(count: int) -> None:
        names = list(map(str, range(count)))
        cast = cast_homes(names, "budget", Refusal("none"), processes=1, lone=4, drop=0, seed=1)
        question = Question(DEMO / "training" / "budget" / "JOB.toml")
        question.check(definitions)
        require_parts(cast, question.training, bylaws, bylaws.floor)

    require(40)
    with pytest.raises(InvalidInput, match=r"to hold out 0\.35 of them takes 18: each part must cover 5 honest homes"):
        require(17)


def test_too_few_homes_are_told_before_anything_is_founded(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    words = ["--households", "12", "--refuse", "0.9"]
    done = subprocess.run(
        [sys.executable, str(DEMO), *words], capture_output=True, text=True, check=False, timeout=60, env=environment
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: --refuse: Of 12 households only ")
    assert done.stderr.count("\n") == 1
    assert "A cooperative" not in done.stdout


@pytest.mark.parametrize("count", [*range(FEWEST, 40), 320])
def test_so_many_homes_that_enough_of_them_consent(count: int) -> None:
    bylaws = ByLaws.from_toml((DEMO / "BYLAWS.toml").read_text(), "BYLAWS.toml")
    consenting = sum(not refuses(Refusal("sha256"), "budget", str(home), seed=1) for home in range(count))
    assert 0 < Cohort.of(bylaws.floor, bylaws, count).needed <= consenting
    cast = cast_homes(list(map(str, range(count))), "budget", Refusal("sha256"), processes=1, lone=4, drop=0, seed=1)
    require_cohort(cast, "budget", bylaws, bylaws.floor, seed=1)
    assert "floor" not in (DEMO / "JOB.toml").read_text()  # so that of the by-laws holds


def test_few_homes_drown_and_many_do_not() -> None:
    clear, lost = Row({}, "AVG(x)", 0.09, 0.01, 0.08), Row({}, "AVG(x)", None, None, 0.08, "below noise")
    assert not clear.drowned
    assert lost.drowned
    assert Row({}, "AVG(x)", 0.09, 0.05, 0.08).drowned
    assert Report(cells=(lost, lost, clear)).drowned
    assert not Report(cells=(lost, clear, clear)).drowned
    assert not Report(cells=(lost, clear, clear), drowning="Beside the figures this counts for nothing.").closing
    assert Report(cells=(lost,), survivors=12).closing.startswith(
        "The figures above drown in noise, as they must: 12 homes"
    )
    assert not Report().closing
    assert Report(survivors=12, drowning="It takes about 600 homes.").closing.endswith(
        "does. It takes about 600 homes."
    )


def test_the_table_says_what_its_heads_mean() -> None:
    out = io.StringIO()
    rows = [Row({"kids": 1}, "AVG(fuel)", -0.15, 0.25, 0.07, "outside of its bounds, by noise")]
    Narrator(Console(file=out, width=140)).result("Fuel", rows)
    text = out.getvalue()
    for head in ("published", "± noise", "true", "off by", "× noise"):
        assert text.count(head) >= 2 or head == "off by"
    assert "outside of its bounds, by noise" in text
    for jargon in ("pooled", "stderr"):
        assert jargon not in text


def test_no_process_outlives_its_supervisor(tmp_path: Path) -> None:
    stubborn = tmp_path / "stubborn.py"
    stubborn.write_text(
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    processes = Supervisor(tmp_path / "logs", end_seconds=0.5)
    pid = processes.start("stubborn", str(stubborn))
    log = tmp_path / "logs" / "stubborn.log"
    while not log.read_text().strip():
        time.sleep(0.02)
    child = int(log.read_text())
    processes.end_all()
    time.sleep(0.1)
    assert not _alive(pid)
    assert not _alive(child)


def test_a_daemon_that_dies_is_noticed_with_its_last_words(tmp_path: Path) -> None:
    dying = tmp_path / "dying.py"
    dying.write_text("import sys; print('no more disk'); sys.exit(9)")
    processes = Supervisor(tmp_path / "logs")
    processes.start("dying", str(dying))
    with pytest.raises(RoundFailed, match="no more disk"):
        wait_until(lambda: False, seconds=5, what="nothing", processes=processes)


def _alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
