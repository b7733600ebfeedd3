"""vicinia-node join: redeem one invitation, or one for each of many homes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from vicinia.assembly.invitation import Invitation
from vicinia.errors import (
    AlreadyExists,
    InvalidInput,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
    ViciniaError,
)
from vicinia.node.commands.arguments import file_path, some_text
from vicinia.node.commands.context import Context, Subparsers
from vicinia.node.homes import read_lines, read_names
from vicinia.node.output import counted, show
from vicinia.node.services import enrolment, keyring
from vicinia.node.services.ports import Enroller
from vicinia.node.store.home import Home, is_home

__all__ = ["add", "run"]

_AT_ONCE = 4
_REFUSED = (AlreadyExists, InvalidInput, NotFound, PermissionDenied, Unauthenticated)
_LONGEST = 64 * 1024


def add(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "join",
        parents=[common],
        help="join a cooperative with an invitation",
        description="Join a cooperative with the invitation that it gave you; makes your keys where there are none. "
        "Whoever holds the invitation can use it once: give it in a file or by standard input, for others on this "
        "machine can read the words of a command.",
        epilog="example: vicinia-node join --invitation-file invitation.txt",
    )
    parser.add_argument(
        "invitation",
        nargs="?",
        type=some_text,
        metavar="INVITATION",
        help="the line that the cooperative gave you, or - to read it from standard input",
    )
    parser.add_argument("--invitation-file", type=file_path, metavar="FILE", help="the file that holds the invitation")
    parser.add_argument(
        "--invitations", type=file_path, metavar="FILE", help="for many homes at once: one invitation a line"
    )
    parser.add_argument(
        "--names", type=file_path, metavar="FILE", help="for many homes at once, with --homes: their names, one a line"
    )
    parser.set_defaults(run=run)


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Join; homes that have joined already are skipped, so that the command can be repeated."""
    wanted, texts = _wanted(context, arguments)
    enroller = _enrollers(context)
    failed: list[ViciniaError] = []

    def one(place: int, name: str, directory: Path) -> tuple[str, str]:
        try:
            return name, _join(context, directory, texts[place], enroller)
        except ViciniaError as error:
            failed.append(error)
            return name, f"error: {error}"

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        results = dict(pool.map(lambda item: one(item[0], *item[1]), enumerate(wanted.items())))
    if failed and not context.selection.many:
        raise failed[0]
    show(context.as_json, {"homes": results}, (f"{name}: {state}" for name, state in results.items()))
    if failed:
        first = failed[0]
        what = f"{len(failed)} of {counted(len(results), 'home')} did not join; one of them: {first.what}"
        raise type(first)(what, where=first.where, hint=first.hint)
    return 0


def _join(context: Context, directory: Path, text: str, enroller: Callable[[Invitation], Enroller]) -> str:
    """Join one home, which is made where it is absent, but not for an invitation that is none or is refused."""
    home = Home.open(directory) if is_home(directory) else None
    try:
        if home is not None and keyring.is_joined(home.facts):
            return "joined before"
        invitation = Invitation.parse(text, role="household", now_ms=context.clock())
        made = home is None
        home = home or _make(directory)
        try:
            enrolment.join(home, invitation, enroller(invitation), context.clock)
        except Unavailable as error:  # the keys stay: the coordinator may have enrolled them, and knows no others now
            error.where = f"coordinator at {invitation.enrolment}"
            raise
        except _REFUSED as error:
            if made and error.foreign:  # for good, by the coordinator itself: nothing stands under these keys
                home.discard()
            raise
        return _standing(context, home)
    finally:
        if home is not None:
            home.close()


def _standing(context: Context, home: Home) -> str:
    """What the home is now. Of many homes none asks: each would have to dial for it."""
    if context.selection.many:
        return "enrolled; a member once the registrars have approved"
    try:
        with context.linked(home) as link:
            waiting = enrolment.standing(home, link)
    except ViciniaError as error:
        return f"enrolled; whether the registrars have approved could not be asked ({error.what})"
    return f"enrolled; waits for {waiting}" if waiting else "a member of the cooperative"


def _wanted(context: Context, arguments: argparse.Namespace) -> tuple[dict[str, Path], list[str]]:
    selection = context.selection
    if arguments.names is not None and not selection.many:
        raise InvalidInput("--names goes with --homes.", where="join", hint="See: vicinia-node join --help")
    texts = _texts(arguments)
    if arguments.names is not None:
        selection = replace(selection, only=read_names(arguments.names))
    wanted = selection.wanted()
    if len(texts) < len(wanted):
        raise InvalidInput(
            f"There are {counted(len(wanted), 'home')} and only {counted(len(texts), 'invitation')}.", where="join"
        )
    if not selection.many and is_home(selection.root):
        home = Home.open(selection.root)
        joined = keyring.is_joined(home.facts)
        home.close()
        if joined:
            raise AlreadyExists("This home has joined already.", where=str(selection.root))
    return wanted, texts


def _texts(arguments: argparse.Namespace) -> list[str]:
    """The invitations, from where they are given."""
    given = (arguments.invitation, arguments.invitation_file, arguments.invitations)
    if sum(one is not None for one in given) != 1:
        raise InvalidInput(
            "Give one invitation.",
            where="join",
            hint="Say --invitation-file FILE, or - to read it from standard input.",
        )
    if arguments.invitation is not None and arguments.invitation.strip() != "-":
        return [arguments.invitation]
    if arguments.invitation is not None:
        place, texts = "standard input", [sys.stdin.readline(_LONGEST).strip()]
    else:
        path = arguments.invitation_file or arguments.invitations
        place, texts = str(path), read_lines(path)
    if not texts or not texts[0]:
        raise InvalidInput("There is no invitation in it.", where=place)
    if arguments.invitation_file is not None and len(texts) > 1:
        raise InvalidInput(
            f"The file holds {len(texts)} lines, and an invitation is one.",
            where=place,
            hint="Keep one line for each home.",
        )
    return texts


def _make(directory: Path) -> Home:
    home = Home.create(directory)
    keyring.create(home)
    return home


def _enrollers(context: Context) -> Callable[[Invitation], Enroller]:
    known: dict[tuple[str, bytes], Enroller] = {}

    def enroller(invitation: Invitation) -> Enroller:
        key = (invitation.enrolment, invitation.authority)
        if key not in known:
            known[key] = context.enroller(*key)
        return known[key]

    return enroller
