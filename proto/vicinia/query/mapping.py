"""MAP.toml: the definition of a data set together with how a household's files become its rows.

Loaded by the home's daemon: neither numpy nor sqlglot here.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from decimal import Decimal

from vicinia.errors import InvalidInput, TooLarge
from vicinia.query.column import Column, ColumnType
from vicinia.query.dataset import DataSet, zone
from vicinia.query.moment import check_format
from vicinia.query.source import ColumnSource, Mapping
from vicinia.query.wide import Wide, WideStart, column_range, step_seconds

__all__ = ["parse_map"]

IMPLICIT_TIME = "ts"
"""The timestamp column that wide readings bring along where the map declares none."""

MAX_MAP_CHARACTERS = 200_000
_FORMATS = ("csv", "parquet")
_OF_A_JOB = {"title", "purpose", "why", "query", "privacy"}
_TOP = {"dataset", "description", "category", "file", "format", "household", "timezone", "columns"}
_TOP_NEEDED = {"dataset", "description", "category", "household", "columns"}
_NEEDED_LINES = {
    "dataset": 'dataset = "electricity"',
    "description": 'description = "What one row is, and where it comes from"',
    "category": 'category = "pd:Household"  # a DPV category of personal data',
    "household": 'household = "id"  # the file column that names the household, or "#row"',
    "timezone": 'timezone = "Europe/Rome"  # the IANA zone of the times in the files',
    "columns": 'columns.kwh = { from = "KWH", type = "real", low = 0.0, high = 10.0 }',
}
_COLUMN = {
    "from", "from_wide", "start", "step", "parse", "type", "low", "high", "unit", "values", "required", "per",
    "buckets",
}  # fmt: skip


def parse_map(text: str) -> tuple[DataSet, Mapping]:
    """Read MAP.toml: the definition and the mapping that carries files into it.

    Unknown keys, contradictions and values of the wrong type are refused (InvalidInput, with the line of the key
    where it can be found). Wide readings need one timestamp column without `from`; if there is none, `ts` is added.
    """
    if len(text) > MAX_MAP_CHARACTERS:
        raise TooLarge(f"The map has more than {MAX_MAP_CHARACTERS} characters.", where="MAP.toml")
    try:
        table = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise InvalidInput(f"This is not TOML: {error}.", where="MAP.toml") from None
    return _Reader(text).read(table)


@dataclass(slots=True)
class _Reader:
    text: str
    _sources: list[ColumnSource] = field(default_factory=list)
    _columns: list[Column] = field(default_factory=list)

    def read(self, table: dict[str, object]) -> tuple[DataSet, Mapping]:
        self._known(table, _TOP, "")
        for key in sorted(_TOP_NEEDED - table.keys()):
            raise self._missing(key)
        declared = table["columns"]
        if not isinstance(declared, dict) or not declared:
            raise InvalidInput("A table of columns is expected.", where=self._at("columns"))
        for name, options in declared.items():
            self._column(name, options)
        self._pair_wide()
        if "timezone" not in table and any(c.type is ColumnType.TIMESTAMP for c in self._columns):
            raise self._missing("timezone")
        zone(self._string(table, "timezone", "UTC"), self._at("timezone"))
        dataset = DataSet(
            name=self._string(table, "dataset"),
            description=self._string(table, "description"),
            category=self._string(table, "category"),
            timezone=self._string(table, "timezone", "UTC"),
            columns=tuple(self._columns),
        )
        form = self._string(table, "format", "") or None
        if form is not None and form not in _FORMATS:
            raise InvalidInput(f"{form[:40]!r} is no format.", where=self._at("format"), hint="Use csv or parquet.")
        mapping = Mapping(
            dataset=dataset.name,
            timezone=dataset.timezone,
            household=self._string(table, "household"),
            columns=tuple(self._sources),
            file=self._file(table),
            format=form,
        )
        return dataset, mapping

    def _missing(self, key: str) -> InvalidInput:
        """The refusal, with the line to add: keys of the map itself must stand above the first table."""
        first = next((n for n, line in enumerate(self.text.splitlines(), 1) if line.lstrip().startswith("[")), 0)
        place = f"Above line {first}" if first else "At the end"
        return InvalidInput(
            f"The key {key} is missing.", where="MAP.toml", hint=f"{place}, add the line: {_NEEDED_LINES[key]}"
        )

    def _column(self, name: str, options: object) -> None:
        where = self._at(name, name)
        if not isinstance(options, dict):
            raise InvalidInput(f"The column {name[:60]} must be a table of options.", where=where)
        self._known(options, _COLUMN, f" of the column {name[:60]}", name)
        kind = self._string(options, "type", column=name)
        if kind not in set(ColumnType):
            raise InvalidInput(
                f"{kind[:40]!r} is no type of column.", where=where, hint="Use real, integer, enum or timestamp."
            )
        if options.get("per", "household") != "household":
            raise InvalidInput('`per` can only be "household".', where=where)
        try:
            column = Column(
                name=name,
                type=ColumnType(kind),
                low=self._number(options.get("low"), f"`low` of the column {name[:60]}", where),
                high=self._number(options.get("high"), f"`high` of the column {name[:60]}", where),
                unit=self._string(options, "unit", "", column=name),
                values=self._values(options.get("values", []), where),
                required=self._flag(options.get("required", False), where),
                per_household="per" in options,
                buckets=self._buckets(options.get("buckets", []), where),
            )
        except InvalidInput as error:
            raise InvalidInput(error.what, where=where, hint=error.hint) from None
        self._columns.append(column)
        self._sources.append(self._source(column, options, where))

    def _source(self, column: Column, options: dict[str, object], where: str) -> ColumnSource:
        if "parse" in options and column.type is not ColumnType.TIMESTAMP:
            raise InvalidInput("`parse` belongs to timestamp columns.", where=where)
        if "from_wide" in options:
            if "from" in options or not column.numeric:
                raise InvalidInput("Wide readings are numbers and have `from_wide` alone.", where=where)
            wide = Wide(
                columns=column_range(self._string(options, "from_wide", column=column.name), where),
                start=self._start(options.get("start"), where),
                step=step_seconds(self._string(options, "step", column=column.name), where),
            )
            return ColumnSource(column.name, wide=wide)
        if "start" in options or "step" in options:
            raise InvalidInput("`start` and `step` belong to wide readings.", where=where, hint="Add `from_wide`.")
        parse = self._string(options, "parse", column=column.name) if "parse" in options else None
        source = self._string(options, "from", column.name, column=column.name)
        return ColumnSource(column.name, source, parse=check_format(parse, where) if parse is not None else None)

    def _start(self, value: object, where: str) -> WideStart:
        hint = "Write { week = COLUMN, year = 2014 } or { date = COLUMN, parse = FORMAT }."
        if not isinstance(value, dict):
            raise InvalidInput("Wide readings need a `start`.", where=where, hint=hint)
        week, year, day, parse = (value.get(key) for key in ("week", "year", "date", "parse"))
        by_week = value.keys() == {"week", "year"} and isinstance(week, str) and type(year) in (int, str)
        if by_week:
            return WideStart(week=str(week), year=year if isinstance(year, int) else str(year))
        if value.keys() <= {"date", "parse"} and isinstance(day, str) and isinstance(parse, str | None):
            return WideStart(date=day, parse=check_format(parse, where) if parse is not None else None)
        raise InvalidInput("The `start` of wide readings is not understood.", where=where, hint=hint)

    def _pair_wide(self) -> None:
        """Wide columns advance together, and one timestamp column without a source takes their times."""
        wides = [source for source in self._sources if source.wide is not None]
        if not wides:
            return
        shapes = {(len(s.wide.columns), s.wide.start, s.wide.step) for s in wides if s.wide is not None}
        if len(shapes) != 1:
            raise InvalidInput(
                "All wide columns must have the same start, step and count.",
                where=self._at(wides[-1].column, wides[-1].column),
            )
        for place, (column, source) in enumerate(zip(self._columns, self._sources, strict=True)):
            if column.type is ColumnType.TIMESTAMP and source.source == column.name and source.parse is None:
                self._sources[place] = ColumnSource(column.name)
                return
        self._columns.append(Column(IMPLICIT_TIME, ColumnType.TIMESTAMP, required=True))
        self._sources.append(ColumnSource(IMPLICIT_TIME))

    def _file(self, table: dict[str, object]) -> str | None:
        name = self._string(table, "file", "") or None
        if name is not None and (name.startswith("/") or ".." in name.split("/") or "\0" in name):
            raise InvalidInput("`file` must lie within the data folder.", where=self._at("file"))
        return name

    def _known(self, table: dict[str, object], known: set[str], of: str, column: str = "") -> None:
        for key in table:
            if key not in known:
                job = not column and key in _OF_A_JOB
                raise InvalidInput(
                    f"Unknown key {key[:60]!r}{of}.",
                    where=self._at(key, column),
                    hint="This looks like a job; a map says how a file becomes a data set."
                    if job
                    else f"Known are {', '.join(sorted(known))}.",
                )

    def _string(self, table: dict[str, object], key: str, default: str | None = None, column: str = "") -> str:
        value = table.get(key, default)
        if not isinstance(value, str) or len(value) > 1000 or (not value and default != ""):
            what = f"`{key}` must be a string" + (f" in the column {column[:60]}" if column else "")
            raise InvalidInput(f"{what}.", where=self._at(column or key, column))
        return value

    def _number(self, value: object, what: str, where: str) -> Decimal | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise InvalidInput(f"{what} must be {'numbers' if what == '`buckets`' else 'a number'}.", where=where)
        return Decimal(value)

    def _values(self, value: object, where: str) -> tuple[int, ...] | tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(str(item) for item in value)
        if isinstance(value, list) and all(type(item) is int for item in value):
            return tuple(int(item) for item in value)
        raise InvalidInput("`values` must be all whole numbers or all strings.", where=where)

    def _flag(self, value: object, where: str) -> bool:
        if not isinstance(value, bool):
            raise InvalidInput("`required` must be true or false.", where=where)
        return value

    def _buckets(self, value: object, where: str) -> tuple[Decimal, ...]:
        edges = [self._number(edge, "`buckets`", where) for edge in value] if isinstance(value, list) else [None]
        if None in edges:
            raise InvalidInput("`buckets` must be a list of numbers.", where=where)
        return tuple(edge for edge in edges if edge is not None)

    def _at(self, key: str, column: str = "") -> str:
        """`MAP.toml, line 7`, if the key can be found there: a column after `columns`, its options after its name."""
        first = 0
        for before in ("columns", column) if column else ():
            first = max(first, self._line(before, first) - 1)
        number = self._line(key, first)
        return f"MAP.toml, line {number}" if number else "MAP.toml"

    def _line(self, key: str, first: int) -> int:
        """The number (from 1) of the first line that sets the key, from that place on; 0 if there is none."""
        pattern = re.compile(rf"(^|[\[{{,.])\s*[\"']?{re.escape(key)}[\"']?\s*[=\].]")
        for number, line in enumerate(self.text.splitlines()[first:], first + 1):
            if pattern.search(line.split("#", 1)[0]):
                return number
        return 0
