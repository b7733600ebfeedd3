"""Wide readings: one record holds a day or a week of equally spaced values, one file column each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from vicinia.errors import InvalidInput, TooLarge
from vicinia.query.moment import read_time
from vicinia.query.raw import Raw, whole

__all__ = ["Wide", "WideStart", "column_range", "step_seconds"]

MAX_WIDE = 10_000
_STEP = re.compile(r"([1-9][0-9]{0,5})\s*(s|min|h|d)", re.ASCII)
_UNIT_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_RANGE = re.compile(r"(.*?)([0-9]+)\.\.(.*?)([0-9]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class WideStart:
    """Local time of a record's first reading: Monday 00:00 of an ISO week, or the time in a file column.

    Either `week` (a file column) and `year` (a number or a file column), or `date` (a file column) with `parse`.
    """

    week: str | None = None
    year: int | str | None = None
    date: str | None = None
    parse: str | None = None

    def columns(self) -> tuple[str, ...]:
        """The file columns that it reads."""
        return tuple(name for name in (self.week, self.year, self.date) if isinstance(name, str))

    def moment(self, record: Mapping[str, Raw]) -> datetime:
        """The local time, without a zone; ValueError if the record does not hold one."""
        if self.date is not None:
            return read_time(record.get(self.date), self.parse)
        year = record.get(self.year) if isinstance(self.year, str) else self.year
        monday = date.fromisocalendar(whole(year), whole(record.get(self.week or "")), 1)
        return datetime(monday.year, monday.month, monday.day)  # noqa: DTZ001  # local: `Wide.moments` adds the zone


@dataclass(frozen=True, slots=True)
class Wide:
    """The file columns of one record, in order of time, `step` seconds apart by a clock that never jumps."""

    columns: tuple[str, ...]
    start: WideStart
    step: int

    def moments(self, record: Mapping[str, Raw], local: tzinfo) -> list[datetime]:
        """The time of each reading; ValueError if the record has no readable start."""
        first = self.start.moment(record)
        if first.tzinfo is None:
            first = first.replace(tzinfo=local)
        # Elapsed time, not wall clock: a meter does not skip an hour in spring.
        first = first.astimezone(UTC)
        return [first + timedelta(seconds=self.step * place) for place in range(len(self.columns))]


def step_seconds(text: str, where: str) -> int:
    """The seconds of `15min`, `1h`, `30s` or `1d`."""
    match = _STEP.fullmatch(text.strip())
    if match is None:
        raise InvalidInput(f"{text[:40]!r} is no step.", where=where, hint="Write e.g. '15min', '1h' or '1d'.")
    return int(match[1]) * _UNIT_SECONDS[match[2]]


def column_range(text: str, where: str) -> tuple[str, ...]:
    """The names that `V001..V672` stands for, with leading zeros where the first has them."""
    match = _RANGE.fullmatch(text)
    if match is None or match[1] != match[3] or int(match[2]) > int(match[4]):
        raise InvalidInput(
            f"{text[:60]!r} is no range of columns.", where=where, hint="Write the first and the last: 'V001..V672'."
        )
    first, last = int(match[2]), int(match[4])
    if last - first >= MAX_WIDE:
        raise TooLarge(f"The range {text[:60]!r} has more than {MAX_WIDE} columns.", where=where)
    return tuple(f"{match[1]}{number:0{len(match[2])}d}" for number in range(first, last + 1))
