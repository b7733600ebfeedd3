"""The whole chain with real processes over real mTLS: `./run demo`, small, with a home that dies in mid-run."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DEMO = Path(__file__).resolve().parents[2] / "deploy" / "demo"
FIELDS = {
    "ok", "households", "consenting", "dropped", "survivors", "privacy", "cells", "log", "seconds", "bytes_up_per_home",
    "node_rss_mb",
}  # fmt: skip
HOUSEHOLDS = 24


def demo(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the demo with its temporary folder inside ours."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    return subprocess.run(
        [sys.executable, str(DEMO), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
        env={**os.environ, "TMPDIR": str(temporary)},
    )


@pytest.mark.system
def test_a_small_cooperative_keeps_every_promise(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    done = demo(tmp_path, "--households", str(HOUSEHOLDS), "--processes", "2", "--drop", "1", "--json", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(out.read_text())
    assert set(found) == FIELDS
    assert found["ok"] is True
    _judge_counts(found)
    _judge_cells(found["cells"])
    assert found["privacy"]["epsilon"] == pytest.approx(2.0, abs=1e-6)
    assert found["privacy"]["delta"] == 1e-8
    assert len(bytes.fromhex(found["log"]["root"])) == 32
    assert found["log"]["size"] > 2 * HOUSEHOLDS
    assert 0 < found["node_rss_mb"] < 100
    assert "✗" not in done.stdout
    assert list((tmp_path / "tmp").glob("vicinia-demo-*")) == []
    assert _processes_of(tmp_path) == []


TRAININGS = {
    "logistic": 'recipe = "logistic"\nrounds = 2\nholdout = 0.5\n',
    "mlp": 'recipe = "mlp"\nrounds = 1\n[training.parameters]\nhidden_1 = 4\n[training.strategy]\nname = "FedAvg"\n',
}


@pytest.mark.system
@pytest.mark.parametrize("recipe", list(TRAININGS))
def test_a_small_cooperative_trains_a_model(tmp_path: Path, recipe: str) -> None:
    job, out = tmp_path / "JOB.toml", tmp_path / "out.json"
    job.write_text(
        'title = "Two children"\npurpose = "dpv:NonCommercialResearch"\nwhy = "Does it show?"\n'
        "[privacy]\nepsilon = 4.0\n"
        '[training]\ndataset = "budget"\nfeatures = ["food", "age"]\ntarget = "kids"\nexamples = 1\n'
        + TRAININGS[recipe]
    )
    # With homes that evaluate it takes more of them: neither part may be small, however the lot comes out.
    homes = ("28", "--refuse", "none") if recipe == "logistic" else ("12",)
    done = demo(tmp_path, "--households", *homes, "--processes", "1", "--job", str(job), "--json", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✗" not in done.stdout
    found = json.loads(out.read_text())
    assert set(found) == FIELDS | {"model"}
    model = found["model"]
    rounds, runs = (2, 3) if recipe == "logistic" else (1, 1)  # with homes that only evaluate there is a closing round
    assert (model["recipe"], model["rounds"]) == (recipe, rounds)
    assert len(model["seconds_per_round"]) == len(model["metrics"]) == runs
    assert found["survivors"] == found["consenting"]
    assert found["privacy"]["epsilon"] <= 4.0
    assert set(model["pooled"]["metrics"]) == set(model["plain_flower"]["metrics"]) == set(model["final"])
    assert [row["keys"]["input"] for row in model["coefficients"]] == (
        ["(intercept)", "food", "age"] if recipe == "logistic" else []
    )


@pytest.mark.system
def test_an_impossible_demo_says_what_is_wrong_and_leaves_nothing(tmp_path: Path) -> None:
    done = demo(tmp_path, "--households", "20", "--drop", "9")
    assert done.returncode == 2
    assert "bears at most" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "tmp").glob("vicinia-demo-*")) == []


@pytest.mark.system
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP], ids=["Ctrl-C", "closed terminal"])
def test_an_interrupted_demo_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, str(DEMO), "--households", "12", "--processes", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
        # As in a terminal: what runs in the background of a script inherits that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "Founded" in line:  # the coordinator runs, and homes are joining
            break
    process.send_signal(number)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted" in rest
    assert "Traceback" not in rest
    assert list(temporary.glob("vicinia-demo-*")) == []
    assert _processes_of(tmp_path) == []


def _judge_counts(found: dict[str, Any]) -> None:
    refusing = [
        i for i in range(HOUSEHOLDS) if int(hashlib.sha256(f"budget:{i}".encode()).hexdigest()[-8:], 16) % 5 == 0
    ]
    assert found["households"] == HOUSEHOLDS
    assert found["consenting"] == HOUSEHOLDS - len(refusing)
    # A home that is killed just after it has sent its vector is in the sum all the same.
    assert found["dropped"] in (0, 1)
    assert found["survivors"] == found["consenting"] - found["dropped"]


def _judge_cells(cells: list[dict[str, Any]]) -> None:
    assert {cell["keys"]["kids"] for cell in cells} == {1, 2}
    assert {cell["column"] for cell in cells} == {"COUNT(DISTINCT household)", "AVG(fuel)"}
    for cell in cells:
        assert set(cell) == {"keys", "column", "value", "stderr", "pooled"}
        if cell["value"] is not None and cell["pooled"] is not None:
            assert abs(cell["value"] - cell["pooled"]) <= 5.5 * cell["stderr"]


def _processes_of(tmp_path: Path) -> list[str]:
    """Command lines that name our folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(tmp_path / "tmp") in words:
            found.append(words)
    return found
