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


@settings(deadline=None, max_examples=8)
@given(st.data())
def test_any_dropout_schedule_on_a_small_ring(data: st.DataObject) -> None:
    """The same with k < n - 1; a ring so small has no parameters of its own, so some are put in place."""
    n = data.draw(st.integers(12, 22), label="n")
    small = Parameters(n, 1, 8, 5, 0, n, n // 2 + 2, n - 3)
    gone = data.draw(st.dictionaries(st.integers(0, n - 1), st.sampled_from([*Phase][1:5]), max_size=3), label="leaves")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "parameters", lambda *_: small)
        simulation = Simulation(n, elements=5, seed=n, reload=False)
        exact_or_refused(simulation, gone)


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
