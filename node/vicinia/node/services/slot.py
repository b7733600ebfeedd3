"""When a contribution shows: at an instant that is fixed before any of the home's rows is read.

Were it shown as soon as it is ready, the time it took would tell whether rows matched, or how many there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from vicinia.secagg.manifest import Deadlines

__all__ = ["Slot", "slot_seconds"]

_SHORT_PHASES = 1.0
_SLOTS_A_PHASE = 16
# In parts of a slot: until when the query may begin, what is kept for that which comes after it, its CPU time.
_BEGIN, _AFTER, _CPU = 0.4, 0.15, 0.25


@dataclass(frozen=True, slots=True)
class Slot:
    """Seconds of a clock that only goes on: when the query must have ended, when the home goes on, and the CPU time
    that the query may take."""

    query_ends: float
    ready: float
    cpu_seconds: float

    @classmethod
    def after(cls, seconds: float, shared: float, now: float) -> Slot:
        """The end of the first slot of that length since the shares left which is 3/5 of one away from now at least:
        nearly half of it for the query, the rest for what comes after. `now` must not depend on the home's rows.
        """
        ready = shared + seconds * max(1, ceil((now - shared) / seconds + 1 - _BEGIN))
        # A quarter of the CPU time: homes that share a machine cannot take it all from each other.
        return cls(ready - _AFTER * seconds, ready, _CPU * seconds)


def slot_seconds(deadlines: Deadlines) -> float:
    """The length of a run's slots: public, for it follows from the manifest alone.

    A sixteenth of the shortest phase, so that two of them pass long before the coordinator takes a silent home for
    gone (a quarter); but a second, or a fifth of the phase, where phases are short.
    """
    phase = min(later - earlier for earlier, later in pairwise(deadlines.in_order())) / 1000
    return max(min(_SHORT_PHASES, phase / 5), phase / _SLOTS_A_PHASE)
