"""vicinia-node vote: a vote by hand, standing rules, and what was voted."""

from __future__ import annotations

import argparse
from pathlib import Path

from vicinia.errors import InvalidInput
from vicinia.node.commands.arguments import file_path
from vicinia.node.commands.context import Context, Subparsers, job_hash_of
from vicinia.node.homes import read_text
from vicinia.node.output import show, table, when
from vicinia.node.store.votes import Vote, Votes

__all__ = ["add", "run"]

_CHOICES = ("yes", "no", "abstain")


def add(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "vote",
        parents=[common],
        help="vote on a job, or leave standing rules; the daemon casts it",
        epilog="example: vicinia-node vote JOB yes",
    )
    parser.add_argument("job", nargs="?", metavar="JOB", help="the job's hash")
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
        raise InvalidInput("say JOB and a choice, or --standing, or --list.", where="vote")
    if arguments.list:
        return _list(context)
    return _standing(context, arguments.standing) if arguments.standing else _queue(context, arguments)


def _queue(context: Context, arguments: argparse.Namespace) -> int:
    job_hash = job_hash_of(arguments.job)
    if arguments.choice not in _CHOICES:
        raise InvalidInput(f"{arguments.choice!r} is no choice.", where="vote", hint="Say yes, no or abstain.")
    with context.homes() as homes:
        for home in homes.values():
            home.require_unlocked()
        for home in homes.values():
            Votes(home.database).put(Vote(job_hash, arguments.choice, "hand", "queued", "", None, context.clock()))
        count = len(homes)
    line = f"{arguments.choice} in {count} home(s): the daemon casts it at its next contact."
    show(context.as_json, {"job": arguments.job, "choice": arguments.choice, "homes": count}, [line])
    return 0


def _standing(context: Context, path: Path) -> int:
    from vicinia.assembly.standing import StandingVote

    text = read_text(path)
    now = context.clock()
    standing = StandingVote.parse_toml(text, now, path.name)
    with context.homes() as homes:
        for home in homes.values():
            Votes(home.database).put_rules(text, now)
        count = len(homes)
    line = f"{len(standing.rules)} rule(s) stand in {count} home(s) until {when(standing.expires)}."
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
            rows += [(name, v.job_hash.hex()[:16], v.choice, v.by, v.state, v.reason) for v in votes]
    lines = table(("home", "job", "choice", "by", "state", ""), rows) or ["No votes yet."]
    show(context.as_json, {"homes": document}, lines)
    return 0
