"""vicinia-node status: how a home stands."""

from __future__ import annotations

import argparse

from vicinia.errors import ViciniaError
from vicinia.node.commands.context import Context, Subparsers
from vicinia.node.output import show, when
from vicinia.node.services import account, keyring
from vicinia.node.services.replica import Replica, cooperative_of, open_replica
from vicinia.node.store.accounts import Accounts
from vicinia.node.store.alerts import Alerts
from vicinia.node.store.datasets import DataSets
from vicinia.node.store.departures import Departures
from vicinia.node.store.home import Home
from vicinia.node.store.runs import Runs
from vicinia.privacy.account import Limits

__all__ = ["add", "run"]

_NO_LIMITS = Limits(0, 0)


def add(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "status", parents=[common], help="how your home stands", epilog="example: vicinia-node status --json"
    )
    parser.set_defaults(run=run)


def run(context: Context, arguments: argparse.Namespace) -> int:  # noqa: ARG001 - the signature of every command
    """Print the state of every selected home."""
    with context.homes() as homes:
        log = _log(context, homes)
        found = {name: describe(home) for name, home in homes.items()}
    lines = [f"log: {log['size']} leaves" + (f" - HALTED: {log['halted']}" if log["halted"] else "")]
    for name, state in found.items():
        lines.append(f"{name}: {_sentence(state)}")
        alerts = state["alerts"]
        lines += [f"  ! {line}" for line in alerts] if isinstance(alerts, list) else []
    show(context.as_json, {"homes": found, "log": log}, lines)
    return 0


def describe(home: Home) -> dict[str, object]:
    """The state of one home, as JSON."""
    spent = account.load(Accounts(home.database), _NO_LIMITS)
    return {
        "key": keyring.identity(home.facts).public.hex,
        "household": home.facts.text("household"),
        "coop": home.facts.text("coop"),
        "joined": keyring.is_joined(home.facts),
        "locked": home.locked,
        "data_sets": DataSets(home.database).names(),
        "left": len(Departures(home.database).all()),
        "runs_open": sum(1 for run_ in Runs(home.database).all() if run_.open),
        "spent_lifetime_rho_nano": spent.spent_lifetime(),
        "spent_period_rho_nano": spent.spent(),
        "alerts": [f"{when(at)} {sentence}" for at, sentence in Alerts(home.database).all()],
    }


def _log(context: Context, homes: dict[str, Home]) -> dict[str, object]:
    joined = {name: home for name, home in homes.items() if keyring.is_joined(home.facts)}
    if not joined or not context.selection.replica.exists():
        return {"size": 0, "root": "", "halted": "", "evidence": []}
    replica: Replica | None = None
    try:
        replica = open_replica(context.selection.replica, cooperative_of(joined), context.clock)
        return {
            "size": replica.size,
            "root": replica.root(replica.size).hex(),
            "halted": replica.halted,
            "evidence": [
                {"at_ms": at, "what": what, "ours": ours.hex(), "theirs": theirs.hex()}
                for at, what, ours, theirs in replica.store.evidence()
            ],
        }
    except ViciniaError as error:
        return {"size": 0, "root": "", "halted": str(error), "evidence": []}
    finally:
        if replica is not None:
            replica.store.close()


def _sentence(state: dict[str, object]) -> str:
    if state["locked"]:
        return f"LOCKED: {state['locked']}"
    if not state["joined"]:
        return "has not joined a cooperative"
    data = state["data_sets"]
    names = ", ".join(data) if isinstance(data, list) and data else "no data"
    rho = int(str(state["spent_lifetime_rho_nano"])) / 1e9
    return f"member of {state['coop']}; data: {names}; {state['left']} departures; rho {rho:.4f} spent"
