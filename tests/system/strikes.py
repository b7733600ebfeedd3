"""Deaths that are bound to a moment of a run, by what is on the coordinator's disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from system.village import Village
from system.watched import PHASES, Watched
from vicinia.coordinator.store.runs import Phase

__all__ = ["Strike", "Struck", "carry_out", "coordinator_dies", "homes_die", "homes_die_and_return"]

LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Strike:
    """`act` once it is `due`, or once the phase is over all the same; `after` is what follows the act at once."""

    run: Watched
    phase: Phase
    due: Callable[[], bool]
    act: Callable[[], None]
    after: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Struck:
    """How a strike met the run: in which phase it was meant, and what was on disk when the victim was dead."""

    meant: Phase
    found: Phase
    answered: frozenset[str]


def homes_die(village: Village, run: Watched, victims: tuple[str, ...]) -> list[Strike]:
    """In each phase a home of its own dies for good, as soon as its answer is on disk."""
    return [_death(village, run, phase, name, _nothing) for phase, name in zip(PHASES, victims, strict=True)]


def homes_die_and_return(village: Village, run: Watched, victims: tuple[str, ...]) -> list[Strike]:
    """The same, and each is started again at once.

    Until the shares and the input of those who must still send them are there, the last home dawdles: the phase lasts
    as long as the by-laws say, and not only until a busy machine has started a process.
    """
    strikes = [
        _death(village, run, phase, name, partial(village.start_home, name))
        for phase, name in zip(PHASES, victims, strict=True)
    ]
    slow = victims[-1]
    for phase, following, name in zip(PHASES, PHASES[1:3], victims, strict=False):
        both_answered = partial(_all_have, run, phase, {name, slow})
        strikes.append(Strike(run, phase, both_answered, partial(village.halt_worker, slow), _nothing))
        came_back = partial(_all_have, run, following, {name})
        strikes.append(Strike(run, following, came_back, partial(village.let_worker_go_on, slow), _nothing))
    return strikes


def coordinator_dies(village: Village, run: Watched) -> list[Strike]:
    """In each phase the coordinator is killed when somebody's answer is on its disk, and started again."""
    return [
        Strike(run, phase, partial(_anybody_has, run, phase), village.kill_coordinator, village.start_coordinator)
        for phase in PHASES
    ]


def carry_out(strikes: Iterable[Strike], seconds: float) -> list[Struck]:
    """Strike as each is due, in the order in which they are due; how each met its run, in the order as given."""
    waiting, deadline = dict(enumerate(strikes)), time.monotonic() + seconds
    met: dict[int, Struck] = {}
    while waiting:
        for number, one in list(waiting.items()):
            if one.due() or one.run.phase > one.phase:
                one.act()
                met[number] = Struck(one.phase, Phase(one.run.phase), frozenset(one.run.answered(one.phase)))
                one.after()
                del waiting[number]
        late = [(one.run.row.title, one.phase.name) for one in waiting.values()]
        assert not late or time.monotonic() < deadline, f"the moment never came: {late}"
        time.sleep(LOOK_SECONDS)
    return [met[number] for number in sorted(met)]


def _death(village: Village, run: Watched, phase: Phase, name: str, after: Callable[[], None]) -> Strike:
    return Strike(run, phase, partial(_all_have, run, phase, {name}), partial(village.kill_home, name), after)


def _all_have(run: Watched, phase: Phase, names: set[str]) -> bool:
    return names <= run.answered(phase)


def _anybody_has(run: Watched, phase: Phase) -> bool:
    return bool(run.answered(phase))


def _nothing() -> None:
    """What follows a death for good."""
