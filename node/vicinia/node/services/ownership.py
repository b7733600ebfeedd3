"""Whose rows a home holds: one household's, the same one at every import of a data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vicinia.errors import InvalidInput
from vicinia.node.store.datasets import DataSets
from vicinia.node.store.home import Home

__all__ = ["household_for", "remember"]


def household_for(
    home: Home, dataset: str, asked: str | None, first: Callable[[int], Sequence[str]], *, replace: bool
) -> str | None:
    """The household of the file whose rows this home takes; None where the file has none.

    `asked`: the one that was named; `first(n)`: the first n households of the file. A home that holds rows of one
    household never takes another's beside them, and never those of several: InvalidInput.
    """
    imported = DataSets(home.database).get(dataset) is not None
    known = home.facts.text(_fact(dataset)) if imported and not replace else None
    if asked is not None and known is not None and asked != known:
        raise InvalidInput(
            f"This home's rows of {dataset!r} are those of household {known!r}, not of {asked!r}.",
            where="--household",
            hint="One home holds one household; to begin anew with this one, add --replace.",
        )
    if asked is not None or known is not None:
        return asked if asked is not None else known
    found = first(2)
    if len(found) > 1:
        raise InvalidInput(
            f"The file holds records of several households ({found[0]!r}, {found[1]!r}, ...).",
            where="--household",
            hint="Say which one is this home's: --household ID",
        )
    return found[0] if found else None


def remember(home: Home, dataset: str, household: str) -> None:
    """Note whose rows were imported."""
    home.facts.put(_fact(dataset), household)


def _fact(dataset: str) -> str:
    return f"household-of-{dataset}"
