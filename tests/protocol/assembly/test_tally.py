"""The rules of voting against a naive reading of design 3."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator_cooperative import Cooperative
from vicinia.assembly import BALLOT_KINDS, CHOICES, Counts, Result, build_close, quorum_needed
from vicinia.assembly.vote import Cast, counted
from vicinia.errors import NotAccepted

NUMBERS = st.integers(0, 200)


@given(NUMBERS, NUMBERS, NUMBERS, st.integers(1, 1000), st.fractions(Fraction(1, 100), 1), st.booleans())
def test_the_rules_are_those_of_the_design(
    yes: int, no: int, abstain: int, electorate: int, share: Fraction, special: bool
) -> None:
    result = Result(electorate, Counts(yes, no, abstain), quorum_needed(electorate, share), special)
    quorum = yes + no + abstain >= math.ceil(electorate * share)
    passed = (yes > 0 and 4 * yes >= 3 * (yes + no)) if special else yes > no
    assert result.accepted == (quorum and passed)


@pytest.mark.parametrize(
    ("yes", "no", "special", "passes"),
    [(1, 1, False, False), (0, 0, False, False), (2, 1, False, True), (0, 0, True, False), (3, 1, True, True),
     (74, 25, True, False), (75, 25, True, True)],
)  # fmt: skip
def test_ties_fail_and_three_quarters_are_exact(yes: int, no: int, special: bool, passes: bool) -> None:
    assert Result(100, Counts(yes, no), 1, special).majority is passes


@pytest.mark.parametrize(("electorate", "needed"), [(1, 1), (5, 1), (6, 2), (10, 2), (11, 3), (118_000, 23_600)])
def test_a_fifth_is_rounded_up(electorate: int, needed: int) -> None:
    assert quorum_needed(electorate, Fraction(1, 5)) == needed


CASTS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(1, 4), st.sampled_from(CHOICES)), max_size=30
)


@given(CASTS, st.integers(0, 40))
def test_the_highest_number_in_time_counts(raw: list[tuple[int, int, int, str]], size: int) -> None:
    cast = [Cast(leaf, elector, (epoch, seq), choice) for leaf, (elector, epoch, seq, choice) in enumerate(raw)]
    expected = {}
    for elector in {one.elector for one in cast}:
        in_time = [one for one in cast if one.elector == elector and one.leaf < size]
        if in_time:
            top = max(one.rank for one in in_time)
            expected[elector] = next(one.choice for one in in_time if one.rank == top)
    assert counted(cast, size) == expected


@given(st.lists(st.sampled_from(CHOICES), max_size=50))
def test_open_ballots_are_counted(choices: list[str]) -> None:
    counts = BALLOT_KINDS["open"].count(choices)
    assert counts.turnout == len(choices)
    assert (counts.yes, counts.no, counts.abstain) == tuple(choices.count(choice) for choice in CHOICES)


@settings(max_examples=15)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 3), st.sampled_from(CHOICES)), max_size=14),
    st.integers(0, 14),
)
def test_the_log_counts_as_the_reference_does(ballots: list[tuple[int, int, str]], close_after: int) -> None:
    """Re-votes and repetitions in any order; a close that leaves one out is refused, whatever it would change."""
    coop = _six()
    job = coop.job(title=f"{len(coop.leaves)}")
    coop.propose(job)
    latest: dict[int, tuple[int, str]] = {}
    coop.advance(3600)
    closing, covered = coop.checkpoint(), coop.assembly.size
    last = 0
    for number, (household, seq, choice) in enumerate(ballots):
        if number == close_after:
            closing, covered = coop.checkpoint(), coop.assembly.size
        known = latest.get(household)
        if known is not None and known[0] == seq and known[1] != choice:
            continue  # refused; see the attacks
        last = coop.ballot(job, household, choice, seq)
        if known is None or seq > known[0]:
            latest[household] = (seq, choice)
    if last >= covered:
        with pytest.raises(NotAccepted):
            build_close(coop.assembly, job.hash, coop.openings[job.hash], closing)
        closing = coop.checkpoint()
    coop.append(build_close(coop.assembly, job.hash, coop.openings[job.hash], closing).sign(coop.log_key))
    counts = coop.assembly.tally(coop.assembly.vote_on(job.hash)).counts
    assert counts == BALLOT_KINDS["open"].count(choice for _, choice in latest.values())


_SHARED: list[Cooperative] = []


def _six() -> Cooperative:
    """One cooperative for all examples: every example proposes a job of its own."""
    if not _SHARED:
        _SHARED.append(Cooperative.found(households=6))
    return _SHARED[0]
