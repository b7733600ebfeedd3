"""vicinia-node consent: allow, refuse, ask, withdraw, and list what was decided."""

from __future__ import annotations

import argparse
import re
from decimal import Decimal

from vicinia.errors import InvalidInput
from vicinia.node.commands.arguments import whole
from vicinia.node.commands.context import Context, Subparsers
from vicinia.node.output import show, table, when
from vicinia.node.services import consent
from vicinia.node.store.consents import Consents
from vicinia.node.store.home import Home

__all__ = ["add", "run"]

_DAY_MS = 86_400_000
_DAYS = 365
_MOST_DAYS = 3650
_LARGEST_FLOOR = 10**9
_EPSILON = Decimal("2.0")
_MOST_EPSILON = 100


def add(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "consent",
        parents=[common],
        help="decide what your data may be used for; without a decision the answer is no",
        epilog="example: vicinia-node consent allow --dataset budget --purpose dpv:NonCommercialResearch "
        "--recipient non-profit --floor 20 --epsilon 2 --days 365",
    )
    parser.add_argument("action", choices=("allow", "never", "ask", "withdraw", "list"))
    parser.add_argument("--dataset", metavar="D", help="a data set, or * (not with allow)")
    parser.add_argument("--purpose", metavar="DPV", help="such as dpv:NonCommercialResearch, or * (not with allow)")
    parser.add_argument("--recipient", metavar="KIND", help="non-profit, public, commercial, or * (not with allow)")
    parser.add_argument(
        "--floor", type=whole(0, _LARGEST_FLOOR), default=0, metavar="N", help="smallest group that you accept"
    )
    parser.add_argument(
        "--epsilon", type=_epsilon, default=_EPSILON, metavar="E", help="the most that one job may cost (default 2.0)"
    )
    parser.add_argument(
        "--days", type=whole(1, _MOST_DAYS), default=_DAYS, metavar="N", help="how long you allow it (default 365)"
    )
    parser.set_defaults(run=run)


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Record one decision in every selected home, or list them."""
    if arguments.action == "list":
        return _list(context)
    for field in ("dataset", "purpose", "recipient"):
        if getattr(arguments, field) is None:
            raise InvalidInput(f"--{field} is missing.", where="consent", hint="See: vicinia-node consent --help")
    versions: dict[str, int] = {}
    with context.homes() as homes:
        for name, home in homes.items():
            versions[name] = record(home, arguments, context.clock())
    verb = {"allow": "allowed", "never": "refused", "ask": "to be asked", "withdraw": "withdrawn"}[arguments.action]
    what = f"{arguments.dataset} for {arguments.purpose} by {arguments.recipient}: {verb}"
    show(context.as_json, {"homes": versions, "action": arguments.action}, [f"{what} in {len(versions)} home(s)."])
    return 0


def record(home: Home, arguments: argparse.Namespace, now_ms: int) -> int:
    """Append one record; its version."""
    allow = arguments.action == "allow"
    made = consent.ConsentRecord(
        dataset=arguments.dataset,
        purpose=arguments.purpose,
        recipient=arguments.recipient,
        mode=arguments.action,
        floor=arguments.floor,
        epsilon=arguments.epsilon,
        expires_ms=now_ms + arguments.days * _DAY_MS if allow else 0,
        created_ms=now_ms,
    )
    return Consents(home.database).add(made.dataset, made.purpose, made.recipient, made.encode())


def _epsilon(text: str) -> Decimal:
    """A decimal number above 0: a consent that allows any cost, or none, is a slip of the hand."""
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,9})?", text, re.ASCII) or not 0 < Decimal(text) <= _MOST_EPSILON:
        raise argparse.ArgumentTypeError(f"this must be a number above 0, at most {_MOST_EPSILON}")
    return Decimal(text)


def _list(context: Context) -> int:
    rows: list[tuple[str, ...]] = []
    document: dict[str, object] = {}
    with context.homes() as homes:
        for name, home in homes.items():
            records = consent.read(Consents(home.database))
            document[name] = [
                {
                    "dataset": one.dataset,
                    "purpose": one.purpose,
                    "recipient": one.recipient,
                    "decision": one.mode,
                    "floor": one.floor,
                    "epsilon": str(one.epsilon),
                    "expires_ms": one.expires_ms,
                    "created_ms": one.created_ms,
                }
                for one in records
            ]
            rows += [
                (name, one.dataset, one.purpose, one.recipient, one.mode, str(one.floor), str(one.epsilon),
                 when(one.expires_ms) if one.expires_ms else "-")
                for one in records
            ]  # fmt: skip
    header = ("home", "data set", "purpose", "recipient", "decision", "floor", "epsilon", "until")
    lines = table(header, rows) or ["Nothing was decided yet, so nothing is allowed."]
    show(context.as_json, {"homes": document}, lines)
    return 0
