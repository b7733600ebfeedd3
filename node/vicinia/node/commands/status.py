"""vicinia-node status: how a home stands."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vicinia.errors import ViciniaError
from vicinia.node.commands.context import Context, Subparsers
from vicinia.node.output import show, when
from vicinia.node.services import keyring, standing
from vicinia.node.services.replica import Replica, cooperative_of, open_replica
from vicinia.node.store.home import Home

__all__ = ["add", "run"]


def add(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "status", parents=[common], help="how your home stands", epilog="example: vicinia-node status --json"
    )
    parser.set_defaults(run=run)


def run(context: Context, arguments: argparse.Namespace) -> int:  # noqa: ARG001 - the signature of every command
    """Print the state of every selected home."""
    with context.homes() as homes, _replica(context, homes) as (replica, trouble):
        log = _log(replica, trouble)
        found = {name: standing.describe(home, replica, context.clock) for name, home in homes.items()}
    lines = [f"log: {log['size']} leaves" + (f" - HALTED: {log['halted']}" if log["halted"] else "")]
    for name, state in found.items():
        lines += _lines(name, state)
    show(context.as_json, {"homes": found, "log": log}, lines)
    return 0


@contextmanager
def _replica(context: Context, homes: dict[str, Home]) -> Iterator[tuple[Replica | None, str]]:
    """The homes' copy of the log where there is one, or what is wrong with it."""
    joined = {name: home for name, home in homes.items() if keyring.is_joined(home.facts)}
    replica, trouble = None, ""
    if joined and context.selection.replica.exists():
        try:
            replica = open_replica(context.selection.replica, cooperative_of(joined), context.clock)
        except ViciniaError as error:
            trouble = str(error)
    try:
        yield replica, trouble
    finally:
        if replica is not None:
            replica.store.close()


def _log(replica: Replica | None, trouble: str) -> dict[str, object]:
    if replica is None:
        return {"size": 0, "root": "", "halted": trouble, "evidence": []}
    return {
        "size": replica.size,
        "root": replica.root(replica.size).hex(),
        "halted": replica.halted,
        "evidence": [
            {"at_ms": at, "what": what, "ours": ours.hex(), "theirs": theirs.hex(), "proof": proof.decode()}
            for at, what, ours, theirs, proof in replica.store.evidence()
        ],
    }


def _lines(name: str, state: dict[str, Any]) -> list[str]:
    """One home for people."""
    if state["joined"]:
        head = f"member of {state['coop']}" + (f" since {when(state['joined_ms'])}" if state["joined_ms"] else "")
    else:
        head = "has not joined a cooperative"
    rows = ", ".join(f"{one} ({count} rows)" for one, count in state["rows"].items())
    last = "; ".join(f"{when(one['at_ms'])} {one['title']!r}, {one['bytes']} bytes" for one in state["last_left"])
    lines = [
        f"{name}: {head}",
        *([f"  LOCKED: {state['locked']}"] if state["locked"] else []),
        f"  public key    {state['key']}",
        f"  data          {rows or 'none'}",
        f"  last contact  {when(state['last_contact_ms']) if state['last_contact_ms'] else 'never'}",
        f"  left          {state['left']} in all" + (f": {last}" if last else ""),
        f"  privacy       {_privacy(state)}",
    ]
    lines += [f"  open vote     {job} (yours: {choice or 'none yet'})" for job, choice in state["open_votes"].items()]
    lines += [f"  asks you      {job}: vicinia-node consent" for job in state["requests"]]
    return lines + [f"  ! {alert}" for alert in state["alerts"]]


def _privacy(state: dict[str, Any]) -> str:
    spent = f"spent {_cost(state['spent_lifetime_rho_nano'], state['spent_lifetime_epsilon'])}"
    if state["left_lifetime_rho_nano"] is None:
        return spent
    return f"{spent}, left {_cost(state['left_lifetime_rho_nano'], state['left_lifetime_epsilon'])}"


def _cost(rho_nano: int, epsilon: float) -> str:
    return f"rho {rho_nano / 1e9:.4f} (epsilon {epsilon:.2f})"
