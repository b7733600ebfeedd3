"""vicinia-node sponsor | registrar: endorse a job for the vote; see and approve what waits for registrars."""

from __future__ import annotations

import argparse

from vicinia.errors import InvalidInput
from vicinia.node.commands.context import Context, Subparsers, job_hash_of
from vicinia.node.output import show, table
from vicinia.node.services import office

__all__ = ["add", "run"]


def add(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    """Declare the commands."""
    sponsor = commands.add_parser(
        "sponsor",
        parents=[common],
        help="put a submitted job to the vote with your signature",
        epilog="example: vicinia-node sponsor JOB",
    )
    sponsor.add_argument("job", metavar="JOB", help="the job's hash")
    sponsor.set_defaults(run=_sponsor)
    registrar = commands.add_parser(
        "registrar",
        parents=[common],
        help="a registrar's tray: new members, researchers, lost keys",
        epilog="example: vicinia-node registrar approve --all",
    )
    registrar.add_argument("action", choices=("pending", "approve"))
    registrar.add_argument("digests", nargs="*", metavar="DIGEST", help="which statements to approve")
    registrar.add_argument("--all", action="store_true", help="approve everything that waits")
    registrar.set_defaults(run=run)


def run(context: Context, arguments: argparse.Namespace) -> int:
    """List or endorse what waits for this registrar."""
    with context.home() as home, context.linked(home) as link:
        home.require_unlocked()
        waiting = office.pending(home, link)
        if arguments.action == "pending":
            rows = [(one.digest.hex(), one.kind, office.describe(one)) for one in waiting]
            document = {"pending": [{"digest": d, "kind": k, "what": w} for d, k, w in rows]}
            show(context.as_json, document, table(("digest", "kind", "what"), rows) or ["Nothing waits."])
            return 0
        if arguments.all == bool(arguments.digests):
            raise InvalidInput("say which DIGEST to approve, or --all.", where="registrar approve")
        wanted = {office.digest_of(text) for text in arguments.digests}
        missing = wanted - {one.digest for one in waiting}
        if missing:
            raise InvalidInput(f"nothing waits under {min(missing).hex()}.", where="registrar approve")
        chosen = [one for one in waiting if arguments.all or one.digest in wanted]
        states = {one.digest.hex(): office.endorse(home, link, one, context.clock) for one in chosen}
    lines = [f"{digest}: {state or 'in the log'}" for digest, state in states.items()] or ["Nothing waits."]
    show(context.as_json, {"approved": states}, lines)
    return 0


def _sponsor(context: Context, arguments: argparse.Namespace) -> int:
    job_hash = job_hash_of(arguments.job)
    with context.home() as home, context.linked(home) as link:
        home.require_unlocked()
        state = office.sponsor(home, link, job_hash, context.clock)
    line = f"sponsored; waits: {state}" if state else "sponsored; the vote opens."
    show(context.as_json, {"job": arguments.job, "waiting_for": state}, [line])
    return 0
