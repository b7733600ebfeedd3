"""How long a home waits for a coordinator that is away: ever longer, and no two homes equally long."""

from __future__ import annotations

import random

from vicinia.node.services.replica import Replica

__all__ = ["Backoff"]

_FIRST = 0.5
_SHORTEST, _LONGEST = 1.0, 60.0  # what a wait may grow to, whatever the by-laws say
_OF_A_PHASE = 0.25


class Backoff:
    """Doubles from half a second up to a quarter of a phase of a run, between 1 and 60 seconds.

    A coordinator that comes back counts a run's phase anew, and gives up who has not asked within half a phase, or two
    minutes: a home must ask before. Each wait is drawn from the upper half, so that a city that lost its coordinator at
    one instant does not come back at one.
    """

    def __init__(self, replica: Replica, longest: float = _LONGEST) -> None:
        self._replica = replica
        self._longest = longest
        self._next = _FIRST

    def wait(self) -> float:
        """Seconds until the next attempt."""
        ceiling = self._ceiling()
        delay = min(self._next, ceiling)
        self._next = min(delay * 2, ceiling)
        return delay * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not secrecy

    def reset(self) -> None:
        """The coordinator has answered."""
        self._next = _FIRST

    def _ceiling(self) -> float:
        if not self._replica.size:  # it knows of no by-laws, and can take part in nothing before it has the log
            return self._longest
        return min(max(self._replica.assembly.bylaws.phase_seconds * _OF_A_PHASE, _SHORTEST), self._longest)
