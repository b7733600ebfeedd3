"""What every command is given: the homes it is about, how to print, the clock, and the way to the coordinator."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from vicinia.errors import InvalidInput, Unavailable
from vicinia.node.homes import Selection
from vicinia.node.services.clock import Clock
from vicinia.node.services.cooperative import cooperative_of
from vicinia.node.services.keyring import is_joined, membership
from vicinia.node.services.ports import Enroller, Link
from vicinia.node.services.replica import Replica, open_replica
from vicinia.node.store.home import Home

__all__ = ["Command", "Context"]

Subparsers = Any  # argparse keeps this type private
Command = Callable[["Context", argparse.Namespace], int]


@dataclass(frozen=True, slots=True)
class Context:
    """Wired by the app; commands know nothing of gRPC."""

    selection: Selection
    as_json: bool
    clock: Clock
    connect: Callable[[Home], Link]
    enroller: Callable[[str, bytes], Enroller]

    @contextmanager
    def homes(self) -> Iterator[dict[str, Home]]:
        """The selected homes, open."""
        homes = self.selection.open()
        try:
            yield homes
        finally:
            for home in homes.values():
                home.close()

    @contextmanager
    def home(self) -> Iterator[Home]:
        """The one selected home; InvalidInput where there are many."""
        with self.homes() as homes:
            if len(homes) != 1:
                raise InvalidInput(
                    f"This is about one home, and {len(homes)} are selected.",
                    hint="Use --dir, or --only with one name.",
                )
            yield next(iter(homes.values()))

    @contextmanager
    def replica(self, homes: Mapping[str, Home]) -> Iterator[Replica | None]:
        """The homes' copy of the log, or None where none of them has joined or it was never fetched."""
        joined = {name: home for name, home in homes.items() if is_joined(home.facts)}
        if not joined or not self.selection.replica.exists():
            yield None
            return
        replica = open_replica(self.selection.replica, cooperative_of(joined), self.clock)
        try:
            yield replica
        finally:
            replica.store.close()

    @contextmanager
    def linked(self, home: Home) -> Iterator[Link]:
        """A call to the home's coordinator; an error about one that is away names its address."""
        link = self.connect(home)
        try:
            yield link
        except Unavailable as error:
            if error.where == "coordinator":
                error.where = f"coordinator at {membership(home.facts).address}"
            raise
        finally:
            link.close()
