"""Real data through maps, tables, plans and vectors; truth by another way."""

from __future__ import annotations

import csv
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

import numpy as np
import pytest
from data import data_path
from vicinia.query.cleaner import CleanRow, Problem, RowCleaner, row_key
from vicinia.query.dataset import DataSet
from vicinia.query.finalise import pooled
from vicinia.query.local import household_vector
from vicinia.query.mapping import parse_map
from vicinia.query.plan import compile_query
from vicinia.query.schema import create_table_sql, insert_sql

ELECTRICITY = """
dataset = "electricity"
description = "Quarter-hour electricity of seven weeks"
category = "pd:Energy"
household = "VID"
timezone = "Europe/Zurich"
[columns]
kwh = { from_wide = "V001..V672", start = { week = "week", year = 2014 }, step = "15min", type = "real", low = 0.0, high = 10.0, unit = "kWh" }
"""  # noqa: E501

TRIPS = """
dataset = "trips"
description = "Trips of one day"
category = "pd:Location"
household = "household_id"
timezone = "America/New_York"
[columns]
day = { from = "travel_day_date", type = "timestamp", required = true }
miles = { from = "trip_miles", type = "real", low = 0, high = 200, unit = "mile", buckets = [1, 5, 25] }
minutes = { from = "trip_duration_minutes", type = "integer", low = 0, high = 600, unit = "min" }
persons = { from = "num_people_on_trip", type = "integer", low = 1, high = 10 }
vehicles = { from = "num_vehicles_in_household", type = "enum", values = [0, 1, 2, 3, 4], per = "household" }
region = { from = "census_region", type = "enum", values = ["Northeast", "Midwest", "South", "West"], per="household" }
"""

SLEEP = """
dataset = "sleep"
description = "Nights"
category = "pd:PhysicalHealth"
household = "Id"
timezone = "America/Chicago"
[columns]
night = { from = "SleepDay", type = "timestamp", parse = "%m/%d/%Y %I:%M:%S %p", required = true }
asleep = { from = "TotalMinutesAsleep", type = "integer", low = 0, high = 1440, unit = "min", required = true }
records = { from = "TotalSleepRecords", type = "enum", values = [1, 2, 3] }
"""

STEPS = """
dataset = "steps"
description = "Steps by the hour"
category = "pd:PhysicalHealth"
household = "Id"
timezone = "America/Chicago"
[columns]
ts = { from = "ActivityHour", type = "timestamp", parse = "%Y-%m-%d %H:%M", required = true }
steps = { from = "StepTotal", type = "integer", low = 0, high = 20000, required = true }
"""


def parquet(*parts: str) -> Any:
    """The table, or a skip where there is no reader or no data."""
    reader = pytest.importorskip("pyarrow.parquet", reason="no reader of Parquet")
    return reader.read_table(data_path(*parts))


def homes_of(text: str, records: Iterable[Mapping[str, Any]]) -> tuple[DataSet, dict[str, sqlite3.Connection], int]:
    """A store for each household, and how many rows were not counted."""
    dataset, mapping = parse_map(text)
    cleaner = RowCleaner(dataset, mapping.formats)
    stores: dict[str, sqlite3.Connection] = {}
    seen: defaultdict[tuple[str, CleanRow], int] = defaultdict(int)
    skipped = 0
    for record in records:
        home = str(record[mapping.household])
        if home not in stores:
            stores[home] = sqlite3.connect(":memory:")
            stores[home].execute(create_table_sql(dataset))
        rows = mapping.rows(record)
        assert not isinstance(rows, Problem)
        for raw in rows:
            row = cleaner.clean(raw)
            if isinstance(row, Problem):
                skipped += 1
                continue
            key = row_key(dataset, row, seen[home, row])
            seen[home, row] += 1
            stores[home].execute(insert_sql(dataset), (key, "file", *row.values))
    return dataset, stores, skipped


def values_of(dataset: DataSet, stores: Mapping[str, sqlite3.Connection], query: str) -> dict[Any, float | None]:
    """The pooled result by column and key values."""
    plan = compile_query(query, {dataset.name: dataset})
    vectors = (household_vector(plan, store, None, Random(0).randbytes) for store in stores.values())
    return {(result.column, *result.keys.values()): result.value for result in pooled(plan, vectors)}


def test_swiss_electricity_by_the_hour() -> None:
    table = parquet("swiss_elec", "elcons_15min.parquet").slice(0, 28)
    dataset, stores, skipped = homes_of(ELECTRICITY, table.to_pylist())
    assert skipped == 0
    readings = np.column_stack([table[f"V{n:03d}"].to_numpy() for n in range(1, 673)]).clip(0, 10)
    homes = table["VID"].to_numpy()
    hours = np.tile(np.arange(24).repeat(4), 7)
    found = values_of(dataset, stores, "SELECT HOUR(ts), AVG(kwh) FROM electricity GROUP BY HOUR(ts)")
    for hour in (0, 7, 19):
        means = [readings[homes == home][:, hours == hour].mean() for home in dict.fromkeys(homes)]
        assert found["AVG(kwh)", hour] == pytest.approx(float(np.mean(means)))
    days = values_of(
        dataset, stores, "SELECT DAYOFWEEK(ts), COUNT(CAP(*, 100000)) FROM electricity GROUP BY DAYOFWEEK(ts)"
    )
    assert list(days.values()) == pytest.approx([28 * 96] * 7)


def test_american_trips_by_region_and_length() -> None:
    table = parquet("nhts2022", "trip.parquet").slice(0, 4000)
    records = table.select(parse_map(TRIPS)[1].needs()).to_pylist()
    dataset, stores, skipped = homes_of(TRIPS, records)
    kept = [r for r in records if r["num_vehicles_in_household"] <= 4]
    assert skipped == len(records) - len(kept) > 0
    by_home: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in kept:
        by_home[record["household_id"]].append(record)
    found = values_of(
        dataset,
        stores,
        "SELECT region, COUNT(DISTINCT household), AVG(miles) FROM trips WHERE persons >= 2 GROUP BY region",
    )
    for region in ("Northeast", "South"):
        homes = [[r for r in home if r["num_people_on_trip"] >= 2] for home in by_home.values()]
        homes = [home for home in homes if home and home[0]["census_region"] == region]
        means = [np.mean([min(max(r["trip_miles"], 0), 200) for r in home]) for home in homes]
        assert found["COUNT(DISTINCT household)", region] == pytest.approx(len(homes))
        assert found["AVG(miles)", region] == pytest.approx(float(np.mean(means)))
    lengths = values_of(dataset, stores, "SELECT BUCKET(miles), COUNT(CAP(*, 50)) FROM trips GROUP BY BUCKET(miles)")
    assert sum(count or 0 for count in lengths.values()) == pytest.approx(len(kept))


def test_fitness_trackers() -> None:
    with data_path("fitabase", "sleepDay_merged.csv").open(newline="") as file:
        records = list(csv.DictReader(file))
    dataset, stores, skipped = homes_of(SLEEP, records)
    assert (len(stores), skipped) == (24, 0)
    count = values_of(dataset, stores, "SELECT COUNT(CAP(*, 1000)), COUNT(DISTINCT household) FROM sleep")
    assert list(count.values()) == pytest.approx([413, 24])
    asleep = values_of(dataset, stores, "SELECT AVG(asleep) FROM sleep WHERE records = 1 AND night >= '2016-05-01'")
    per_home: defaultdict[str, list[int]] = defaultdict(list)
    for record in records:
        if record["TotalSleepRecords"] == "1" and record["SleepDay"].startswith("5/"):
            per_home[record["Id"]].append(int(record["TotalMinutesAsleep"]))
    assert asleep["AVG(asleep)",] == pytest.approx(np.mean([np.mean(nights) for nights in per_home.values()]))


def test_hourly_steps_keep_their_local_hour() -> None:
    with data_path("fitabase", "hourlySteps_merged.csv").open(newline="") as file:
        records = list(csv.DictReader(file))[:5000]
    dataset, stores, _skipped = homes_of(STEPS, records)
    found = values_of(dataset, stores, "SELECT HOUR(ts), SUM(BOUND(steps, 0, 1000000)) FROM steps GROUP BY HOUR(ts)")
    wanted = sum(int(r["StepTotal"]) for r in records if r["ActivityHour"].split()[1].split(":")[0] in ("8", "08"))
    assert found["SUM(BOUND(steps, 0, 1000000))", 8] == pytest.approx(wanted)
