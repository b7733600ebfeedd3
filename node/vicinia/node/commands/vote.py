"""vicinia-node vote: a vote by hand, standing rules, and what was voted."""

from __future__ import annotations

import argparse
from pathlib import Path

from vicinia.errors import InvalidInput, NotAccepted
from vicinia.node.commands.arguments import file_path
from vicinia.node.commands.context import Context, Subparsers
from vicinia.node.commands.naming import SHOWN, named
from vicinia.node.homes import read_text
from vicinia.node.output import counted, show, table, when
from vicinia.node.services.polling import is_open
from vicinia.node.services.replica import Replica
from vicinia.node.store.home import Home
from vicinia.node.store.votes import Vote, Votes

__all__ = ["add", "run"]

_CHOICES = ("yes", "no", "abstain")


def add(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "vote",
        parents=[common],
        help="vote on a job, or leave rules by which your home votes",
        description="Vote on a job, or leave standing rules by which your home votes by itself. The daemon "
        "(vicinia-node run) casts the vote; while the vote is open you can vote anew, and the last one counts.",
        epilog="example: vicinia-node vote 3f2a9b1c04d5 yes",
    )
    parser.add_argument("job", nargs="?", metavar="JOB", help="the job, or 6 and more of its first digits")
    parser.add_argument("choice", nargs="?", metavar="yes|no|abstain", help="your choice")
    parser.add_argument(
        "--standing", type=file_path, metavar="RULES.toml", help="rules by which the home votes by itself"
    )
    parser.add_argument("--list", action="store_true", help="what was voted, and whether it was counted")
    parser.set_defaults(run=run)


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Queue a vote, set rules, or list."""
    asked = [arguments.job is not None, arguments.standing is not None, arguments.list]
    if sum(asked) != 1:
        raise InvalidInput("Say JOB and a choice, or --standing, or --list.", where="vote")
    if arguments.list:
        return _list(context)
    return _standing(context, arguments.standing) if arguments.standing else _queue(context, arguments)


def _queue(context: Context, arguments: argparse.Namespace) -> int:
    if arguments.choice not in _CHOICES:
        raise InvalidInput(f"{arguments.choice!r} is no choice.", where="vote", hint="Say yes, no or abstain.")
    with context.homes() as homes, context.replica(homes) as replica:
        job_hash = named(arguments.job, _known(homes, replica))
        note = _check_open(replica, job_hash, context.clock())
        for home in homes.values():
            home.require_unlocked()
        for home in homes.values():
            Votes(home.database).put(Vote(job_hash, arguments.choice, "hand", "queued", "", None, context.clock()))
        count = len(homes)
    what = f"{arguments.choice} on job {job_hash.hex()[:SHOWN]} in {counted(count, 'home')}"
    lines = [f"{what}: the daemon casts it at its next contact.", *([note] if note else [])]
    show(context.as_json, {"job": job_hash.hex(), "choice": arguments.choice, "homes": count, "note": note}, lines)
    return 0


def _known(homes: dict[str, Home], replica: Replica | None) -> set[bytes]:
    """Jobs of the confirmed log, and those that a home has voted on."""
    logged = set(replica.assembly.votes) if replica is not None and replica.size else set()
    return logged | {vote.job_hash for home in homes.values() for vote in Votes(home.database).all()}


def _check_open(replica: Replica | None, job_hash: bytes, now_ms: int) -> str:
    """NotAccepted where the vote is over; a note where this home does not know of it yet."""
    record = replica.assembly.votes.get(job_hash) if replica is not None and replica.size else None
    if replica is None or record is None:
        return "This home does not know of such a vote yet; yours waits until it is open."
    if not is_open(replica, record, now_ms):
        raise NotAccepted("The vote on this job is over.", where=f"job {job_hash.hex()[:SHOWN]}")
    return ""


def _standing(context: Context, path: Path) -> int:
    from vicinia.assembly.standing import StandingVote

    text = read_text(path)
    now = context.clock()
    standing = StandingVote.parse_toml(text, now, str(path), known_words=True)
    with context.homes() as homes:
        for home in homes.values():
            Votes(home.database).put_rules(text, now)
        count = len(homes)
    rules, verb = counted(len(standing.rules), "rule"), "stands" if len(standing.rules) == 1 else "stand"
    line = f"{rules} {verb} in {counted(count, 'home')} until {when(standing.expires)}."
    show(context.as_json, {"homes": count, "expires_ms": standing.expires}, [line])
    return 0


def _list(context: Context) -> int:
    rows: list[tuple[str, ...]] = []
    document: dict[str, object] = {}
    with context.homes() as homes:
        for name, home in homes.items():
            votes = Votes(home.database).all()
            document[name] = [
                {"job": v.job_hash.hex(), "choice": v.choice, "by": v.by, "state": v.state, "reason": v.reason}
                for v in votes
            ]
            rows += [(name, v.job_hash.hex()[:SHOWN], v.choice, v.by, v.state, v.reason) for v in votes]
    lines = table(("home", "job", "choice", "by", "state", ""), rows) or ["No votes yet."]
    show(context.as_json, {"homes": document}, lines)
    return 0
