"""The local table of a data set, as SQL: its name, its columns, how it is made and filled.

Loaded by the home's daemon: neither numpy nor sqlglot here.
"""

from __future__ import annotations

from vicinia.query.column import Column, ColumnType
from vicinia.query.dataset import DataSet
from vicinia.query.moment import PARTS

__all__ = ["create_table_sql", "insert_sql", "quoted", "stored_columns", "table_name"]


def table_name(dataset: DataSet) -> str:
    """The name of the data set's table in a home's store."""
    return f"data_{dataset.name}"


def quoted(name: str) -> str:
    """An SQL identifier; names of definitions hold no quote (checked where they are read)."""
    return f'"{name}"'


def stored_columns(dataset: DataSet) -> tuple[str, ...]:
    """The columns of a stored row: each declared one, a timestamp followed by its local parts."""
    names: list[str] = []
    for column in dataset.columns:
        names.append(column.name)
        if column.type is ColumnType.TIMESTAMP:
            names += [f"{column.name}__{part}" for part in PARTS]
    return tuple(names)


def create_table_sql(dataset: DataSet) -> str:
    """The CREATE TABLE statement: `row_key` makes imports idempotent, `source` names the file a row came from."""
    lines = ["row_key TEXT NOT NULL UNIQUE", "source TEXT NOT NULL"]
    for column in dataset.columns:
        null = " NOT NULL" if column.required else ""
        lines.append(f"{quoted(column.name)} {_sql_type(column)}{null}")
        if column.type is ColumnType.TIMESTAMP:
            lines += [f"{quoted(f'{column.name}__{part}')} INTEGER" for part in PARTS[:3]]
            lines.append(f"{quoted(f'{column.name}__quarter')} TEXT")
    body = ",\n  ".join(lines)
    return f"CREATE TABLE IF NOT EXISTS {quoted(table_name(dataset))} (\n  {body}\n) STRICT"


def insert_sql(dataset: DataSet) -> str:
    """The INSERT of (row_key, source, *CleanRow.values); a row that is there already changes nothing."""
    names = ("row_key", "source", *stored_columns(dataset))
    listed, marks = ", ".join(map(quoted, names)), ", ".join("?" * len(names))
    return f"INSERT OR IGNORE INTO {quoted(table_name(dataset))} ({listed}) VALUES ({marks})"  # noqa: S608


def _sql_type(column: Column) -> str:
    if column.type is ColumnType.REAL:
        return "REAL"
    if column.type is ColumnType.ENUM and isinstance(column.values[0], str):
        return "TEXT"
    return "INTEGER"
