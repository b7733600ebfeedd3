"""Points in time: as files write them, and as a home stores them, with their local parts.

SQLite knows no time zones, so a timestamp column `ts` is stored as UTC epoch seconds with `ts__hour` 0-23, `ts__dow`
1-7 (1 = Monday), `ts__month` 1-12 and `ts__quarter` such as '2014Q1' beside it.
Loaded by the home's daemon: neither numpy nor sqlglot here.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo

from vicinia.errors import InvalidInput
from vicinia.query.raw import Raw, real, shown

__all__ = ["PARTS", "check_format", "local_parts", "read_time"]

PARTS = ("hour", "dow", "month", "quarter")
EPOCH, EPOCH_MS = "epoch", "epoch_ms"
_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)


def local_parts(moment: datetime, local: tzinfo) -> tuple[int, int, int, int, str]:
    """Epoch seconds and the local hour, day of the week (1 = Monday), month and quarter of an aware moment."""
    here = moment.astimezone(local)
    seconds = (moment - _EPOCH_START) // timedelta(seconds=1)
    return seconds, here.hour, here.isoweekday(), here.month, f"{here.year:04d}Q{(here.month + 2) // 3}"


def read_time(value: Raw, form: str | None) -> datetime:
    """A raw value as a time, without a zone if it names none; ValueError if it is not one written as `form`."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001  # local: the caller adds the zone
    try:
        if form in (EPOCH, EPOCH_MS):
            seconds = real(value) / (1000 if form == EPOCH_MS else 1)
            return _EPOCH_START + timedelta(seconds=seconds)
        if isinstance(value, str):
            text = value.strip()
            return datetime.strptime(text, form) if form else datetime.fromisoformat(text)  # noqa: DTZ007
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{shown(value)} is not a time" + (f" written as {form}" if form else " in ISO 8601"))


def check_format(form: str, where: str) -> str:
    """A strptime format, `epoch` or `epoch_ms`; InvalidInput if Python cannot use it."""
    if form in (EPOCH, EPOCH_MS):
        return form
    sample = datetime(2014, 11, 3, 13, 45, 6, tzinfo=UTC)
    try:
        usable = "%" in form and len(form) <= 100 and bool(datetime.strptime(sample.strftime(form), form))  # noqa: DTZ007
    except (ValueError, TypeError, re.error):
        usable = False
    if not usable:
        raise InvalidInput(
            f"{form[:60]!r} is no format of time.", where=where, hint="Write e.g. '%d.%m.%Y %H:%M', or 'epoch'."
        )
    return form
