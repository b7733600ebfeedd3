"""The worker's memory is bounded, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import numpy as np
from vicinia.node.services.memory import bound

bound(1)
kept = np.ones(2**24)
try:
    np.ones(2**28)
except MemoryError:
    print("refused", kept.nbytes)
bound(30)
print("allowed", np.ones(2**27).nbytes)
"""


def test_a_worker_gets_no_more_memory_than_its_homes_need() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["refused", str(2**27), "allowed", str(2**30)], done.stderr
