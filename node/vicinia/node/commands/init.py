"""vicinia-node init: make the keys and the encrypted store of a home."""

from __future__ import annotations

import argparse

from vicinia.errors import InvalidInput
from vicinia.node.commands.arguments import file_path
from vicinia.node.commands.context import Context, Subparsers
from vicinia.node.homes import read_names
from vicinia.node.output import show
from vicinia.node.services import keyring
from vicinia.node.store.home import Home, is_home

__all__ = ["add", "run"]


def add(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "init",
        parents=[common],
        help="make your keys and an encrypted store",
        description="Make the keys of your home and an encrypted store for its data, and print the public half of the "
        "key that signs for your household.",
        epilog="example: vicinia-node init --dir ~/home",
    )
    parser.add_argument(
        "--names",
        type=file_path,
        metavar="FILE",
        help="for many homes at once, with --homes: the names of those to make",
    )
    parser.set_defaults(run=run)


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Make what is not there; a single home that is there already is an error."""
    selection = context.selection
    if arguments.names is not None:
        if not selection.many:
            raise InvalidInput("--names goes with --homes.", where="init", hint="See: vicinia-node init --help")
        selection = type(selection)(selection.root, selection.many, read_names(arguments.names))
    keys: dict[str, str] = {}
    for name, directory in selection.wanted().items():
        if selection.many and is_home(directory):
            home = Home.open(directory)
            keys[name] = keyring.identity(home.facts).public.hex
        else:
            home = Home.create(directory)
            keys[name] = keyring.create(home).public.hex
        home.close()
    if selection.many:
        show(context.as_json, {"homes": {name: {"key": key} for name, key in keys.items()}}, _lines(keys))
    else:
        (key,) = keys.values()
        show(context.as_json, {"key": key}, [key])
    return 0


def _lines(keys: dict[str, str]) -> list[str]:
    return [f"{name} {key}" for name, key in keys.items()]
