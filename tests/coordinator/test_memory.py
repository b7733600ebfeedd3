"""What a process keeps of large blocks that it has freed."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

# Blocks as a round has them, each with something small behind it that stays.
ROUND = """
import sys
from vicinia.coordinator.memory import give_back_large

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

if sys.argv[1] == "given back":
    give_back_large()
bytearray(16 << 20)
before, large, small = resident(), [], []
for _ in range(30):
    large.append(b"x" * (4 << 20))
    small.append(b"y" * 300_000)
large.clear()
print((resident() - before) >> 20)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library has no mallopt")
@pytest.mark.parametrize(("what", "variable"), [("given back", False), ("kept", False), ("given back", True)])
def test_nothing_large_is_kept_once_it_is_freed(what: str, variable: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    if variable:  # the steward wants it otherwise
        environment["MALLOC_MMAP_THRESHOLD_"] = str(32 << 20)
    done = subprocess.run(
        [sys.executable, "-c", ROUND, what], env=environment, check=True, capture_output=True, text=True
    )
    assert (int(done.stdout) < 30) == (what == "given back" and not variable)
