"""The demo's entry: options, the folder it lives in, and an end that leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console
from vicinia.errors import InvalidInput, NotFound, ViciniaError

from deploy.demo.arguments import FIGURES_SHOW, Options, parse_arguments
from deploy.demo.ending import keep_logs, leave_running
from deploy.demo.processes import Supervisor
from deploy.demo.report import Report
from deploy.demo.show import Narrator
from deploy.demo.story import Story

__all__ = ["main"]

INTERRUPTED = 130
USAGE = 2
WIDTH = 120  # where the output is no terminal


def main(argv: Sequence[str]) -> int:
    """Run the demo; 0 when everything was as promised, 1 when not, 2 for a wrong command line or unfit data.

    A defect of the demo itself is one sentence, too; its traceback goes to a file.
    """
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        return _started(argv, errors)
    except Exception as defect:
        errors.print(f"error: {_reported(defect)}", markup=False)
        return 1


def _started(argv: Sequence[str], errors: Console) -> int:
    try:
        options = parse_arguments(list(argv))
    except ViciniaError as error:
        errors.print(f"error: {error}", markup=False)
        return USAGE
    for number in (signal.SIGTERM, signal.SIGHUP):  # a closed terminal ends the demo as Ctrl-C does
        signal.signal(number, _interrupt)
    folder = Path(tempfile.mkdtemp(prefix="vicinia-demo-"))
    processes = Supervisor(folder / "logs")
    status = 1  # that of a defect, too
    try:
        report = _play(options, folder, processes)
        status = 0 if report.ok else 1
        if report.broken:
            errors.print(f"error: {report.broken[:1].upper()}{report.broken[1:]} {report.advice}", markup=False)
    except ViciniaError as error:
        errors.print(f"error: {error}", markup=False)
        status = USAGE if isinstance(error, InvalidInput | NotFound) else 1
    except KeyboardInterrupt:
        errors.print("Interrupted: every process is ended and the folder removed")
        status = INTERRUPTED
    finally:
        if options.keep and status in (0, 1) and processes.running:
            leave_running(folder, processes)
        else:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave a process behind
            processes.end_all()
            if status == 1:
                kept = keep_logs(folder / "logs")
                if kept is not None:
                    errors.print(f"The logs of all its processes are kept in {kept}", markup=False)
            shutil.rmtree(folder, ignore_errors=True)
    return status


def _play(options: Options, folder: Path, processes: Supervisor) -> Report:
    own = sys.stdout.isatty() or bool(os.environ.get("COLUMNS"))
    tell = Narrator(Console(highlight=False, width=None if own else WIDTH))
    if options.households is not None and options.households < FIGURES_SHOW:
        tell.caution(
            f"{options.households} homes are few: the noise that protects each of them will drown the figures. Every "
            f"step is real all the same. A query shows something from {FIGURES_SHOW} homes on, a model from many more."
        )
    report = Story(options, folder, processes, tell).play()
    if report.closing:
        tell.caution(report.closing)
    if options.json is not None:
        options.json.write_text(json.dumps(report.payload(), indent=1) + "\n")
    return report


def _reported(defect: Exception) -> str:
    """Write a defect's traceback to a file of its own, which outlives the demo's folder; the sentence that names it."""
    if isinstance(defect, OSError):
        where = f"{defect.filename}: " if defect.filename else ""
        what = f"{where}The system refused ({defect.strerror or type(defect).__name__})."
    else:
        what = f"The demo has a defect ({type(defect).__name__}). Please report it to its makers."
    try:
        with tempfile.NamedTemporaryFile("w", prefix="vicinia-demo-defect-", suffix=".txt", delete=False) as file:
            file.write("".join(traceback.format_exception(defect)))
    except OSError:
        return what
    return f"{what} The details are in {file.name}."


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
