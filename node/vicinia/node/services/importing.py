"""Carrying files into the homes' tables: read once, cleaned by the definition, twice adds nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vicinia.errors import InvalidInput, NotFound
from vicinia.node.output import counted
from vicinia.node.services.clock import Clock
from vicinia.node.services.records import BadRecord, Record, locate, read_records
from vicinia.node.store.database import Database
from vicinia.node.store.datasets import DataSets
from vicinia.query.cleaner import CleanRow, Problem, RowCleaner, row_key
from vicinia.query.dataset import DataSet
from vicinia.query.raw import Raw
from vicinia.query.schema import create_table_sql, insert_sql, stored_columns, table_name
from vicinia.query.source import EVERY_ROW
from vicinia.query.source import Mapping as FileMap
from vicinia.tlog.canonical import canonical

__all__ = ["Finding", "Report", "households_of", "import_file"]

_FLUSH_ROWS = 100_000
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about one line: a row that was not counted, or a value that was clamped or taken as missing."""

    line: int
    sentence: str


@dataclass(slots=True)
class Report:
    """What an import did: rows by home, rows that were there already, and the dirty lines (the first 100).

    `strangers`: records of households that have no home here.
    """

    dataset: str
    file: str
    imported: dict[str, int] = field(default_factory=dict)
    already: int = 0
    clamped: int = 0
    rejected: int = 0
    missing: int = 0
    strangers: int = 0
    findings: list[Finding] = field(default_factory=list)

    def note(self, line: int, sentence: str) -> None:
        """Add a finding, as far as they are shown."""
        if len(self.findings) < _SHOWN:
            self.findings.append(Finding(line, sentence))


def import_file(
    homes: Mapping[str, Database],
    owner: Callable[[str], str | None],
    definition: DataSet,
    file_map: FileMap,
    data: Path,
    clock: Clock,
    registered: Mapping[str, object] | None = None,
    *,
    replace: bool = False,
) -> Report:
    """Import a file into one or many homes. `owner` names the home of a household of the file, or None to skip it.

    A map that contradicts the registered or the stored definition, and a file that lacks a column, are refused with
    nothing changed, and so is a file of which no row can be used; single bad lines are reported and left out.
    `replace`: the data set's rows, and its definition, are these from now on.
    """
    path, form = locate(data, file_map)
    payload = definition.payload()
    _check_registered(definition.name, payload, registered)
    if not replace:
        _check_stored(homes, definition.name, payload)
    report = Report(definition.name, path.name)
    target = _Target(homes, definition, path.name, report, replace=replace)
    cleaner = RowCleaner(definition, file_map.formats)
    owned = 0
    # The generator refuses a file that does not fit when it is first asked, which is before anything is written.
    for record in read_records(path, form, file_map.needs()):
        if isinstance(record, BadRecord):
            report.rejected += 1
            report.note(record.line, record.sentence)
            continue
        home = owner(_household(record, file_map))
        if home is None or home not in homes:
            report.strangers += 1
            continue
        owned += 1
        rows = file_map.rows(record.fields)
        if isinstance(rows, Problem):
            report.rejected += 1
            report.note(record.line, f"{rows.column}: {rows.sentence}")
            continue
        for raw in rows:
            row = cleaner.clean(raw)
            if isinstance(row, CleanRow):
                target.begin(canonical(payload), clock())
            target.take(home, record.line, row)
    if report.strangers and not owned:
        raise NotFound(
            f"None of the file's {counted(report.strangers, 'record')} belongs to a home selected here.",
            where=str(path),
            hint="A record belongs to the home whose name `household` of the map gives.",
        )
    if not target.begun and (report.rejected or replace):
        raise _unusable(report, path, replace=replace)
    target.begin(canonical(payload), clock())
    target.flush()
    return report


def _unusable(report: Report, path: Path, *, replace: bool) -> InvalidInput:
    """The refusal of a file that would bring nothing."""
    kept = "Nothing was changed; what was imported before is still there." if replace else "Nothing was imported."
    if not report.findings:
        return InvalidInput(f"The file has no rows, so there is nothing to replace yours by. {kept}", where=str(path))
    first = report.findings[0]
    lines = counted(report.rejected, "line or row", "lines or rows")
    return InvalidInput(
        f"None of its {lines} can be used. {kept}",
        where=str(path),
        hint=f"Line {first.line}: {first.sentence}. See whether the map is that of this file.",
    )


class _Target:
    """Buffers cleaned rows and writes them home by home: SD cards wear."""

    def __init__(
        self, homes: Mapping[str, Database], definition: DataSet, source: str, report: Report, *, replace: bool
    ) -> None:
        self._homes = homes
        self._definition = definition
        self._source = source
        self._report = report
        self._replace = replace
        self._begun = False
        self._waiting: dict[str, list[tuple[object, ...]]] = {}
        self._count = 0
        self._seen: dict[str, Counter[str]] = {}

    @property
    def begun(self) -> bool:
        """Whether the tables were made."""
        return self._begun

    def begin(self, payload: bytes, now_ms: int) -> None:
        """Make the tables, once."""
        if self._begun:
            return
        self._begun = True
        for name, database in self._homes.items():
            self._report.imported[name] = 0
            with database.transaction("make a table"):
                if self._replace:
                    DataSets(database).drop(self._definition.name, table_name(self._definition))
                database.run(create_table_sql(self._definition))
                _check_table(name, DataSets(database), self._definition)
                DataSets(database).put(self._definition.name, payload, now_ms)

    def take(self, home: str, line: int, row: CleanRow | Problem) -> None:
        """Buffer a row, or report why it is not counted."""
        if isinstance(row, Problem):
            self._report.rejected += 1
            self._report.note(line, f"{row.column}: {row.sentence}")
            return
        if row.clamped:
            self._report.clamped += 1
            self._report.note(line, f"{', '.join(row.clamped)}: outside the bounds, clamped")
        for sentence in row.notes:
            self._report.missing += 1
            self._report.note(line, sentence)
        seen = self._seen.setdefault(home, Counter())
        first = row_key(self._definition, row, 0)
        key = row_key(self._definition, row, seen[first]) if seen[first] else first
        seen[first] += 1
        self._waiting.setdefault(home, []).append((key, self._source, *row.values))
        self._count += 1
        if self._count >= _FLUSH_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what is buffered, one transaction a home."""
        for home, rows in self._waiting.items():
            database = self._homes[home]
            with database.transaction("import rows"):
                added = database.run_many(insert_sql(self._definition), rows)
            self._report.imported[home] += added
            self._report.already += len(rows) - added
        self._waiting, self._count = {}, 0


def households_of(data: Path, file_map: FileMap, most: int) -> list[str]:
    """The first households, at most so many, that a file has records of."""
    path, form = locate(data, file_map)
    found: dict[str, None] = {}
    for record in read_records(path, form, file_map.needs()):
        if not isinstance(record, BadRecord):
            found[_household(record, file_map)] = None
            if len(found) == most:
                break
    return list(found)


def _check_registered(name: str, payload: Mapping[str, object], registered: Mapping[str, object] | None) -> None:
    if registered is not None and registered != payload:
        raise InvalidInput(
            f"The map contradicts the cooperative's definition of {name!r}.",
            where="MAP.toml",
            hint="Use the map that the cooperative published.",
        )


def _check_stored(homes: Mapping[str, Database], name: str, payload: Mapping[str, object]) -> None:
    for home, database in homes.items():
        known = DataSets(database).get(name)
        if known is not None and known != canonical(dict(payload)):
            raise InvalidInput(
                f"The home {home} has a data set {name!r} with another definition.",
                where="MAP.toml",
                hint="Use the map that it was imported with, or begin anew with --replace.",
            )


def _check_table(home: str, datasets: DataSets, definition: DataSet) -> None:
    """A table that was there before has every column of the definition: one made by an older program may not."""
    missing = sorted(set(stored_columns(definition)) - datasets.columns(table_name(definition)))
    if missing:
        raise InvalidInput(
            f"The table of {definition.name!r} in the home {home} lacks {', '.join(missing)}.",
            where="MAP.toml",
            hint="Begin anew with --replace, and with all files that it was imported from.",
        )


def _household(record: Record, file_map: FileMap) -> str:
    if file_map.household == EVERY_ROW:
        return str(record.place)
    return _identifier(record.fields.get(file_map.household))


def _identifier(value: Raw) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()
