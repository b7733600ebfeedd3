"""Importing files: what fits goes in once, what does not is told by its line, and a wrong map changes nothing."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from data import data_path
from vicinia.errors import InvalidInput, NotFound, ViciniaError
from vicinia.node.services.importing import Report, import_file
from vicinia.node.store.datasets import DataSets
from vicinia.node.store.home import Home
from vicinia.query.mapping import parse_map

CLOCK = lambda: 1_790_000_000_000  # noqa: E731
BUDGET = """
dataset = "budget"
description = "Weekly spending of the household"
category = "pd:Transactional"
household = "home"
timezone = "Europe/London"
[columns]
fuel = { from = "sfuel", type = "real", low = 0.0, high = 0.4, unit = "share", required = true }
kids = { from = "kids", type = "enum", values = [1, 2], per = "household" }
"""
CLEAN = "home,sfuel,kids\na,0.1,1\nb,0.2,2\na,0.3,1\n"


class Importer:
    def __init__(self, folder: Path, names: tuple[str, ...]) -> None:
        self.folder = folder
        self.homes = {name: Home.create(folder / "homes" / name) for name in names}

    def text(self, content: str, map_text: str = BUDGET, *, replace: bool = False) -> Report:
        path = self.folder / "file.csv"
        path.write_bytes(content.encode("utf-8", "surrogateescape"))
        return self.file(path, map_text, replace=replace)

    def file(
        self, path: Path, map_text: str, owner: Callable[[str], str | None] = lambda of: of, *, replace: bool = False
    ) -> Report:
        definition, file_map = parse_map(map_text)
        databases = {name: home.database for name, home in self.homes.items()}
        return import_file(databases, owner, definition, file_map, path, CLOCK, replace=replace)

    def rows(self, name: str, dataset: str = "budget") -> int:
        return DataSets(self.homes[name].database).count(f"data_{dataset}")


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    return Importer(tmp_path, ("a", "b"))


def test_rows_go_to_their_homes_and_only_once(importer: Importer) -> None:
    report = importer.text(CLEAN)
    assert report.imported == {"a": 2, "b": 1}
    again = importer.text(CLEAN)
    assert (again.imported, again.already) == ({"a": 0, "b": 0}, 3)
    more = importer.text(CLEAN + "a,0.1,1\n")  # an equal row is another reading, not a copy
    assert (more.imported["a"], more.already) == (1, 3)
    assert importer.rows("a") == 3


def test_dirty_rows_are_told_by_line_and_the_rest_is_imported(importer: Importer) -> None:
    report = importer.text(
        "home,sfuel,kids\n"
        "a,0.1,1\n"
        "a,9.9,1\n"  # 3: clamped
        "a,0.1,7\n"  # 4: not a listed value
        "a,,1\n"  # 5: required value missing
        "a,0.1\n"  # 6: a field is missing
        "a,abc,2\n"  # 7: no number
        "\n"
        "a,nan,2\n"  # 9: missing
        "a,0.1,1,extra\n"  # 10
        "a,0.\udcff,1\n"  # 11: not UTF-8
        "stranger,0.1,1\n"
        "a,0.2,\n"  # 13: kids missing, which is allowed
    )
    assert report.imported["a"] == 3
    assert report.clamped == 1
    assert {finding.line for finding in report.findings} == {3, 4, 5, 6, 7, 9, 10, 11}
    assert report.rejected == 7


@pytest.mark.parametrize(
    "content", ["", "\n", "home,sfuel\na,0.1\n", "home;sfuel;kid\na;1;1\n", "home,sfuel,kids,kids\n"]
)
def test_a_file_that_does_not_fit_the_map_changes_nothing(importer: Importer, content: str) -> None:
    with pytest.raises(InvalidInput):
        importer.text(content)
    assert DataSets(importer.homes["a"].database).names() == []
    assert importer.rows("a") == 0


@pytest.mark.parametrize("content", ["a,abc,1\nb,0.1,9\n", "a,0.1\n", ""])
def test_rows_are_not_replaced_by_nothing(importer: Importer, content: str) -> None:
    importer.text(CLEAN)
    with pytest.raises(InvalidInput) as refusal:
        importer.text("home,sfuel,kids\n" + content, replace=True)
    assert "still there" in refusal.value.what
    assert ("Line 2: " in refusal.value.hint) is bool(content)
    assert (importer.rows("a"), importer.rows("b")) == (2, 1)
    assert importer.text(CLEAN).already == 3
    assert importer.text("home,sfuel,kids\na,0.3,2\n", replace=True).imported == {"a": 1, "b": 0}


def test_a_file_without_a_usable_row_is_refused(importer: Importer) -> None:
    with pytest.raises(InvalidInput, match="None of its 2 lines or rows can be used"):
        importer.text("home,sfuel,kids\na,abc,1\na,0.1,9\n")
    assert DataSets(importer.homes["a"].database).names() == []


@pytest.mark.parametrize(
    "content",
    [
        bytes(range(256)) * 4,
        b"\x1b]0;title\x07home,sfuel,kids\na,0.1,1\n",
        b"home,sfuel,kids\x00\na,0.1,1\n",
        b"h\xf6me,sfuel,kids\na,0.1,1\n",
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    ],
)
def test_of_a_file_that_is_no_text_nothing_is_shown(importer: Importer, content: bytes) -> None:
    path = importer.folder / "file.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidInput) as refusal:
        importer.file(path, BUDGET)
    assert str(refusal.value).isprintable()
    assert "no CSV file" in str(refusal.value) or "UTF-8" in str(refusal.value)
    assert len(str(refusal.value)) < 160 + len(str(path))


def test_names_of_columns_are_shown_short_and_printable(importer: Importer) -> None:
    names = [f"column\u202e{number}" + "x" * 100 for number in range(30)]
    with pytest.raises(InvalidInput) as refusal:
        importer.text(",".join(names) + "\n1\n")
    assert refusal.value.hint.isprintable()
    assert refusal.value.hint.endswith(" and 10 more.")
    assert len(refusal.value.hint) < 1000


def test_semicolons_and_a_byte_order_mark_are_read(importer: Importer) -> None:
    assert importer.text("\ufeff" + CLEAN.replace(",", ";")).imported == {"a": 2, "b": 1}


@pytest.mark.parametrize("rows", [5, 3000])
def test_a_stray_quote_costs_its_own_line_only(importer: Importer, rows: int) -> None:
    lines = [f"a,0.{number % 4},1" for number in range(rows)]
    lines[2] = 'a,0.1,"1'
    report = importer.text("home,sfuel,kids\n" + "\n".join(lines) + "\n")
    assert (report.imported["a"], report.rejected) == (rows - 1, 1)
    assert [finding.line for finding in report.findings] == [4]
    assert "quotation mark" in report.findings[0].sentence


def test_lines_after_a_stray_quote_that_another_closes_are_read(importer: Importer) -> None:
    report = importer.text('home,sfuel,kids\na,"0.1,1\na,0.2,1\na,0.3,"1"\na,0.4,1\n')
    assert (report.imported["a"], [finding.line for finding in report.findings]) == (3, [2])


def test_a_field_may_hold_line_breaks(importer: Importer) -> None:
    report = importer.text('home,sfuel,kids,note\na,0.1,1,"one\ntwo"\na,0.2,7,x\n')
    assert (report.imported["a"], [finding.line for finding in report.findings]) == (1, [4])


def test_a_line_that_is_too_long_is_told_and_not_held(importer: Importer) -> None:
    path = importer.folder / "long.csv"
    with path.open("wb") as file:
        file.write(b"home,sfuel,kids\na,0.1,1\na,0.2,")
        for _ in range(24):
            file.write(b"1" * (1 << 20))
        file.write(b"\na,0.3,1\n")
    tracemalloc.start()
    report = importer.file(path, BUDGET)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.imported["a"] == 2
    assert [(finding.line, "more than" in finding.sentence) for finding in report.findings] == [(3, True)]
    assert peak < 12 << 20
    path.write_bytes(b"home," + b"a" * (24 << 20))
    with pytest.raises(InvalidInput, match="more than"):
        importer.file(path, BUDGET)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_told_by_name(importer: Importer, encoding: str) -> None:
    path = importer.folder / "file.csv"
    path.write_bytes(("\ufeff" + CLEAN).encode(encoding))
    with pytest.raises(InvalidInput, match="UTF-16"):
        importer.file(path, BUDGET)


def test_another_definition_of_the_same_data_set_is_refused(importer: Importer) -> None:
    importer.text(CLEAN)
    with pytest.raises(InvalidInput, match="another definition"):
        importer.text(CLEAN, BUDGET.replace("high = 0.4", "high = 0.5"))
    assert importer.rows("a") == 2


def test_a_table_without_a_column_of_the_definition_takes_no_rows(importer: Importer) -> None:
    importer.text(CLEAN)
    database = importer.homes["b"].database
    database.run("ALTER TABLE data_budget DROP COLUMN kids")
    with pytest.raises(InvalidInput, match=r"in the home b lacks kids\."):
        importer.text(CLEAN)
    assert importer.rows("b") == 1
    assert importer.text(CLEAN, replace=True).imported == {"a": 2, "b": 1}


def test_the_cooperatives_definition_wins(importer: Importer) -> None:
    definition, file_map = parse_map(BUDGET)
    (importer.folder / "file.csv").write_text(CLEAN)
    with pytest.raises(InvalidInput, match="contradicts"):
        import_file({}, lambda of: of, definition, file_map, importer.folder / "file.csv", CLOCK, {"name": "budget"})


def test_a_missing_file_and_an_unknown_format_are_told(importer: Importer) -> None:
    with pytest.raises(NotFound):
        importer.file(importer.folder / "nowhere.csv", BUDGET)
    (importer.folder / "x.xls").write_text("")
    with pytest.raises(InvalidInput):
        importer.file(importer.folder / "x.xls", BUDGET)
    (importer.folder / "x.parquet").write_text("no parquet")
    with pytest.raises(ViciniaError):
        importer.file(importer.folder / "x.parquet", BUDGET)


def test_every_row_can_be_a_household(tmp_path: Path) -> None:
    importer = Importer(tmp_path, ("0", "2"))
    report = importer.text("sfuel,kids\n0.1,1\n0.2,2\n0.3,1\n", BUDGET.replace('"home"', '"#row"'))
    assert report.imported == {"0": 1, "2": 1}


def test_wide_readings_of_real_homes(tmp_path: Path) -> None:
    importer = Importer(tmp_path, ("1000317", "1004851"))
    path = data_path("swiss_elec", "elcons_15min.parquet")
    report = importer.file(
        path,
        """
dataset = "electricity"
description = "Quarter-hour electricity"
category = "pd:Energy"
household = "VID"
timezone = "Europe/Zurich"
[columns]
kwh = { from_wide = "V001..V672", start = { week = "week", year = 2014 }, step = "15min", type = "real", low = 0.0, high = 10.0, unit = "kWh" }
""",  # noqa: E501
    )
    assert report.imported == {"1000317": 4704, "1004851": 4704}  # seven weeks of quarter hours each
    quarters = importer.homes["1000317"].database.all('SELECT DISTINCT "ts__quarter" FROM data_electricity')
    assert quarters == [("2014Q4",)]


def test_times_in_a_format_of_real_persons(tmp_path: Path) -> None:
    importer = Importer(tmp_path, ("1503960366",))
    map_text = """
dataset = "sleep"
description = "Minutes asleep"
category = "pd:Sleep"
household = "Id"
timezone = "America/New_York"
file = "sleepDay_merged.csv"
[columns]
day = { from = "SleepDay", type = "timestamp", parse = "%m/%d/%Y %I:%M:%S %p", required = true }
asleep = { from = "TotalMinutesAsleep", type = "integer", low = 0, high = 720, unit = "min" }
"""
    folder = data_path("fitabase")
    report = importer.file(folder, map_text)
    assert report.imported["1503960366"] == 25
    assert importer.file(folder, map_text).already == 25


def test_a_survey_of_real_households(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow.parquet")
    path = data_path("nhts2022", "household.parquet")
    ids = [str(one) for one in pyarrow.read_table(path, columns=["household_id"])["household_id"].to_pylist()[:20]]
    importer = Importer(tmp_path, tuple(ids[:3]))
    report = importer.file(
        path,
        """
dataset = "household"
description = "Size of the household"
category = "pd:Household"
household = "household_id"
timezone = "America/New_York"
[columns]
size = { from = "household_size", type = "integer", low = 1, high = 8, required = true }
vehicles = { from = "num_vehicles_in_household", type = "integer", low = 0, high = 5 }
""",
    )
    assert report.imported == dict.fromkeys(ids[:3], 1)
