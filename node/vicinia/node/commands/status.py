"""vicinia-node status: how a home stands."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from vicinia.errors import ViciniaError
from vicinia.node.commands.context import Context, Subparsers
from vicinia.node.commands.naming import SHOWN
from vicinia.node.output import counted, show, when
from vicinia.node.services import consent, standing
from vicinia.node.services.replica import Replica
from vicinia.node.store.home import Home

__all__ = ["add", "run"]


def add(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "status",
        parents=[common],
        help="how your home stands",
        description="How your home stands: its membership, its data, what you allowed, what left and what it cost, and "
        "what you should know.",
        epilog="example: vicinia-node status",
    )
    parser.set_defaults(run=run)


def run(context: Context, arguments: argparse.Namespace) -> int:  # noqa: ARG001 - the signature of every command
    """Print the state of every selected home."""
    with context.homes() as homes, _replica(context, homes) as (replica, trouble):
        log = _log(replica, trouble)
        found = {name: standing.describe(home, replica, context.clock) for name, home in homes.items()}
    lines = [_log_line(log)]
    for name, state in found.items():
        lines += _lines(name, state)
    show(context.as_json, {"homes": found, "log": log}, lines)
    return 0


def _log_line(log: dict[str, Any]) -> str:
    halted = f" - HALTED: {log['halted']}" if log["halted"] else ""
    return f"public log: {counted(log['size'], 'entry', 'entries') if log['size'] else 'no copy yet'}{halted}"


@contextmanager
def _replica(context: Context, homes: dict[str, Home]) -> Iterator[tuple[Replica | None, str]]:
    """The homes' copy of the log where there is one, or what is wrong with it."""
    with ExitStack() as open_here:
        replica, trouble = None, ""
        try:
            replica = open_here.enter_context(context.replica(homes))
        except ViciniaError as error:
            trouble = str(error)
        yield replica, trouble


def _log(replica: Replica | None, trouble: str) -> dict[str, Any]:
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
    last = "; ".join(f"{when(one['at_ms'])} {one['title']!r}, {one['bytes']} bytes" for one in state["last_left"])
    rows = ", ".join(f"{one} ({counted(count, 'row')})" for one, count in state["rows"].items())
    lines = [
        f"{name}: {_membership(state)}",
        *([f"  LOCKED: {state['locked']}"] if state["locked"] else []),
        f"  public key    {state['key']}",
        f"  data          {rows or 'none'}",
        *_consents(state),
        f"  last contact  {when(state['last_contact_ms']) if state['last_contact_ms'] else 'never'}",
        f"  left          {state['left']} in all" + (f": {last}" if last else ""),
        f"  privacy       {_privacy(state)}",
    ]
    lines += [f"  open vote     {job} (yours: {choice or 'none yet'})" for job, choice in state["open_votes"].items()]
    lines += [f"  asks you      {job}: vicinia-node jobs {job[:SHOWN]}" for job in state["requests"]]
    return lines + [f"  ! {alert}" for alert in state["alerts"]]


def _membership(state: dict[str, Any]) -> str:
    if not state["joined"]:
        return "has not joined a cooperative"
    since = f" since {when(state['joined_ms'])}" if state["joined_ms"] else ""
    return {
        "active": f"member of {state['coop']}; enrolled{since}",
        "pending": f"enrolled with {state['coop']}{since}; waits for the registrars",
        "ended": f"is no longer a member of {state['coop']}",
    }.get(
        state["member"],
        f"enrolled with {state['coop']}{since}; whether it is a member, the public log says, "
        "which is fetched by: vicinia-node run",
    )


def _consents(state: dict[str, Any]) -> list[str]:
    if state["consents_unreadable"]:
        return [f"  consents      UNREADABLE, so nothing is allowed: {state['consents_unreadable']}"]
    lines = []
    for one in state["consents"]:
        words = {"allow": "allowed", "never": "never", "ask": "you will be asked"}[one["decision"]]
        if one["decision"] == "allow":
            limits = f"epsilon {one['epsilon']}" + (f", {one['floor']} homes or more" if one["floor"] else "")
            end = "EXPIRED" if one["expired"] else f"until {when(one['expires_ms'])}"
            words = f"{words} ({limits}) {end}"
        use = consent.TRAIN_USE if one["kind"] == consent.TRAIN else ""
        lines.append(f"  consent       {one['dataset']} for {one['purpose']} by {one['recipient']}{use}: {words}")
    return lines or ["  consents      none, so nothing is allowed"]


def _privacy(state: dict[str, Any]) -> str:
    spent = f"spent {_cost(state['spent_lifetime_rho_nano'], state['spent_lifetime_epsilon'])}"
    if state["left_lifetime_rho_nano"] is None:
        return spent
    return f"{spent}, left {_cost(state['left_lifetime_rho_nano'], state['left_lifetime_epsilon'])}"


def _cost(rho_nano: int, epsilon: float) -> str:
    return f"rho {rho_nano / 1e9:.4f} (epsilon {epsilon:.2f})"
