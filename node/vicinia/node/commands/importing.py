"""vicinia-node import: carry a file's rows into the home's tables."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from vicinia.errors import StorageFault
from vicinia.node.commands.arguments import file_path, some_text
from vicinia.node.commands.context import Context, Subparsers
from vicinia.node.homes import read_text
from vicinia.node.output import show
from vicinia.node.services.integrity import inspect
from vicinia.node.services.keyring import is_joined
from vicinia.node.services.replica import cooperative_of, open_replica

__all__ = ["add", "run"]


def add(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "import",
        parents=[common],
        help="import a CSV or Parquet file with a mapping",
        epilog="example: vicinia-node import --map MAP.toml --data readings.csv",
    )
    parser.add_argument(
        "--map", type=file_path, required=True, metavar="MAP.toml", help="how the file becomes a data set"
    )
    parser.add_argument("--data", type=file_path, required=True, metavar="FILE|DIR", help="the file, or its folder")
    parser.add_argument(
        "--household", type=some_text, metavar="ID", help="take the rows of this household of the file only"
    )
    parser.set_defaults(run=run)


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Import and report; exit 0 also with dirty rows, which are listed."""
    from vicinia.node.services.importing import import_file
    from vicinia.query.mapping import parse_map

    definition, file_map = parse_map(read_text(arguments.map))
    with context.homes() as homes:
        report = import_file(
            {name: home.database for name, home in homes.items()},
            _owner(context, list(homes), arguments.household),
            definition,
            file_map,
            arguments.data,
            context.clock,
            _registered(context, definition.name),
        )
        damaged = {name: said for name in report.imported if (said := inspect(homes[name], context.clock))}
    total = sum(report.imported.values())
    document = {
        "dataset": report.dataset,
        "file": report.file,
        "imported": report.imported,
        "already": report.already,
        "clamped": report.clamped,
        "rejected": report.rejected,
        "missing": report.missing,
        "findings": [{"line": finding.line, "what": finding.sentence} for finding in report.findings],
    }
    lines = [
        f"{report.dataset}: {total} rows imported into {len(report.imported)} home(s), "
        f"{report.already} were there already."
    ]
    if report.rejected or report.clamped or report.missing:
        lines.append(
            f"{report.rejected} lines or rows were not counted, {report.clamped} rows were clamped to their bounds, "
            f"{report.missing} values were taken as missing."
        )
    lines += [f"  line {finding.line}: {finding.sentence}" for finding in report.findings]
    lines += [f"{name}: {said}" for name, said in damaged.items()]
    show(context.as_json, document | {"damaged": damaged}, lines)
    return StorageFault.exit_status if damaged else 0


def _owner(context: Context, names: list[str], household: str | None) -> Callable[[str], str | None]:
    """Which home gets a household's rows: the one of its name, or the only one."""
    if context.selection.many:
        known = set(names)
        return lambda of: of if of in known and household in (None, of) else None
    (only,) = names
    return lambda of: only if household in (None, of) else None


def _registered(context: Context, dataset: str) -> dict[str, object] | None:
    """The cooperative's definition of the data set, where this home knows the log already."""
    if not context.selection.replica.exists():
        return None
    with context.homes() as homes:
        if not any(is_joined(home.facts) for home in homes.values()):
            return None
        replica = open_replica(context.selection.replica, cooperative_of(homes), context.clock)
        try:
            known = replica.assembly.datasets.get(dataset) if replica.size else None
            return known.dataset.definition if known is not None else None
        finally:
            replica.store.close()
