"""vicinia-node run: the daemon of one home or of many."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from contextlib import ExitStack, closing

from vicinia.node.commands.context import Context, Subparsers
from vicinia.node.services.cooperative import cooperative_of
from vicinia.node.services.replica import open_replica
from vicinia.node.store.hold import Hold

__all__ = ["add", "run"]


def add(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "run",
        parents=[common],
        help="keep your home running: the daemon",
        description="Keep your home running until it is told to end (Ctrl-C): it follows the public log, casts your "
        "votes, and takes part in the jobs that the members accepted and you consented to.",
        epilog="example: vicinia-node run",
    )
    parser.set_defaults(run=run)


def run(context: Context, arguments: argparse.Namespace) -> int:  # noqa: ARG001 - the signature of every command
    """Serve until SIGTERM or SIGINT."""
    from vicinia.node.services.daemon import Daemon
    from vicinia.node.services.keyring import is_joined
    from vicinia.node.services.spawn import WorkerProcess

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with context.homes() as selected, ExitStack() as holds:
        homes = {name: home for name, home in selected.items() if is_joined(home.facts)}
        for home in homes.values():
            holds.enter_context(closing(Hold(home.directory, "daemon")))
        replica = open_replica(context.selection.replica, cooperative_of(homes), context.clock)
        worker = WorkerProcess(context.selection.root, many=context.selection.many)
        daemon = Daemon(homes, replica, context.connect, context.enroller, worker, context.clock)
        try:
            daemon.run(stop)
        finally:
            replica.store.close()
    return 0
