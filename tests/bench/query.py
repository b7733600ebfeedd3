"""What a household-year of quarter-hour readings costs at home, in the encrypted store that homes have."""

from __future__ import annotations

import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import sqlcipher3
from vicinia.privacy.stream import chacha_stream
from vicinia.query.cleaner import CleanRow, RowCleaner, row_key
from vicinia.query.column import Column, ColumnType
from vicinia.query.dataset import DataSet
from vicinia.query.local import household_vector
from vicinia.query.plan import compile_query
from vicinia.query.schema import create_table_sql, insert_sql

ROWS = 35_040
ENERGY = DataSet(
    "energy",
    "Quarter-hour readings",
    "pd:Energy",
    "Europe/Rome",
    (
        Column("ts", ColumnType.TIMESTAMP, required=True),
        Column("kwh", ColumnType.REAL, Decimal(0), Decimal(10), "kWh", required=True),
    ),
)
QUERIES = {
    "by hour": "SELECT HOUR(ts), AVG(kwh) FROM energy GROUP BY HOUR(ts)",
    "by hour and weekday, filtered": (
        "SELECT HOUR(ts), DAYOFWEEK(ts), AVG(kwh) FROM energy WHERE kwh < 5 GROUP BY HOUR(ts), DAYOFWEEK(ts)"
    ),
    "histogram": "SELECT HISTOGRAM(BOUND(kwh, 0, 10), 50) FROM energy",
}


def _store(folder: Path) -> sqlcipher3.Connection:
    connection = sqlcipher3.connect(str(folder / "home.db"))
    connection.execute(f"PRAGMA key = \"x'{'5a' * 32}'\"")
    connection.execute(create_table_sql(ENERGY))
    cleaner, start = RowCleaner(ENERGY, {}), datetime(2025, 1, 1, tzinfo=UTC)
    for number in range(ROWS):
        row = cleaner.clean({"ts": (start + timedelta(minutes=15 * number)).isoformat(), "kwh": (number % 97) / 10})
        assert isinstance(row, CleanRow)
        connection.execute(insert_sql(ENERGY), (row_key(ENERGY, row, 0), "bench", *row.values))
    connection.commit()
    return connection


def measure() -> list[tuple[str, str]]:
    """Median of seven runs of each query, plan and vector included, over 35,040 encrypted rows."""
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        connection = _store(Path(folder))
        for name, text in QUERIES.items():
            plan, took = compile_query(text, {ENERGY.name: ENERGY}), []
            for _ in range(7):
                started = time.process_time()
                household_vector(plan, connection, None, chacha_stream(bytes(32)).bytes)
                took.append(time.process_time() - started)
            figures.append((f"household-year, {name}", f"{1000 * statistics.median(took):.0f} ms (target 50 ms)"))
        connection.close()
    return figures
