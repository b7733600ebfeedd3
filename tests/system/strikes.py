"""Deaths that are bound to a moment of a run, by what is on the coordinator's disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from system.village import Village
from system.watched import PHASES, Watched
from vicinia.coordinator.store.runs import Phase

__all__ = [
    "Strike",
    "Struck",
    "carry_out",
    "coordinator_dies",
    "home_dies",
    "home_returns",
    "homes_die",
    "homes_die_and_return",
    "others_wait",
]

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


def _nothing() -> None:
    """What follows a death for good."""


def _always() -> bool:
    return True


def home_dies(village: Village, run: Watched, phase: Phase, name: str, after: Callable[[], None] = _nothing) -> Strike:
    """A home dies as soon as its answer of this phase is on disk."""
    return Strike(run, phase, partial(_all_have, run, phase, {name}), partial(village.kill_home, name), after)


def home_returns(village: Village, run: Watched, phase: Phase, name: str) -> Strike:
    """A home that has died is started again when this phase has begun."""
    return Strike(run, phase, _always, partial(village.start_home, name), _nothing)


def others_wait(village: Village, run: Watched, phase: Phase, name: str, slow: str) -> list[Strike]:
    """From a phase in which `name` dies until its answer of the next one is there, `slow` dawdles.

    The next phase lasts as long as the by-laws say then, and not only until a busy machine has started a process.
    """
    following = Phase(phase + 1)
    both_answered = partial(_all_have, run, phase, {name, slow})
    came_back = partial(_all_have, run, following, {name})
    return [
        Strike(run, phase, both_answered, partial(village.halt_worker, slow), _nothing),
        Strike(run, following, came_back, partial(village.let_worker_go_on, slow), _nothing),
    ]


def homes_die(village: Village, run: Watched, victims: tuple[str, ...]) -> list[Strike]:
    """In each phase a home of its own dies for good."""
    return [home_dies(village, run, phase, name) for phase, name in zip(PHASES, victims, strict=True)]


def homes_die_and_return(village: Village, run: Watched, victims: tuple[str, ...]) -> list[Strike]:
    """The same, and each is started again at once; the others wait for the shares and the input of those who must
    still send them."""
    strikes = [
        home_dies(village, run, phase, name, partial(village.start_home, name))
        for phase, name in zip(PHASES, victims, strict=True)
    ]
    for phase, name in zip(PHASES[:2], victims, strict=False):
        strikes += others_wait(village, run, phase, name, victims[-1])
    return strikes


def coordinator_dies(
    village: Village,
    run: Watched,
    phase: Phase,
    act: Callable[[], None] | None = None,
    also: Callable[[], bool] = _always,
) -> Strike:
    """The coordinator is killed, by `act`, when somebody's answer of this phase is on its disk and `also` holds, and is
    started again."""
    return Strike(
        run,
        phase,
        lambda: also() and bool(run.answered(phase)),
        act or village.kill_coordinator,
        village.start_coordinator,
    )


def carry_out(strikes: Iterable[Strike], seconds: float) -> list[Struck]:
    """Strike as each is due, in the order in which they are due; how each met its run, in the order as given."""
    waiting, deadline = dict(enumerate(strikes)), time.monotonic() + seconds
    met: dict[int, Struck] = {}
    while waiting:
        phases = {run: run.phase for run in {one.run for one in waiting.values()}}
        for number, one in list(waiting.items()):
            if phases[one.run] > one.phase or (phases[one.run] == one.phase and one.due()):
                one.act()
                met[number] = Struck(one.phase, Phase(one.run.phase), frozenset(one.run.answered(one.phase)))
                one.after()
                del waiting[number]
        late = [(one.run.row.title, one.phase.name) for one in waiting.values()]
        assert not late or time.monotonic() < deadline, f"the moment never came: {late}"
        time.sleep(LOOK_SECONDS)
    return [met[number] for number in sorted(met)]


def _all_have(run: Watched, phase: Phase, names: set[str]) -> bool:
    return names <= run.answered(phase)
