"""How long the default demos take, as their own reports say: seconds by phase, bytes that leave a home, memory.

The CPU of all processes says what the machine's cores must do at the least, however busy they are otherwise.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

__all__ = ["measure"]

DEMO = Path(__file__).resolve().parents[2] / "deploy" / "demo"
LONGEST_SECONDS = 300.0


def measure() -> list[tuple[str, str]]:
    """One run of each default demo with the environment installed (warm)."""
    return _query() + _training()


def _query() -> list[tuple[str, str]]:
    name, before = "default demo", _children()
    report, took, failed = _run()
    if report is None:
        return [(name, failed)]
    cpu = _children() - before
    return [
        (
            f"{name}, {report['households']} homes, {report['survivors']} survivors: wall",
            f"{took:.0f} s (target 60 s){failed}",
        ),
        (f"{name}: CPU of all processes", f"{cpu:.0f} s"),
        *((f"{name}: {phase}", f"{seconds:.1f} s") for phase, seconds in report["seconds"].items()),
        (f"{name}: bytes up, each home", f"{report['bytes_up_per_home']:,.0f}"),
        (f"{name}: memory of a home's daemon", f"{report['node_rss_mb']:.1f} MB (target 70 MB)"),
    ]


def _training() -> list[tuple[str, str]]:
    name = "default training demo"
    report, took, failed = _run("--job", "train")
    if report is None:
        return [(name, failed)]
    rounds = report["model"]["seconds_per_round"]
    each = ", ".join(f"{seconds:.1f}" for seconds in rounds)
    return [
        (f"{name}, {report['households']} homes: wall", f"{took:.0f} s{failed}"),
        (f"{name}: a round", f"{median(rounds):.1f} s (target 6 s), of {each}"),
    ]


def _run(*words: str) -> tuple[dict[str, Any] | None, float, str]:
    """(its report, seconds of wall time, what failed in it): its exit status and words."""
    with tempfile.TemporaryDirectory() as name:
        out, began = Path(name) / "demo.json", time.monotonic()
        done = subprocess.run(
            [sys.executable, DEMO, *words, "--json", out],
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_SECONDS,
        )
        took = time.monotonic() - began
        if not out.exists():
            return None, took, f"failed: {(done.stderr.strip() or done.stdout.strip())[-300:]}"
        broken = [line.strip() for line in done.stdout.splitlines() if "✗" in line]
        failed = "" if done.returncode == 0 else f", FAILED: {'; '.join(broken)}"
        return json.loads(out.read_text()), took, failed


def _children() -> float:
    """CPU seconds of every process that was started from here and has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
