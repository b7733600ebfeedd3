"""vicinia-node jobs: which runs asked for this home, and why it took part or refused."""

from __future__ import annotations

import argparse

from vicinia.errors import ViciniaError
from vicinia.node.commands.context import Context, Subparsers
from vicinia.node.output import show, when
from vicinia.node.store.home import Home
from vicinia.node.store.runs import Run, Runs
from vicinia.tlog.canonical import parse_canonical

__all__ = ["add", "run"]

_STATES = {
    "considering": "being decided",
    "refused": "REFUSED",
    "finished": "finished",
    "failed": "ended without result",
}


def add(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "jobs",
        parents=[common],
        help="which jobs asked for your data, and what your home decided",
        epilog="example: vicinia-node jobs --why",
    )
    parser.add_argument("--why", action="store_true", help="every check, one line each")
    parser.set_defaults(run=run)


def run(context: Context, arguments: argparse.Namespace) -> int:
    """List the runs of every selected home."""
    document: dict[str, object] = {}
    lines: list[str] = []
    with context.homes() as homes:
        for name, home in homes.items():
            runs = Runs(home.database)
            document[name] = [_document(runs, one) for one in runs.all()]
            for one in runs.all():
                lines += _lines(home, one, arguments.why)
    show(context.as_json, {"homes": document}, lines or ["No job has asked for your data yet."])
    return 0


def _title(one: Run) -> str:
    try:
        return str(parse_canonical(one.job, where="job").get("title", ""))
    except ViciniaError:
        return ""


def _document(runs: Runs, one: Run) -> dict[str, object]:
    return {
        "job": one.job_hash.hex(),
        "run_id": one.run_id.hex(),
        "run": one.number,
        "title": _title(one),
        "state": one.step,
        "reason": one.reason,
        "updated_ms": one.updated_ms,
        "checks": [{"name": c.name, "ok": c.ok, "sentence": c.sentence} for c in runs.lines(one.run_id)],
    }


def _lines(home: Home, one: Run, why: bool) -> list[str]:
    state = _STATES.get(one.step, f"taking part ({one.step})")
    reason = f": {one.reason}" if one.reason else ""
    lines = [f"{home.name}  {when(one.updated_ms)}  {_title(one)!r}  {state}{reason}", f"  job {one.job_hash.hex()}"]
    if why:
        checks = Runs(home.database).lines(one.run_id)
        lines += [f"  [{'yes' if check.ok else ' NO'}] {check.name}: {check.sentence}" for check in checks]
    return lines
