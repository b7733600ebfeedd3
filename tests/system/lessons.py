"""The deaths in three trainings that go on beside each other, and what there was when the coordinator died."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from system.strikes import Strike, coordinator_dies, home_dies, home_returns, others_wait
from system.village import Village
from system.watched import Watched
from vicinia.assembly import Vote
from vicinia.coordinator.store.runs import Phase, RunRow

__all__ = ["Death", "Deaths", "Lesson", "strikes_on"]


@dataclass(frozen=True, slots=True)
class Lesson:
    """A training and its two victims: `back` comes back at once, `gone` stays away for the first round.

    `slow`, where there is one, is in this training alone, too, and is halted until `back` has come back.
    """

    run: Watched
    rounds: int
    back: str
    gone: str
    slow: str = ""


@dataclass(frozen=True, slots=True)
class Death:
    """What there was when the coordinator was killed: Flower's processes; by job what the log said, and the run."""

    flower: frozenset[int]
    votes: dict[str, Vote]
    runs: dict[str, RunRow | None]


class Deaths:
    """The coordinator's deaths, in their order."""

    def __init__(self, village: Village, lessons: Sequence[Lesson]) -> None:
        self._village = village
        self._watched = [one.run for one in lessons]
        self.met: list[Death] = []

    def kill(self) -> None:
        """Kill it, let the processes of Flower that were halted see it, and note what there was."""
        flower = frozenset(self._village.flower())
        self._village.kill_coordinator()
        for process in flower:
            os.kill(process, signal.SIGCONT)
        votes = {one.job: one.vote for one in self._watched}
        self.met.append(Death(flower, votes, {one.job: one.run for one in self._watched}))

    def while_flower_worked(self) -> bool:
        """Whether it has died while Flower had the next model to compute."""
        return any(one.flower for one in self.met)

    def see_that_it_dies_while_flower_works(self) -> None:
        """Kill it and start it again, unless that was so."""
        if not self.while_flower_worked():
            self.kill()
            self._village.start_coordinator()


def strikes_on(village: Village, linear: Lesson, logistic: Lesson, mlp: Lesson, deaths: Deaths) -> list[Strike]:
    """All of them."""
    return [
        *_in_linear(village, linear, deaths),
        *_in_logistic(village, logistic, deaths),
        *_in_mlp(village, mlp, deaths, logistic.run.round(1)),
    ]


def _in_linear(village: Village, lesson: Lesson, deaths: Deaths) -> list[Strike]:
    """The one round: the coordinator dies when the masks are being taken off."""
    only = lesson.run.round(0)
    return [
        *_stays_away(village, only, lesson.gone),
        home_dies(village, only, Phase.COMMIT, lesson.back, partial(village.start_home, lesson.back)),
        coordinator_dies(village, only, Phase.UNMASK, deaths.kill),
    ]


def _in_logistic(village: Village, lesson: Lesson, deaths: Deaths) -> list[Strike]:
    """The coordinator dies when it has some of the vectors of the second round, and not that of the home that died
    before; and, as long as the phase lasts, not before Flower has something to compute."""
    second, died = lesson.run.round(1), deaths.while_flower_worked
    return [
        *_stays_away(village, lesson.run.round(0), lesson.gone),
        home_dies(village, second, Phase.SHARE, lesson.back, partial(village.start_home, lesson.back)),
        *others_wait(village, second, Phase.SHARE, lesson.back, lesson.slow),
        coordinator_dies(village, second, Phase.INPUT, deaths.kill, lambda: died() or bool(village.flower())),
    ]


def _in_mlp(village: Village, lesson: Lesson, deaths: Deaths, other: Watched) -> list[Strike]:
    """Flower is not done with the first sum when the coordinator dies in the other training, or if that was earlier, by
    a death of its own; and one in the second round of this training, so that Flower has to be told of the first again.
    """
    first, second = lesson.run.round(0), lesson.run.round(1)

    def no_other_comes() -> bool:
        return deaths.while_flower_worked() or (bool(village.flower()) and other.phase > Phase.INPUT)

    return [
        *_stays_away(village, first, lesson.gone),
        Strike(first, Phase.DONE, lambda: bool(village.flower()), village.halt_flower, lambda: None),
        Strike(first, Phase.DONE, no_other_comes, deaths.see_that_it_dies_while_flower_works, lambda: None),
        home_dies(village, second, Phase.INPUT, lesson.back, partial(village.start_home, lesson.back)),
        coordinator_dies(village, second, Phase.COMMIT, deaths.kill),
    ]


def _stays_away(village: Village, run: Watched, name: str) -> list[Strike]:
    """A home dies before its vector is sent, and comes back when it is too late for that."""
    return [home_dies(village, run, Phase.SHARE, name), home_returns(village, run, Phase.COMMIT, name)]
