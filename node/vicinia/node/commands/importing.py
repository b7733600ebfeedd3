"""vicinia-node import: carry a file's rows into the home's tables."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vicinia.errors import StorageFault, ViciniaError
from vicinia.node.commands.arguments import file_path, some_text
from vicinia.node.commands.context import Context, Subparsers
from vicinia.node.homes import read_text
from vicinia.node.output import counted, show
from vicinia.node.services import ownership
from vicinia.node.services.integrity import inspect
from vicinia.node.services.replica import Replica

if TYPE_CHECKING:
    from vicinia.node.services.importing import Report

__all__ = ["add", "run"]

_MAP = "MAP.toml"  # as errors about a map name it


def add(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "import",
        parents=[common],
        help="import a CSV or Parquet file",
        description="Import a CSV or Parquet file into your home's own store; a map says how it becomes a data set. "
        "Nothing leaves your home by it. Importing the same file twice adds nothing.",
        epilog="example: vicinia-node import --map MAP.toml --data readings.csv",
    )
    parser.add_argument(
        "--map", type=file_path, required=True, metavar="MAP.toml", help="how the file becomes a data set"
    )
    parser.add_argument("--data", type=file_path, required=True, metavar="FILE|DIR", help="the file, or its folder")
    parser.add_argument(
        "--household", type=some_text, metavar="ID", help="which household of the file is yours, where it holds several"
    )
    parser.add_argument(
        "--replace", action="store_true", help="forget what was imported of this data set, and begin anew"
    )
    parser.set_defaults(run=run)


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Import and report; exit 0 also with dirty rows, which are listed."""
    from vicinia.node.services.importing import households_of, import_file
    from vicinia.query.mapping import parse_map

    with _named(arguments.map), context.homes() as homes:
        definition, file_map = parse_map(read_text(arguments.map))
        owner: Callable[[str], str | None]
        household = None
        if context.selection.many:
            owner = _by_name(set(homes), arguments.household)
        else:
            ((name, home),) = homes.items()
            household = ownership.household_for(
                home,
                definition.name,
                arguments.household,
                lambda most: households_of(arguments.data, file_map, most),
                replace=arguments.replace,
            )
            owner = _only(name, household)
        with context.replica(homes) as replica:
            registered = _registered(replica, definition.name)
            unknown = replica is not None and replica.size > 0 and registered is None
        report = import_file(
            {name: home.database for name, home in homes.items()},
            owner,
            definition,
            file_map,
            arguments.data,
            context.clock,
            registered,
            replace=arguments.replace,
        )
        if household is not None:
            ownership.remember(home, definition.name, household)
        damaged = {name: said for name in report.imported if (said := inspect(homes[name], context.clock))}
    lines = [*_lines(report, many=context.selection.many), *(f"{name}: {said}" for name, said in damaged.items())]
    if unknown:
        lines.append(f"The cooperative has no data set {definition.name!r}, so no job can ask for these rows.")
    show(context.as_json, _document(report) | {"damaged": damaged, "registered": not unknown}, lines)
    return StorageFault.exit_status if damaged else 0


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors about the map name the file that was given."""
    try:
        yield
    except ViciniaError as error:
        if error.where.startswith(_MAP):
            error.where = f"{path}{error.where.removeprefix(_MAP)}"
        raise


def _by_name(names: set[str], household: str | None) -> Callable[[str], str | None]:
    """Every household's rows go to the home of its name."""
    return lambda of: of if of in names and household in (None, of) else None


def _only(name: str, household: str | None) -> Callable[[str], str | None]:
    return lambda of: name if of == household else None


def _registered(replica: Replica | None, dataset: str) -> dict[str, object] | None:
    """The cooperative's definition of the data set, where this home knows the log already."""
    known = replica.assembly.datasets.get(dataset) if replica is not None and replica.size else None
    return known.dataset.definition if known is not None else None


def _document(report: Report) -> dict[str, object]:
    return {
        "dataset": report.dataset,
        "file": report.file,
        "imported": report.imported,
        "already": report.already,
        "clamped": report.clamped,
        "rejected": report.rejected,
        "missing": report.missing,
        "strangers": report.strangers,
        "findings": [{"line": finding.line, "what": finding.sentence} for finding in report.findings],
    }


def _lines(report: Report, *, many: bool) -> list[str]:
    total, already = sum(report.imported.values()), report.already
    where = f" into {counted(len(report.imported), 'home')}" if many else ""
    again = f"; {already} {'was' if already == 1 else 'were'} there already" if already else ""
    lines = [f"{report.dataset}: {counted(total, 'row')} imported{where}{again}."]
    if report.strangers:
        others = "of households that have no home here" if many else "of other households"
        lines.append(f"{counted(report.strangers, 'record')} {others} left out.")
    dirty = [
        (report.rejected, "line or row not counted", "lines or rows not counted"),
        (report.clamped, "row clamped to the bounds", "rows clamped to the bounds"),
        (report.missing, "value taken as missing", "values taken as missing"),
    ]
    told = [counted(number, one, several) for number, one, several in dirty if number]
    lines += [", ".join(told) + "."] if told else []
    return lines + [f"  {report.file}, line {finding.line}: {finding.sentence}" for finding in report.findings]
