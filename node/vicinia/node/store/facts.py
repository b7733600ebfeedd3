"""Single values of a home: its keys, its cooperative, its generation."""

from __future__ import annotations

from vicinia.errors import StorageFault
from vicinia.node.store.database import Database
from vicinia.node.store.kept import Kept

__all__ = ["Facts"]


class Facts:
    """Named byte strings in a home's store; they are few, and asked for all the time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._all = Kept(database, self._read)

    def get(self, name: str) -> bytes | None:
        """The value, or None."""
        return self._all().get(name)

    def text(self, name: str) -> str | None:
        """The value as text, or None."""
        value = self.get(name)
        return None if value is None else value.decode()

    def need(self, name: str, hint: str = "") -> bytes:
        """The value; its absence is a StorageFault."""
        return self.need_all(name, hint=hint)[0]

    def need_all(self, *names: str, hint: str = "") -> list[bytes]:
        """The values, as they were at one moment; the absence of one is a StorageFault."""
        known = self._all()
        for name in names:
            if name not in known:
                raise StorageFault(f"The store has no {name!r}.", where=str(self._database.path.parent), hint=hint)
        return [known[name] for name in names]

    def number(self, name: str) -> int:
        """The value as an integer, 0 where absent."""
        value = self.get(name)
        if value is None:
            return 0
        if not value.isdigit():
            raise StorageFault(f"The store's {name!r} is no number.", where=str(self._database.path))
        return int(value)

    def put(self, name: str, value: bytes | str | int) -> None:
        """Set the value."""
        data = value if isinstance(value, bytes) else str(value).encode()
        self._database.run(
            "INSERT INTO fact(name, value) VALUES(?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value",
            (name, data),
        )

    def drop(self, name: str) -> None:
        """Remove the value, if it is there."""
        self._database.run("DELETE FROM fact WHERE name = ?", (name,))

    def _read(self) -> dict[str, bytes]:
        return {str(name): bytes(value) for name, value in self._database.all("SELECT name, value FROM fact")}
