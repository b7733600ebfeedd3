"""vicinia-node jobs: what waits for the members, which runs asked for this home, and why it took part or refused."""

from __future__ import annotations

import argparse
import hashlib

from vicinia.errors import NotFound, ViciniaError
from vicinia.node.commands import waiting_list
from vicinia.node.commands.context import Context, Subparsers
from vicinia.node.commands.naming import named
from vicinia.node.output import show, table, when
from vicinia.node.services import release
from vicinia.node.store.home import Home
from vicinia.node.store.offences import Offences
from vicinia.node.store.releases import Released, Releases
from vicinia.node.store.runs import Line, Run, Runs
from vicinia.tlog.canonical import parse_canonical

__all__ = ["add", "run"]

_CONFIRMED = {
    "shown": "as the coordinator shows it (the log does not have it yet)",
    "logged": "the one whose hash is in the log",
    "differs": "NOT the one whose hash is in the log",
}
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
        help="the jobs that wait for you, and what became of the others",
        description="List the jobs that wait for a sponsor or for votes, with what your home would do; then those that "
        "asked for your data, with what your home decided, and why.",
        epilog="example: vicinia-node jobs 3f2a9b1c04d5 --why",
    )
    parser.add_argument(
        "job", nargs="?", metavar="JOB", help="this job only: its name, or 6 and more of its first digits"
    )
    parser.add_argument("--why", action="store_true", help="every check, one line each")
    parser.set_defaults(run=run)


def run(context: Context, arguments: argparse.Namespace) -> int:
    """List what waits, and the runs of every selected home."""
    with context.homes() as homes:
        tray = waiting_list.collect(context, homes)
        runs = {name: Runs(home.database).all() for name, home in homes.items()}
        chosen = None
        if arguments.job is not None:
            known = {one.job_hash for found in runs.values() for one in found} | {one.job_hash for one in tray.jobs}
            chosen = named(arguments.job, known)
            if chosen not in known:
                raise NotFound("No such job is known here.", where=f"job {chosen.hex()}", hint="See: vicinia-node jobs")
        document: dict[str, object] = {}
        lines: list[str] = []
        for name, home in homes.items():
            found = [one for one in runs[name] if chosen in (None, one.job_hash)]
            document[name] = [_document(home, one) for one in found]
            for one in found:
                lines += _lines(home, one, arguments.why)
    waiting = [one for one in tray.jobs if chosen in (None, one.job_hash)]
    head = waiting_list.lines(waiting, tray)
    body = ["Asked for your data:", *lines] if lines and waiting else lines
    body = body or ([] if waiting else ["No job has asked for your data yet."])
    show(context.as_json, {"homes": document, **waiting_list.document(waiting, tray)}, [*head, *body])
    return 0


def _title(one: Run) -> str:
    try:
        return str(parse_canonical(one.job, where="job").get("title", ""))
    except ViciniaError:
        return ""


def _document(home: Home, one: Run) -> dict[str, object]:
    shown = Releases(home.database).of_run(one.run_id)
    return {
        "job": one.job_hash.hex(),
        "run_id": one.run_id.hex(),
        "run": one.number,
        "title": _title(one),
        "state": one.step,
        "reason": one.reason,
        "updated_ms": one.updated_ms,
        "checks": [{"name": c.name, "ok": c.ok, "sentence": c.sentence} for c in _checks(home, one)],
        "evidence": [
            {"step": o.step, "message": o.kind, "what": o.what, "at_ms": o.at_ms, "bytes": o.message.hex()}
            for o in Offences(home.database).of_run(one.run_id)
        ],
        "release": None
        if shown is None
        else {"state": shown.state, "sha256": hashlib.sha256(shown.body).hexdigest(), "cells": release.cells(shown)},
    }


def _lines(home: Home, one: Run, why: bool) -> list[str]:
    state = _STATES.get(one.step, f"taking part ({one.step})")
    reason = f": {one.reason}" if one.reason else ""
    lines = [f"{home.name}  {when(one.updated_ms)}  {_title(one)!r}  {state}{reason}", f"  job {one.job_hash.hex()}"]
    if why:
        lines += [f"  [{'yes' if check.ok else ' NO'}] {check.name}: {check.sentence}" for check in _checks(home, one)]
        lines += [
            f"  evidence: the {o.kind} that came after the step {o.step}, {len(o.message)} bytes, is kept ({o.what})"
            for o in Offences(home.database).of_run(one.run_id)
        ]
    shown = Releases(home.database).of_run(one.run_id)
    return lines if shown is None else lines + _result(shown)


def _checks(home: Home, one: Run) -> list[Line]:
    return Runs(home.database).lines(one.run_id)


def _result(shown: Released) -> list[str]:
    """What was released, for the members whose data is in it; of a round that it was, and no figures."""
    rows = [
        (_words(cell.get("keys")), str(cell.get("column", "")), _number(cell.get("value")), _number(cell.get("stderr")))
        for cell in release.cells(shown)
    ]
    head = f"  result, {_CONFIRMED[shown.state]}"
    if not rows:
        return [head]
    listed = table(("group", "figure", "value", "error +-"), rows)
    return [f"{head}:", *(f"    {line}" for line in listed)]


def _words(keys: object) -> str:
    return ", ".join(f"{name} {value}" for name, value in keys.items()) if isinstance(keys, dict) else ""


def _number(text: object) -> str:
    try:
        return f"{float(str(text)):.5g}"
    except ValueError:
        return "below noise" if text is None else "?"
