"""The demo's own parts: who plays which part, which households there are, processes that always end."""

from __future__ import annotations

import argparse
import hashlib
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vicinia.errors import InvalidInput, RoundFailed
from vicinia.query.mapping import parse_map

from deploy.demo.arguments import Refusal, parse_arguments, parse_refusal
from deploy.demo.choices import cast_homes, refuses
from deploy.demo.data import built_in, households
from deploy.demo.processes import Supervisor
from deploy.demo.waiting import wait_until


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
    with pytest.raises(SystemExit):
        parse_arguments(["--households", "many"])


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
