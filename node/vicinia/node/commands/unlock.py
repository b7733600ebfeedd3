"""vicinia-node unlock: bring a locked home back under a new key."""

from __future__ import annotations

import argparse

from vicinia.errors import InvalidInput
from vicinia.node.commands.context import Context, Subparsers
from vicinia.node.output import show
from vicinia.node.services import guard
from vicinia.node.services.cooperative import cooperative_of
from vicinia.node.services.replica import open_replica

__all__ = ["add", "run"]


def add(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "unlock",
        parents=[common],
        help="unlock a home whose store was restored from a copy",
        description="Unlock a home whose store was restored from a copy, and may therefore have forgotten what it "
        "signed and spent: it gets a new key, and what it may have forgotten is charged to its privacy account.",
        epilog="example: vicinia-node unlock --rotate",
    )
    parser.add_argument("--rotate", action="store_true", help="log a new key, and charge what may have been forgotten")
    parser.set_defaults(run=run)


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Rotate the key of the one selected home, charge forgotten runs, and unlock it."""
    if not arguments.rotate:
        with context.home() as home:
            locked = home.locked
        if not locked:
            raise InvalidInput(
                "This home is not locked, so there is nothing to do.",
                where="unlock",
                hint="It gets a new key all the same with: vicinia-node unlock --rotate",
            )
        raise InvalidInput(
            "A restored home may have forgotten what it signed and spent.",
            where="unlock",
            hint="Run: vicinia-node unlock --rotate",
        )
    with context.home() as home, context.linked(home) as link:
        replica = open_replica(context.selection.replica, cooperative_of({home.name: home}), context.clock)
        try:
            waiting = guard.rotate(home, replica, link, context.clock)
        finally:
            replica.store.close()
    line = (
        f"This home stays locked until its new key is in the log: it waits for {waiting}. The daemon unlocks it then, "
        "or run this command again."
        if waiting
        else "Unlocked; the new key is in the log."
    )
    show(context.as_json, {"home": home.name, "waiting_for": waiting}, [line])
    return 0
