"""The definition of a registered data set: what every party agrees a household's table looks like.

A definition is a statement of the public log. Loaded by the home's daemon: neither numpy nor sqlglot here.
"""

from __future__ import annotations

import re
import zoneinfo
from dataclasses import dataclass

from vicinia.errors import InvalidInput, NotFound, nearest
from vicinia.query.column import Column, ColumnType
from vicinia.query.payload import MAX_TEXT, fields_of, list_of, text_of

__all__ = ["DataSet", "zone"]

MAX_COLUMNS = 128

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_CATEGORY = re.compile(r"pd:[A-Za-z][A-Za-z0-9]{0,79}", re.ASCII)
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class DataSet:
    """A registered table: one row per observation in a home, times local to `timezone` (IANA).

    Raises InvalidInput for a name, category, zone or set of columns that cannot be.
    """

    name: str
    description: str
    category: str
    timezone: str
    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        where = f"data set {self.name!r}"
        if not _NAME.fullmatch(self.name) or "__" in self.name:
            raise InvalidInput(
                "This cannot be a data set's name.",
                where=where,
                hint="Use a small letter, then small letters, digits and single underscores, 40 at most.",
            )
        if not self.description.strip() or len(self.description) > MAX_TEXT:
            raise InvalidInput(f"The description must have 1 to {MAX_TEXT} characters.", where=where)
        if not _CATEGORY.fullmatch(self.category):
            raise InvalidInput(
                f"{self.category!r} is no DPV category of personal data.",
                where=where,
                hint="Write e.g. 'pd:Financial'.",
            )
        zone(self.timezone, where)
        if not 1 <= len(self.columns) <= MAX_COLUMNS:
            raise InvalidInput(f"A data set has 1 to {MAX_COLUMNS} columns.", where=where)
        if len({column.name.lower() for column in self.columns}) != len(self.columns):
            raise InvalidInput("Two columns have the same name (capital letters do not count).", where=where)

    def column(self, name: str) -> Column:
        """The column of that name, whatever its capitals; NotFound otherwise."""
        for column in self.columns:
            if column.name.lower() == name.lower():
                return column
        names = [column.name for column in self.columns]
        hint = nearest(name.lower(), names, f"It has {', '.join(names)}.")
        raise NotFound(f"The data set {self.name} has no column {name!r}.", hint=hint)

    @property
    def time_column(self) -> Column | None:
        """The first timestamp column: a job's `period` and the budget periods are quarters of this one."""
        return next((column for column in self.columns if column.type is ColumnType.TIMESTAMP), None)

    def payload(self) -> dict[str, object]:
        """The definition as it stands in a `dataset` statement (which adds the cooperative)."""
        return {
            "name": self.name,
            "description": self.description,
            "category": self.category,
            "timezone": self.timezone,
            "columns": [column.payload() for column in self.columns],
        }

    @classmethod
    def from_payload(cls, payload: object) -> DataSet:
        """Read what `payload()` wrote; unknown fields are refused (InvalidInput)."""
        names = {"name", "description", "category", "timezone", "columns"}
        fields = fields_of(payload, "data set", names, names)
        where = f"data set {str(fields['name'])[:60]!r}"
        return cls(
            name=text_of(fields["name"], where),
            description=text_of(fields["description"], where),
            category=text_of(fields["category"], where),
            timezone=text_of(fields["timezone"], where),
            columns=tuple(Column.from_payload(column) for column in list_of(fields["columns"], where)),
        )


def zone(name: str, where: str) -> zoneinfo.ZoneInfo:
    """The IANA time zone of that name; InvalidInput if there is none."""
    try:
        if len(name) > 64 or not _ZONE.fullmatch(name):
            raise ValueError(name)
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise InvalidInput(
            f"{name[:80]!r} is no time zone.", where=where, hint="Write an IANA name such as 'Europe/Rome'."
        ) from None
