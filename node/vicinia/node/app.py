"""The program `vicinia-node`: reads the command line, wires the services, maps every error once."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from vicinia.errors import InvalidInput, StorageFault, ViciniaError
from vicinia.node.commands.arguments import file_path
from vicinia.node.commands.context import Context
from vicinia.node.defects import report
from vicinia.node.homes import Selection, default_directory, read_names
from vicinia.node.output import fail
from vicinia.node.services.clock import system_clock
from vicinia.node.services.ports import Enroller, Link
from vicinia.node.store.home import Home

__all__ = ["main"]

_EXAMPLES = """\
examples:
  vicinia-node init                            make your keys
  vicinia-node join --invitation-file FILE     join a cooperative
  vicinia-node import --map MAP.toml --data readings.csv
  vicinia-node consent allow --dataset budget --purpose dpv:NonCommercialResearch --recipient non-profit
  vicinia-node run                             keep it running: it votes and computes for you
  vicinia-node jobs                            what waits for you, and what became of the rest
  vicinia-node left --verify                   everything that ever left your home
  vicinia-node COMMAND --help                  more about one of them
"""
# Which module of `commands` declares each.
_COMMANDS = {
    "init": "init",
    "join": "join",
    "import": "importing",
    "run": "run",
    "consent": "consent",
    "vote": "vote",
    "sponsor": "office",
    "registrar": "office",
    "jobs": "jobs",
    "left": "left",
    "status": "status",
    "unlock": "unlock",
}


class _Parser(argparse.ArgumentParser):
    """argparse whose complaints have the form of every other error."""

    def error(self, message: str) -> NoReturn:
        hint = f"See: {self.prog} --help"
        wrong = re.match(r"argument (.+): invalid choice: '(.*)' \(choose from (.*)\)$", message, re.DOTALL)
        if wrong is not None:
            which, word, choices = wrong[1], wrong[2], [one.strip(" '") for one in wrong[3].split(",")]
            near = get_close_matches(word, choices, 1)
            message = f"there is no {which.lower()} {word!r}" if which == "COMMAND" else f"{which} cannot be {word!r}"
            one_of = f"One of {', '.join(choices)}." if which != "COMMAND" else hint
            hint = f"Did you mean {near[0]}?" if near else one_of
        raise InvalidInput(f"{message[:1].upper()}{message[1:]}.", where=self.prog, hint=hint)


class _Command(_Parser):
    """One command: its words may stand before its options, between them or after them."""

    _mixing = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._mixing:
            return super().parse_known_args(args, namespace)
        self._mixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._mixing = False


class _Version(argparse.Action):
    """Says the version; what finds it out is large, and is loaded for this alone."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"vicinia-node {version('vicinia')}")
        parser.exit()


def connect(home: Home) -> Link:
    """A link with the home's certificate; loads gRPC."""
    from vicinia.node.link import connect as dial

    return dial(home)


def enroller(address: str, authority: bytes) -> Enroller:
    """A link to the enrolment port; loads gRPC."""
    from vicinia.node.link import GrpcEnroller

    return GrpcEnroller(address, authority)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. No traceback reaches a person who did not ask for it."""
    parsed: argparse.Namespace | None = None
    try:
        words = sys.argv[1:] if arguments is None else arguments
        parsed = _parser(words).parse_args(words)
        selection = Selection(*_where(parsed))
        context = Context(selection, parsed.json, system_clock, connect, enroller)
        return int(parsed.run(context, parsed))
    except ViciniaError as error:
        return fail(error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    except OSError as error:
        where = str(error.filename) if error.filename else ""
        no_folder = isinstance(error, FileExistsError | NotADirectoryError)
        refused = f"The system refused ({error.strerror or error})."
        return fail(StorageFault("This is a file, and a folder is needed." if no_folder else refused, where=where))
    except Exception as error:
        return fail(_defect(error, parsed))


def _defect(error: Exception, parsed: argparse.Namespace | None) -> ViciniaError:
    """A defect as an error for people; its details go to a file in the home, or to the terminal with --debug."""
    folder = None if parsed is None else parsed.homes or parsed.dir or default_directory()
    return report(error, folder, shown=parsed is not None and parsed.debug)


def _where(parsed: argparse.Namespace) -> tuple[Path, bool, tuple[str, ...] | None]:
    if parsed.homes is not None and parsed.dir is not None:
        raise InvalidInput("Give --dir or --homes, not both.")
    if parsed.only is not None and parsed.homes is None:
        raise InvalidInput("--only narrows --homes, which is missing.")
    only = None if parsed.only is None else read_names(parsed.only)
    root = parsed.homes or parsed.dir or default_directory()
    return root.expanduser().absolute(), parsed.homes is not None, only


def _declaring(words: Sequence[str]) -> list[ModuleType]:
    """What declares the commands; only that of the first word where it is one, for a daemon keeps what it loads."""
    named = _COMMANDS.get(words[0]) if words else None
    wanted = [named] if named is not None else dict.fromkeys(_COMMANDS.values())
    return [import_module(f"vicinia.node.commands.{name}") for name in wanted]


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="vicinia-node",
        parents=[_common()],
        description="A household's node of a data cooperative: it keeps your data at home, asks your consent,\n"
        "and takes part in what the members accepted.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=_Command)
    # What stands before the command must not be overwritten by what is not said after it.
    after = _common(argparse.SUPPRESS)
    for command in _declaring(words):
        command.add(commands, after)
    return parser


def _common(default: str | None = None) -> argparse.ArgumentParser:
    """What every command takes, before the command or after it; `default` for what is not given."""
    common = argparse.ArgumentParser(add_help=False, argument_default=default)
    off = default or False
    common.add_argument(
        "--dir", type=file_path, metavar="DIR", help="your home's directory (default: ~/.local/share/vicinia/node)"
    )
    common.add_argument("--json", action="store_true", default=off, help="print one JSON document")
    common.add_argument(
        "--debug", action="store_true", default=off, help="on a defect of the program, show where in it"
    )
    many = common.add_argument_group("for many homes at once (demos, tests)")
    many.add_argument("--homes", type=file_path, metavar="DIR", help="every folder in DIR is a home of that name")
    many.add_argument("--only", type=file_path, metavar="FILE", help="with --homes: only the names in FILE, one a line")
    return common


if __name__ == "__main__":
    sys.exit(main())
