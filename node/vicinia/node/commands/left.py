"""vicinia-node left: what left home, whether the record is whole, and the exact content."""

from __future__ import annotations

import argparse
import json
import struct

from vicinia.errors import InvalidInput, NotFound, ViciniaError
from vicinia.node.commands.context import Context, Subparsers
from vicinia.node.commands.naming import SHOWN, named
from vicinia.node.output import counted, show, table, when
from vicinia.node.services import departures as chain
from vicinia.node.store.departures import Departures
from vicinia.node.store.home import Home
from vicinia.node.store.runs import Runs
from vicinia.query.legend import slot_labels

__all__ = ["add", "run"]


def add(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "left",
        parents=[common],
        help="what left home: when, for whom, what, at which cost",
        description="Everything that ever left your home: when, for whom, why, what, at which cost. It is "
        "a chain of hashes that --verify recomputes, so that nothing in it can be changed or taken out unnoticed.",
        epilog="example: vicinia-node left --verify",
    )
    parser.add_argument("--verify", action="store_true", help="check that nothing in the record was changed")
    parser.add_argument(
        "--vector",
        metavar="RUN",
        help="the exact numbers of a run (6 and more of its first digits), before noise and mask",
    )
    parser.set_defaults(run=run)


def run(context: Context, arguments: argparse.Namespace) -> int:
    """List, verify, or show a vector."""
    if arguments.verify and arguments.vector is not None:
        raise InvalidInput("Say --verify or --vector, not both.", where="left")
    with context.homes() as homes:
        if arguments.verify:
            return _verify(context, homes)
        if arguments.vector is not None:
            return _vector(context, homes, arguments.vector)
        return _list(context, homes)


def _list(context: Context, homes: dict[str, Home]) -> int:
    document: dict[str, object] = {}
    rows: list[tuple[str, ...]] = []
    for name, home in homes.items():
        runs = Runs(home.database)
        records = [
            chain.describe(one) | {"bytes_of_run": runs.bytes_up(one.run_id)}
            for one in Departures(home.database).links()
        ]
        document[name] = records
        for one in records:
            cost = f"rho {int(str(one['rho_nano'])) / 1e9:.4f}"
            datasets = one["datasets"]
            names = ", ".join(datasets) if isinstance(datasets, list) else ""
            rows.append(
                (name, when(int(str(one["at_ms"]))), _title(one), str(one["recipient"]), names,
                 f"{one['bytes']} of {one['bytes_of_run']}", cost, str(one["run_id"])[:SHOWN])
            )  # fmt: skip
    header = ("home", "when", "what for", "recipient", "data", "bytes of all in the run", "cost", "run")
    show(context.as_json, {"homes": document}, table(header, rows) or ["Nothing has left."])
    return 0


_PARTS = {
    "scales": "sums by which the inputs are standardised",
    "evaluates": "evaluated the model",
    "nothing": "only others sent something",
}


def _title(record: dict[str, object]) -> str:
    """What it was for; of a training also which round, and what became of the update."""
    title, lesson = str(record["title"]), record.get("lesson")
    if not isinstance(lesson, dict):
        return title
    told = _PARTS.get(str(lesson["part"]), "")
    if not told and lesson["norm_before"] is not None:
        clip = int(lesson["clip_nano"]) / 1e9
        told = f"update of norm {float(lesson['norm_before']):.3g}, cut at {clip:.3g}"
    return f"{title} (run {int(str(record['run'])) + 1}{': ' if told else ''}{told})"


def _verify(context: Context, homes: dict[str, Home]) -> int:
    lines: list[str] = []
    document: dict[str, object] = {}
    status = 0
    for name, home in homes.items():
        try:
            count = chain.verify(home)
            document[name] = {"ok": True, "records": count}
            lines.append(f"{name}: {counted(count, 'record')}, none changed or missing.")
        except ViciniaError as error:
            document[name] = {"ok": False, "what": str(error)}
            lines.append(f"{name}: {error}")
            status = error.exit_status
    show(context.as_json, {"ok": status == 0, "homes": document}, lines)
    return status


def _vector(context: Context, homes: dict[str, Home], run_text: str) -> int:
    document: dict[str, object] = {}
    lines: list[str] = []
    kept = {name: Departures(home.database) for name, home in homes.items()}
    known = {one.run_id for departures in kept.values() for one in departures.links()}
    run_id = named(run_text, known, what="run", see="vicinia-node left")
    for name, departures in kept.items():
        found = departures.of_run(run_id)
        if found is None:
            continue
        labels = list(slot_labels(json.loads(found.labels)))
        values = struct.unpack(f"<{len(found.vector) // 8}d", found.vector)
        document[name] = {"run_id": found.run_id.hex(), "labels": labels, "vector": list(values)}
        lines += [f"{name}: run {found.run_id.hex()}, before noise and mask"]
        lines += table(("value", "slot"), [(f"{v:.6g}", label) for v, label in zip(values, labels, strict=True)])
    if not document:
        raise NotFound("Nothing left in such a run.", where=run_text, hint="See: vicinia-node left")
    show(context.as_json, {"homes": document}, lines)
    return 0
