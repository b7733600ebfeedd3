"""Time, always handed over as a parameter: milliseconds since 1970 in UTC."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

__all__ = ["Clock", "as_datetime", "system_clock"]

Clock = Callable[[], int]


def system_clock() -> int:
    """Now, by this machine's clock."""
    return time.time_ns() // 1_000_000


def as_datetime(now_ms: int) -> datetime:
    """The same moment, as certificates have it."""
    return datetime.fromtimestamp(now_ms / 1000, UTC)
