"""vicinia-node sponsor | registrar: endorse a job for the vote; see and approve what waits for registrars."""

from __future__ import annotations

import argparse

from vicinia.errors import InvalidInput, NotFound
from vicinia.node.commands.context import Context, Subparsers
from vicinia.node.commands.naming import digits_of, named
from vicinia.node.output import complain, show, table
from vicinia.node.services import office
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
    registrar.add_argument(
        "digests", nargs="*", metavar="DIGEST", help="which statements to approve: all 64 digits that `pending` shows"
    )
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
            approval = office.approve_all(home, link, context.clock)
        else:
            wanted = {office.digest_of(text) for text in arguments.digests}
            approval = office.approve(home, link, wanted, context.clock)
    return _tell(context, approval)


def _tell(context: Context, approval: office.Approval) -> int:
    """Show what became of each; the exit status is that of what went wrong, where all that did has the same."""
    lines = [
        f"{approval.said[digest]}: {'waits for ' + state if state else 'in the log'} ({digest.hex()})"
        for digest, state in approval.approved.items()
    ]
    document = {
        "approved": {digest.hex(): state for digest, state in approval.approved.items()},
        "failed": {digest.hex(): str(error) for digest, error in approval.failed.items()},
        "ended": str(approval.ended or ""),
    }
    show(context.as_json, document, lines or ([] if approval.tried else ["Nothing waits."]))
    troubles = [*approval.failed.values(), *([approval.ended] if approval.ended is not None else [])]
    if not troubles:
        return 0
    for digest, error in approval.failed.items():
        complain(f"{digest.hex()} is not approved: {error}")
    rest = f" What may wait besides was not tried: {approval.ended}" if approval.ended is not None else ""
    complain(f"{len(approval.approved)} approved, {len(approval.failed)} not.{rest}")
    return troubles[0].exit_status if len({error.exit_status for error in troubles}) == 1 else 1


def _pending(context: Context, waiting: list[Statement]) -> int:
    rows = [(one.digest.hex(), one.kind, office.describe(one)) for one in waiting]
    document = {"pending": [{"digest": d, "kind": k, "what": w} for d, k, w in rows]}
    lines = table(("digest", "kind", "what"), rows) or ["Nothing waits."]
    if len(rows) >= MAX_PENDING:
        lines.append("More may wait; they are shown once these are approved.")
    show(context.as_json, document, lines)
    return 0


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
        with context.replica({home.name: home}) as replica:
            if replica is not None:  # the daemon's may be from before the researcher was accredited
                replica.sync(link)
            logged = replica.assembly if replica is not None and replica.size else None
            state = office.sponsor(home, link, waiting[job_hash], context.clock, logged)
    line = (
        f"Sponsored; the proposal still waits for {state}."
        if state
        else "Sponsored: the proposal is in the log. The vote opens once the witnesses have confirmed it there."
    )
    show(context.as_json, {"job": job_hash.hex(), "waiting_for": state}, [line])
    return 0
