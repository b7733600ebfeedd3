"""When a phase of a run is over: all have answered, its time is up, or who is missing has given up."""

from __future__ import annotations

from vicinia.coordinator.clock import Clock
from vicinia.coordinator.services.live import LiveRun
from vicinia.coordinator.services.pace import Pace
from vicinia.errors import RoundFailed
from vicinia.secagg.parameters import parameters
from vicinia.wire.published import Phase

__all__ = ["Patience"]


class Patience:
    """Ends phases early, never late, and never with fewer homes than the run needs.

    A home that has read a run's manifest and stays out for a while has declined, and so has one that was told of it
    long ago; one that is in a run and has not been heard of for some time is gone. How long that is, the pace says:
    longer for one that has not been heard at all since the coordinator came back, for it may not know that yet.
    Nobody is waited for in a round of a training who stayed out of the one before.
    """

    def __init__(self, pace: Pace, clock: Clock) -> None:
        self._pace = pace
        self._clock = clock

    def time_is_up(self, live: LiveRun, deadline_ms: int) -> bool:
        """A phase lasts as long as the by-laws say while the coordinator runs, not beyond the manifest's deadline."""
        return self._clock() >= min(deadline_ms, live.counted_ms + self._pace.phase_ms)

    def over(self, live: LiveRun, deadline_ms: int) -> bool:
        """Whether nobody needs to be waited for any more."""
        if len(live.answered) >= live.expected or self.time_is_up(live, deadline_ms):
            return True
        if live.row.phase is Phase.ADVERTISE:
            return self._rest_declined(live)
        return self._rest_gone(live)

    def _rest_declined(self, live: LiveRun) -> bool:
        """Who is missing has had the time to answer, the last advert is as old, and there are enough of them."""
        read = self._clock() - self._pace.declined()
        told = self._clock() - self._pace.ignored()
        undecided = live.undecided()
        quiet = max(live.answered_ms, live.since_ms) <= read or not undecided
        declined = all(
            live.considered.get(index, read + 1) <= read or live.invited.get(index, told + 1) <= told
            for index in undecided
        )
        return quiet and declined and _enough_adverts(live)

    def _rest_gone(self, live: LiveRun) -> bool:
        homes = max(len(live.terms.members), live.polling)  # as homes are told, or more
        since, back = self._clock() - self._pace.gone(homes), self._clock() - self._pace.lost(homes)
        return (
            live.counted_ms <= since
            and len(live.answered) >= live.round.parameters.min_survivors
            and all(
                live.heard[index] <= since if index in live.heard else live.since_ms <= back for index in live.missing()
            )
        )


def _enough_adverts(live: LiveRun) -> bool:
    if not live.answered:
        return False
    try:
        parameters(len(live.answered), live.terms.corrupt, live.terms.delta, live.terms.floor)
    except RoundFailed:
        return False
    return True
