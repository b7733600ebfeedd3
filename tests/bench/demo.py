"""How long the default demo takes, as its own report says: seconds by phase, bytes that leave a home, memory.

The CPU of all its processes says what the machine's cores must do at the least, however busy they are otherwise.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

__all__ = ["measure"]

DEMO = Path(__file__).resolve().parents[2] / "deploy" / "demo"
LONGEST_SECONDS = 300.0


def measure() -> list[tuple[str, str]]:
    """One run with the environment installed (warm); its exit status and words where it fails."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "demo.json"
        began, before = time.monotonic(), _children()
        done = subprocess.run(
            [sys.executable, DEMO, "--json", out],
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_SECONDS,
        )
        wall, cpu = time.monotonic() - began, _children() - before
        if not out.exists():
            return [("default demo", f"failed: {(done.stderr.strip() or done.stdout.strip())[-300:]}")]
        report = json.loads(out.read_text())
    homes = report["households"]
    broken = [line.strip() for line in done.stdout.splitlines() if "✗" in line]
    took = f"{wall:.0f} s (target 60 s)" if done.returncode == 0 else f"{wall:.0f} s, FAILED: {'; '.join(broken)}"
    return [
        (f"default demo, {homes} homes, {report['survivors']} survivors: wall", took),
        ("default demo: CPU of all processes", f"{cpu:.0f} s"),
        *((f"default demo: {phase}", f"{seconds:.1f} s") for phase, seconds in report["seconds"].items()),
        ("default demo: bytes up, each home", f"{report['bytes_up_per_home']:,.0f}"),
        ("default demo: memory of a home's daemon", f"{report['node_rss_mb']:.1f} MB (target 70 MB)"),
    ]


def _children() -> float:
    """CPU seconds of every process that was started from here and has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
