"""The household's own data sets: their definitions and their tables of rows."""

from __future__ import annotations

from vicinia.node.store.database import Database

__all__ = ["DataSets"]


class DataSets:
    """Definitions as imported (canonical JSON) beside the tables that `vicinia.query.schema` lays out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, name: str, definition: bytes, now_ms: int) -> None:
        """Set a data set's definition."""
        self._database.run(
            "INSERT INTO dataset(name, definition, imported_ms) VALUES(?, ?, ?) ON CONFLICT(name) "
            "DO UPDATE SET definition = excluded.definition, imported_ms = excluded.imported_ms",
            (name, definition, now_ms),
        )

    def get(self, name: str) -> bytes | None:
        """A data set's definition, or None where nothing was imported."""
        row = self._database.one("SELECT definition FROM dataset WHERE name = ?", (name,))
        return None if row is None else bytes(row[0])

    def names(self) -> list[str]:
        """Names of what was imported."""
        return [str(row[0]) for row in self._database.all("SELECT name FROM dataset ORDER BY name")]

    def columns(self, table: str) -> frozenset[str]:
        """The columns that a table has; none where it is not there."""
        return frozenset(str(row[0]) for row in self._database.all("SELECT name FROM pragma_table_info(?)", (table,)))

    def drop(self, name: str, table: str) -> None:
        """Forget a data set and its rows. `table` comes from `vicinia.query.schema.table_name`."""
        quoted = table.replace('"', '""')
        self._database.run("DELETE FROM dataset WHERE name = ?", (name,))
        self._database.run(f'DROP TABLE IF EXISTS "{quoted}"')

    def count(self, table: str) -> int:
        """Rows in a table; 0 where it is not there. `table` comes from `vicinia.query.schema.table_name`."""
        if not self._database.one("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)):
            return 0
        quoted = table.replace('"', '""')
        row = self._database.one(f'SELECT COUNT(*) FROM "{quoted}"')  # noqa: S608
        return int(row[0]) if row else 0
