"""The worker as the daemon sees it: what comes back over its standard output."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from vicinia.node.services.spawn import WorkerProcess

WORKER = r"""
import sys
task = sys.stdin.readline()
print("a library has something to say", "{}", "[1]", '{"home": 3, "run": "zz"}', task, sep="\n", flush=True)
sys.stdin.read()
"""


def test_what_is_no_answer_of_the_worker_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told, done = list[tuple[str, float | None]](), threading.Event()

    def tell(home: str, following: float | None) -> None:
        told.append((home, following))
        done.set()

    worker = WorkerProcess(tmp_path, many=False)
    monkeypatch.setattr(worker, "_command", [sys.executable, "-c", WORKER])
    worker.when_done(tell)
    worker.assign("mill", bytes(32))
    try:
        assert done.wait(10)
    finally:
        worker.close()
    assert told == [("mill", None)]
