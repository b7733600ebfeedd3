"""Definitions, MAP.toml and the rule by which raw records become rows."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from protocol.query.samples import ENERGY
from vicinia.errors import InvalidInput
from vicinia.query.cleaner import CleanRow, Problem, row_key, row_values
from vicinia.query.column import Column, ColumnType
from vicinia.query.dataset import DataSet
from vicinia.query.mapping import parse_map
from vicinia.query.plan import compile_query
from vicinia.query.raw import Raw
from vicinia.query.schema import create_table_sql, insert_sql, stored_columns

BUDGET = """
dataset     = "budget"          # the name that the refusal rule uses, too
description = "Weekly spending of the household"
category    = "pd:Transactional"
file        = "expendshares.csv" # when --data is a folder
format      = "csv"              # or parquet; default by ending
household   = "#row"             # every row is a household (counted from 0), or a column's name
timezone    = "Europe/London"
[columns]
fuel = { from = "sfuel", type = "real", low = 0.0, high = 0.4, unit = "share", required = true }
kids = { from = "kids", type = "enum", values = [1, 2], per = "household" }
ts   = { from = "date", type = "timestamp", parse = "%m/%d/%Y %I:%M:%S %p" }     # ISO 8601 by default
"""

READINGS = """
dataset = "readings"
description = "Quarter-hours"
category = "pd:Energy"
household = "VID"
timezone = "Europe/Zurich"
[columns]
kwh = { from_wide = "V001..V672", start = { week = "week", year = 2014 }, step = "15min", type = "real", low = 0.0, high = 10.0, unit = "kWh" }
"""  # noqa: E501


def clean(raw: dict[str, Raw]) -> CleanRow | Problem:
    dataset, mapping = parse_map(BUDGET)
    rows = mapping.rows(raw)
    assert isinstance(rows, list)
    return row_values(dataset, rows[0], mapping.formats)


@pytest.mark.parametrize("key", ["dataset", "description", "category", "household", "timezone"])
@pytest.mark.parametrize("text", [BUDGET, READINGS], ids=["budget", "readings"])
def test_what_is_missing_in_a_map_is_said_as_the_line_that_mends_it(text: str, key: str) -> None:
    lines = [line for line in text.splitlines() if not line.startswith(key)]
    with pytest.raises(InvalidInput, match=f"The key {key} is missing") as refusal:
        parse_map("\n".join(lines))
    place, line = refusal.value.hint.split(", add the line: ")
    lines.insert(int(place.removeprefix("Above line ")) - 1, line)
    assert parse_map("\n".join(lines))[0].columns == parse_map(text)[0].columns


def test_a_map_without_any_column_is_told_how_one_is_written() -> None:
    text = BUDGET[: BUDGET.index("[columns]")]
    with pytest.raises(InvalidInput, match="columns is missing") as refusal:
        parse_map(text)
    assert parse_map(text + refusal.value.hint.split("add the line: ")[1])[0].column("kwh").numeric


def test_the_map_of_the_manual_is_read() -> None:
    dataset, mapping = parse_map(BUDGET)
    assert (mapping.file, mapping.format, mapping.household) == ("expendshares.csv", "csv", "#row")
    assert mapping.needs() == ("sfuel", "kids", "date")
    assert dataset.column("FUEL") == Column("fuel", ColumnType.REAL, Decimal(0), Decimal("0.4"), "share", required=True)
    assert dataset.column("kids").per_household
    assert dataset.time_column == dataset.column("ts")


@pytest.mark.parametrize("dataset", [ENERGY, parse_map(BUDGET)[0], parse_map(READINGS)[0]], ids=lambda d: d.name)
def test_a_definition_survives_its_payload(dataset: DataSet) -> None:
    payload = dataset.payload()
    assert DataSet.from_payload(json.loads(json.dumps(payload))) == dataset
    assert not any(isinstance(value, float | bool) for value in _leaves(payload))


def _leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(["name", "description", "category", "timezone", "columns", "extra"]), JSON)
def test_a_strange_payload_is_refused_and_nothing_else_is_raised(field: str, value: object) -> None:
    try:
        dataset = DataSet.from_payload(ENERGY.payload() | {field: value})
    except InvalidInput:
        return
    assert dataset.payload()[field] == value


@given(st.sampled_from(["name", "type", "low", "high", "unit", "values", "required", "per_household", "buckets"]), JSON)
def test_a_strange_column_is_refused_and_nothing_else_is_raised(field: str, value: object) -> None:
    payload = {"name": "kwh", "type": "real", "low": "0", "high": "10", field: value}
    try:
        column = Column.from_payload(payload)
    except InvalidInput:
        return
    assert column.payload() == payload


@pytest.mark.parametrize(
    ("found", "put", "line", "says"),
    [
        ("step", "stepp", 8, "Unknown key 'stepp'"),
        ('"15min"', '"15 minutes"', 8, "no step"),
        ('household = "VID"', 'household = "VID"\nfoo = 1', 6, "Unknown key 'foo'"),
        ("V672", "W672", 8, "no range"),
        ("V672", "V999999", 8, "more than"),
        ("low = 0.0", "low = 11", 8, "not below"),
        ("low = 0.0, ", "", 8, "low and high"),
        ("high = 10.0", "high = inf", 8, "Infinity"),
        ('"real"', '"number"', 8, "no type"),
        ('type = "real"', 'type = "real", values = [1]', 8, "no list of values"),
        ('type = "real"', 'type = "real", per = "person"', 8, "household"),
        ('type = "real"', 'type = "real", parse = "%Y"', 8, "timestamp"),
        ("start = { week", "start = { weak", 8, "start"),
        ("Europe/Zurich", "Europe/../x", None, "no time zone"),
        ("pd:Energy", "energy", None, "DPV"),
        ('dataset = "readings"', 'dataset = "1; DROP"', None, "name"),
        ('category = "pd:Energy"\n', "", None, "category is missing"),
        ("timezone = ", "timezones = ", 6, "Unknown key"),
        ("kwh = ", "household = ", 7, "name"),
        ("kwh = ", "kwh__hour = ", 7, "name"),
        ("[columns]", "[columns", None, "not TOML"),
        ("[columns]", 'file = "../../etc/passwd"\n[columns]', 7, "within the data folder"),
        ("[columns]", 'format = "xls"\n[columns]', 7, "csv or parquet"),
    ],
)
def test_a_faulty_map_is_refused_with_its_line(found: str, put: str, line: int | None, says: str) -> None:
    assert found in READINGS
    with pytest.raises(InvalidInput) as caught:
        parse_map(READINGS.replace(found, put, 1))
    assert says in str(caught.value)
    if line is not None and "line" in caught.value.where:
        assert caught.value.where in (f"MAP.toml, line {line}", f"MAP.toml, line {line + 1}")


@given(st.text(max_size=60))
def test_a_map_of_anything_raises_nothing_else(text: str) -> None:
    for whole in (text, READINGS.replace("week = ", text, 1), READINGS + text):
        try:
            parse_map(whole)
        except InvalidInput:
            continue


def test_the_cleaning_rule() -> None:
    row = clean({"sfuel": "0.5", "kids": "2", "date": "4/12/2016 12:00:00 AM"})
    assert row == CleanRow((0.4, 2, 1460415600, 0, 2, 4, "2016Q2"), clamped=("fuel",))
    assert clean({"sfuel": 0.1, "kids": 3}) == Problem("kids", "'3' is not among the values of kids")
    for missing in ("", " ", "NA", "NaN", None, float("nan")):
        assert isinstance(clean({"sfuel": missing, "kids": 1}), Problem)  # required
        assert clean({"sfuel": 0.1, "kids": missing}) == CleanRow((0.1, *(None,) * 6))
    for unreadable in ("x", "1,5", "inf", float("inf"), 10**400, datetime(2014, 1, 1, tzinfo=UTC)):
        assert isinstance(clean({"sfuel": unreadable, "kids": 1}), Problem)
    row = clean({"sfuel": 0.1, "kids": 2.0, "date": "yesterday"})
    assert isinstance(row, CleanRow)
    assert row.values == (0.1, 2, *(None,) * 5)
    assert "yesterday" in row.notes[0]


@given(st.dictionaries(st.sampled_from(["sfuel", "kids", "date"]), st.none() | st.text() | st.floats() | st.integers()))
def test_no_record_raises_and_every_row_fits_the_table(record: dict[str, Raw]) -> None:
    dataset, _mapping = parse_map(BUDGET)
    row = clean(record)
    if isinstance(row, CleanRow):
        assert len(row.values) == len(stored_columns(dataset))
        assert isinstance(row.values[0], float)
        assert 0 <= row.values[0] <= 0.4
        connection = sqlite3.connect(":memory:")
        connection.execute(create_table_sql(dataset))
        connection.execute(insert_sql(dataset), ("key", "source", *row.values))


def test_importing_twice_changes_nothing() -> None:
    dataset, _mapping = parse_map(BUDGET)
    connection = sqlite3.connect(":memory:")
    connection.execute(create_table_sql(dataset))
    row = clean({"sfuel": 0.1, "kids": 1})
    assert isinstance(row, CleanRow)
    for occurrence in (0, 1, 0, 1):
        connection.execute(insert_sql(dataset), (row_key(dataset, row, occurrence), "file", *row.values))
    assert connection.execute("SELECT COUNT(*) FROM data_budget").fetchone() == (2,)


def test_wide_readings_bring_their_times() -> None:
    dataset, mapping = parse_map(READINGS)
    assert [column.name for column in dataset.columns] == ["kwh", "ts"]
    assert mapping.needs()[:4] == ("VID", "week", "V001", "V002")
    rows = mapping.rows({"VID": 1, "week": 44, "V001": 0.25, "V672": 11})
    assert isinstance(rows, list)
    assert len(rows) == 672
    first, last = row_values(dataset, rows[0]), row_values(dataset, rows[-1])
    assert isinstance(first, CleanRow)
    assert isinstance(last, CleanRow)
    monday = int(datetime(2014, 10, 26, 23, tzinfo=UTC).timestamp())  # 27 October, midnight in Zurich
    assert first.values == (0.25, monday, 0, 1, 10, "2014Q4")
    assert last.values == (10.0, monday + 671 * 900, 23, 7, 11, "2014Q4")
    assert last.clamped == ("kwh",)
    for week in (None, "x", 54, 44.5):
        assert isinstance(mapping.rows({"week": week}), Problem)


def test_a_declared_time_takes_the_times_of_wide_readings() -> None:
    text = READINGS + 'moment = { type = "timestamp" }\n'
    text = text.replace('start = { week = "week", year = 2014 }', 'start = { date = "day", parse = "%d.%m.%Y" }')
    dataset, mapping = parse_map(text)
    assert [column.name for column in dataset.columns] == ["kwh", "moment"]
    # A day on which the clock is put forward: readings stay a quarter of an hour apart.
    rows = mapping.rows({"day": "30.03.2014", "V001": 1, "V009": 2})
    assert isinstance(rows, list)
    row = row_values(dataset, rows[8])
    assert isinstance(row, CleanRow)
    assert row.values[0] == 2
    assert row.values[2] == 3  # hour: two o'clock does not exist


def test_times_of_both_halves_of_the_repeated_hour_stay_apart() -> None:
    rows = [row_values(ENERGY, {"ts": f"2014-10-26T02:30:00{offset}", "kwh": 1}) for offset in ("+02:00", "+01:00")]
    assert [row.values[:2] for row in rows if isinstance(row, CleanRow)] == [(1414283400, 2), (1414287000, 2)]


def test_buckets_cover_the_bounds() -> None:
    edges = ENERGY.column("kwh").edges
    assert edges == (Decimal(0), Decimal(1), Decimal("2.5"), Decimal(10))
    whole = Column("n", ColumnType.INTEGER, Decimal(0), Decimal(20), buckets=(Decimal(0), Decimal(10), Decimal(20)))
    assert whole.edges == (Decimal(0), Decimal(10), Decimal(20))


def test_the_daemon_loads_neither_numpy_nor_sqlglot() -> None:
    code = (
        "import sys, vicinia.query.dataset, vicinia.query.mapping, vicinia.query.cleaner, vicinia.query.plan\n"
        "print({'numpy', 'sqlglot'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("low = 0.0", 'low = "a"', 10, "`low` of the column fuel must be a number."),
        ("high = 0.4", "high = true", 10, "`high` of the column fuel must be a number."),
        ('"Europe/London"', '"Europe/Lodon"', 8, "'Europe/Lodon' is no time zone."),
    ],
)
def test_what_is_wrong_with_a_map_is_told_with_its_line(old: str, new: str, line: int, what: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_map(BUDGET.replace(old, new))
    assert (refusal.value.where, refusal.value.what) == (f"MAP.toml, line {line}", what)


def test_a_number_to_group_by_is_a_matter_of_buckets() -> None:
    definition, _ = parse_map(BUDGET)
    with pytest.raises(InvalidInput) as refusal:
        compile_query("SELECT fuel, COUNT(*) FROM budget GROUP BY fuel", {"budget": definition})
    assert "it has no buckets to group by" in refusal.value.hint
    definition, _ = parse_map(BUDGET.replace('unit = "share"', "buckets = [0.1, 0.2]"))
    with pytest.raises(InvalidInput) as refusal:
        compile_query("SELECT fuel, COUNT(*) FROM budget GROUP BY fuel", {"budget": definition})
    assert refusal.value.hint.startswith("Group by BUCKET(fuel)")
    with pytest.raises(InvalidInput, match=r"no aggregate with 1 argument\."):
        compile_query("SELECT MEDIAN(fuel) FROM budget", {"budget": definition})
