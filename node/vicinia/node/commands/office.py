"""vicinia-node sponsor | registrar: endorse a job for the vote; see and approve what waits for registrars."""

from __future__ import annotations

import argparse

from vicinia.errors import InvalidInput, NotFound
from vicinia.node.commands.context import Context, Subparsers
from vicinia.node.commands.naming import digits_of, named
from vicinia.node.output import show, table
from vicinia.node.services import office
from vicinia.node.services.ports import Link
from vicinia.node.store.home import Home
from vicinia.tlog.statement import Statement
from vicinia.wire.limits import MAX_PENDING

__all__ = ["add", "run"]


def add(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    """Declare the commands."""
    sponsor = commands.add_parser(
        "sponsor",
        parents=[common],
        help="put a submitted job to the vote",
        description="Put a job that a researcher has submitted to the vote of all members, with your signature. To "
        "sponsor a job is not to vote for it; vicinia-node jobs lists those that wait.",
        epilog="example: vicinia-node sponsor 3f2a9b1c04d5",
    )
    sponsor.add_argument("job", metavar="JOB", help="the job, or 6 and more of its first digits")
    sponsor.set_defaults(run=_sponsor)
    registrar = commands.add_parser(
        "registrar",
        parents=[common],
        help="for registrars: see and approve what waits",
        description="For registrars: see and approve what waits, such as new members, researchers and new keys.",
        epilog="example: vicinia-node registrar approve --all",
    )
    registrar.add_argument("action", choices=("pending", "approve"), help="list what waits, or approve it")
    registrar.add_argument("digests", nargs="*", metavar="DIGEST", help="which statements to approve")
    registrar.add_argument("--all", action="store_true", help="approve everything that waits")
    registrar.set_defaults(run=run)


def run(context: Context, arguments: argparse.Namespace) -> int:
    """List or endorse what waits for this registrar."""
    with context.home() as home, context.linked(home) as link:
        home.require_unlocked()
        if arguments.action == "pending":
            return _pending(context, office.pending(home, link))
        if arguments.all == bool(arguments.digests):
            raise InvalidInput("Say which DIGEST to approve, or --all.", where="registrar approve")
        if arguments.all:
            states = _approve_all(home, link, context)
        else:
            states = _approve(home, link, context, {office.digest_of(text) for text in arguments.digests})
    lines = [f"{digest}: {'waits for ' + state if state else 'in the log'}" for digest, state in states.items()]
    show(context.as_json, {"approved": states}, lines or ["Nothing waits."])
    return 0


def _pending(context: Context, waiting: list[Statement]) -> int:
    rows = [(one.digest.hex(), one.kind, office.describe(one)) for one in waiting]
    document = {"pending": [{"digest": d, "kind": k, "what": w} for d, k, w in rows]}
    lines = table(("digest", "kind", "what"), rows) or ["Nothing waits."]
    if len(rows) >= MAX_PENDING:
        lines.append("More may wait; they are shown once these are approved.")
    show(context.as_json, document, lines)
    return 0


def _approve(home: Home, link: Link, context: Context, wanted: set[bytes]) -> dict[str, str]:
    waiting = {one.digest: one for one in office.pending(home, link)}
    missing = wanted - waiting.keys()
    if missing:
        raise InvalidInput(f"Nothing waits under {min(missing).hex()}.", where="registrar approve")
    return {digest.hex(): office.endorse(home, link, waiting[digest], context.clock) for digest in sorted(wanted)}


def _approve_all(home: Home, link: Link, context: Context) -> dict[str, str]:
    """As long as something new is shown: a tray is shown in portions."""
    states: dict[str, str] = {}
    while new := [one for one in office.pending(home, link) if one.digest.hex() not in states]:
        for one in new:
            states[one.digest.hex()] = office.endorse(home, link, one, context.clock)
    return states


def _sponsor(context: Context, arguments: argparse.Namespace) -> int:
    digits_of(arguments.job)  # before anybody is asked
    with context.home() as home, context.linked(home) as link:
        home.require_unlocked()
        waiting = office.proposals(home, link)
        job_hash = named(arguments.job, waiting)
        if job_hash not in waiting:
            raise NotFound(
                "No such job waits for a sponsor.", where=f"job {job_hash.hex()}", hint="See: vicinia-node jobs"
            )
        state = office.sponsor(home, link, waiting[job_hash], context.clock)
    line = (
        f"Sponsored; the proposal still waits for {state}."
        if state
        else "Sponsored: the proposal is in the log. The vote opens once the witnesses have confirmed it there."
    )
    show(context.as_json, {"job": job_hash.hex(), "waiting_for": state}, [line])
    return 0
