"""The sum is exact whoever leaves whenever, within the tolerance; beyond it the run fails and says so."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator_round import Phase, Simulation
from vicinia.errors import RoundFailed
from vicinia.secagg import parameters as table
from vicinia.secagg.parameters import Parameters


def exact_or_refused(simulation: Simulation, leaves: dict[int, Phase]) -> None:
    """A run ends with the true sum, or with RoundFailed where more homes left than it must bear."""
    n = len(simulation.homes)
    roster = [home for home in range(n) if leaves.get(home, Phase.NEVER) > Phase.ADVERTISE]
    stayed = sum(leaves.get(home, Phase.NEVER) > Phase.UNMASK for home in roster)
    try:
        least = table.parameters(len(roster), *simulation.bounds).min_survivors
    except RoundFailed:
        least = n + 1
    try:
        total = simulation.run(leaves)
    except RoundFailed:
        assert stayed < least
    else:
        assert (total == simulation.expected()).all()
        assert len(simulation.inputs) >= least


@settings(deadline=None, max_examples=20)
@given(st.data())
def test_any_dropout_schedule(data: st.DataObject) -> None:
    n = data.draw(st.integers(5, 40) if data.draw(st.integers(0, 4)) == 0 else st.integers(5, 16), label="n")
    delta = data.draw(st.sampled_from([Fraction(1, 10), Fraction(1, 5), Fraction(3, 10)]), label="delta")
    corrupt = data.draw(st.integers(1, max(1, n // 8)), label="A")
    width = data.draw(st.integers(3, 32), label="width")
    phases = st.sampled_from([Phase.ADVERTISE, Phase.SHARE, Phase.INPUT, Phase.COMMIT, Phase.UNMASK])
    gone = st.dictionaries(st.integers(0, n - 1), phases, max_size=int(delta * n) + 2)
    seed = data.draw(st.integers(0, 99))
    simulation = Simulation(n, corrupt=corrupt, delta=delta, width=width, elements=5, seed=seed)
    exact_or_refused(simulation, data.draw(gone, label="leaves"))


def sparse(n: int, k: int, corrupt: int, notaries: int) -> Parameters:
    """A ring too small for figures of its own, with t, window and quorum by the true formulas, had every neighbourhood,
    pair of windows and set of notaries all the corrupt homes in it."""
    quorum = (notaries + corrupt) // 2 + 1
    return Parameters(n, corrupt, k, (corrupt + k) // 2 + 1, corrupt // 2, notaries, quorum, n - n // 5)


def bears(simulation: Simulation, leaves: dict[int, Phase]) -> bool:
    """Whether a run with these dropouts must end with a sum: counted on the ring, without any message."""
    cohort = simulation.coordinator._frozen().cohort
    figures, ring = cohort.parameters, cohort.ring.tolist()
    roster = [home for home in range(len(simulation.homes)) if leaves.get(home, Phase.NEVER) > Phase.ADVERTISE]

    def after(phase: Phase) -> set[int]:
        """The positions of those who did not leave at this message or before."""
        return {place for place, home in enumerate(roster) if leaves.get(home, Phase.NEVER) > phase}

    def hear(dealers: set[int], holders: set[int]) -> bool:
        return all(len(holders.intersection(cohort.neighbours(one))) >= figures.threshold for one in dealers)

    dealers, survivors, half = after(Phase.SHARE), after(Phase.INPUT), figures.neighbours // 2
    windows = ([ring[(start + step) % figures.n] for step in range(half)] for start in range(figures.n))
    return (
        len(survivors) >= figures.min_survivors
        and hear(dealers, dealers)
        and all(len(survivors.intersection(window)) > (figures.window or 0) for window in windows)
        and len(cohort.notaries & after(Phase.COMMIT)) >= figures.quorum
        and hear(dealers, after(Phase.UNMASK))
    )


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_any_dropout_schedule_on_a_sparse_ring(data: st.DataObject) -> None:
    """Whoever leaves at whichever message: the run ends with the exact sum where the ring bears it, and only there."""
    n = data.draw(st.integers(14, 30), label="n")
    k = data.draw(st.sampled_from([k for k in (6, 8, 10) if k < n - n // 3]), label="k")
    corrupt, notaries = data.draw(st.integers(1, 2), label="A"), data.draw(st.integers(7, 10), label="notaries")
    phases = st.sampled_from([Phase.ADVERTISE, Phase.SHARE, Phase.INPUT, Phase.COMMIT, Phase.UNMASK])
    many = data.draw(st.sampled_from([2, n // 5, n // 3]), label="at most")
    leaves = data.draw(st.dictionaries(st.integers(0, n - 1), phases, max_size=many), label="leaves")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "parameters", lambda there, *_: sparse(there, k, corrupt, notaries))
        simulation = Simulation(n, elements=5, seed=data.draw(st.integers(0, 99), label="seed"), reload=False)
        try:
            total = simulation.run(leaves)
        except RoundFailed:
            assert not bears(simulation, leaves)
        else:
            assert bears(simulation, leaves)
            assert (total == simulation.expected()).all()


def test_a_true_ring_bears_a_tenth_of_the_homes_leaving() -> None:
    simulation = Simulation(210, corrupt=5, delta=Fraction(1, 10), floor=20, seed=3, reload=False)
    phases = [Phase.SHARE, Phase.INPUT, Phase.INPUT, Phase.COMMIT, Phase.UNMASK]
    leaves = {home: phases[home % 5] for home in range(0, 210, 11)}
    total = simulation.run(leaves)
    assert (total == simulation.expected()).all()
    assert simulation.coordinator.parameters.neighbours < 209


def test_too_many_leave_a_ring() -> None:
    simulation = Simulation(201, corrupt=5, delta=Fraction(1, 10), floor=20, reload=False)
    simulation.advertise(range(201))
    with pytest.raises(RoundFailed, match=r"Only 12 homes dealt.* 181 are needed"):
        simulation.share(range(12))
