"""How often homes ask: spans that follow from the by-laws and from how many homes there are."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from vicinia.wire.limits import RETRY_MS

__all__ = ["Pace"]

_IDLE_POLLS_A_SECOND = 60  # a twentieth of what one core answers
_BESIDE_POLLS_A_SECOND = 30  # beside the calls of their workers
_BUSY_CALLS_A_SECOND = 320
_MOST_CALLS_A_SECOND = 800  # for the moment in which a phase is about to end
_STEPS_A_PHASE = 10
_LEAST_STEPS_A_PHASE = 5
_LEAST_POLLS_A_VOTE = 4
_WITNESS_POLLS = 3  # in the time in which another home polls once: every step of a job waits for witnesses
_AWAITED_POLLS = 10
_BACKLOG_MS = 1_000
_SHORTEST_MS = 50
_RETURN_MS = 120_000  # homes that lost the coordinator ask again at least twice in this time


@dataclass(frozen=True, slots=True)
class Pace:
    """Spans in ms. Homes do not come all at once: what they are told is a fifth more or less, or, where they wait for
    an instant, somewhat later than that.

    At rest it is the by-laws' interval; where so many homes would be more than 60 polls a second, it is longer, but
    never so long that a home could sleep through a phase or a vote.
    """

    poll_ms: int
    phase_ms: int
    vote_ms: int

    def interval(self, homes: int) -> int:
        """Between two polls of a home at rest, when there are so many homes."""
        return min(self._polls(homes, _IDLE_POLLS_A_SECOND), max(self.poll_ms, self.vote_ms // _LEAST_POLLS_A_VOTE))

    def overdue(self, homes: int) -> int:
        """What should have come longer ago than this (the witnesses are away) is not waited for at a quicker pace."""
        return 2 * self.interval(homes)

    def beside(self, homes: int) -> int:
        """Between two polls of the daemon of a home in a run, for which its worker speaks."""
        return self._polls(homes, _BESIDE_POLLS_A_SECOND)

    def _polls(self, homes: int, a_second: int) -> int:
        return max(self.poll_ms, min(homes * 1000 // a_second, self.phase_ms // 2))

    def step(self, homes: int) -> int:
        """Between two questions of a home in a run of so many homes: some ten a phase, fewer where they are many."""
        often = max(_SHORTEST_MS, min(self.poll_ms, self.phase_ms // _STEPS_A_PHASE))
        return max(often, min(homes * 1000 // _BUSY_CALLS_A_SECOND, self.phase_ms // _LEAST_STEPS_A_PHASE))

    def declined(self) -> int:
        """After this a home that has read a run's manifest and does not join has declined."""
        return max(_SHORTEST_MS, self.phase_ms // _STEPS_A_PHASE)

    def ignored(self) -> int:
        """After this a home that was told of a run, and has not even read its manifest, has declined."""
        return max(3 * self.poll_ms, self.phase_ms // 2)

    def gone(self, homes: int) -> int:
        """After this a home in a run of which neither daemon nor worker has been heard is gone."""
        return max(3 * self.beside(homes), self.phase_ms // 4)

    def lost(self, homes: int) -> int:
        """After this a home that has not been heard since the coordinator came back is gone.

        Homes wait up to a quarter of a phase between two attempts to reach a coordinator that is away.
        """
        return max(self.gone(homes), min(self.phase_ms // 2, _RETURN_MS))

    def idle_poll(self, homes: int, due_ms: int | None = None) -> int:
        """What a home at rest is told, one of so many; `due_ms`: in what time there may be a run to hear of."""
        idle = _jittered(self.interval(homes))
        if due_ms is None or not -self.overdue(homes) <= due_ms < idle:
            return idle
        return min(idle, max(0, due_ms) + max(1, secrets.randbelow(self.step(homes))))

    def beside_poll(self, homes: int) -> int:
        """What the daemon of a home in a run is told."""
        return _jittered(self.beside(homes))

    def awaited(self) -> int:
        """Between two polls of a witness that all of a job's homes wait for."""
        return max(_SHORTEST_MS, self.poll_ms // _AWAITED_POLLS)

    def witness_poll(self, *, awaited: bool = False) -> int:
        """What a witness is told, whatever the number of homes; `awaited`: all of a job's homes wait for it, or soon
        will."""
        return _jittered(self.awaited() if awaited else max(_SHORTEST_MS, self.poll_ms // _WITNESS_POLLS))

    def next_step(self, homes: int, left_ms: int | None = None, known: bool = False) -> int:
        """What a home in a run is told, one of so many; `left_ms`: how long its phase may still take, where that can
        be said; where it is `known`, from the runs before, a long time is believed, too. The home comes when
        that time is over."""
        step = self.step(homes)
        if left_ms is None:
            return _jittered(step)
        longest = self.phase_ms // _LEAST_STEPS_A_PHASE if known else step
        spread = max(_SHORTEST_MS, min(step, homes * 1000 // _MOST_CALLS_A_SECOND))
        return min(RETRY_MS, max(_SHORTEST_MS, min(longest, left_ms)) + secrets.randbelow(spread))

    def next_run(self, homes: int, left_ms: int) -> int:
        """What a home is told, one of so many, that waits for a run to be open. `left_ms`: in what time, negative where
        it is open already. Homes come spread from that instant on; whose turn is past comes at once.

        They may come twice as fast as is answered, as long as that is made up for within a second.
        """
        step = self.step(homes)
        return min(RETRY_MS, max(1, left_ms + secrets.randbelow(max(step // 2, step - _BACKLOG_MS))))


def _jittered(interval_ms: int) -> int:
    spread = max(1, interval_ms * 2 // 5)
    return min(RETRY_MS, max(1, interval_ms - spread // 2 + secrets.randbelow(spread)))
