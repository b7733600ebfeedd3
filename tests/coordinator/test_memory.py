"""What `serve` keeps of large blocks that were freed."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

# Blocks as a round has them, each with something smaller behind it that stays; printed is what they leave, in MiB.
ROUND = """
import sys
from pathlib import Path
from vicinia.coordinator import serving
from vicinia.coordinator.config import Folder

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

def a_round(*_):
    bytearray(16 << 20)
    before, large, small = resident(), [], []
    for _ in range(30):
        large.append(b"x" * (4 << 20))
        small.append(b"y" * 300_000)
    large.clear()
    print((resident() - before) >> 20)

if sys.argv[1] == "served":
    serving._serve = a_round
    serving.serve(Folder(Path("nowhere")), None, None)
else:
    a_round()
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library has no mallopt")
@pytest.mark.parametrize(("how", "variable"), [("served", False), ("patched-out", False), ("served", True)])
def test_nothing_large_is_kept_once_it_is_freed(how: str, variable: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    if variable:  # the steward wants it otherwise
        environment["MALLOC_MMAP_THRESHOLD_"] = str(32 << 20)
    done = subprocess.run(
        [sys.executable, "-c", ROUND, how], env=environment, check=True, capture_output=True, text=True
    )
    assert (int(done.stdout) < 30) == (how == "served" and not variable)
