"""The parts of a training: each that adds something up is as large as every sum must be."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from protocol.training.test_spec import PLAIN, parsed
from vicinia.errors import NotAccepted, RoundFailed
from vicinia.secagg.parameters import corrupt_bound
from vicinia.training.compiled import Part
from vicinia.training.computation import require_split
from vicinia.training.schedule import Kind
from vicinia.training.split import Split, homes_needed

HALVES = parsed(PLAIN + "holdout = 0.5\n")
SILENT = Fraction(1, 10)


def split_of(lot: bytes, members: int, corrupt: int, floor: int, kind: Kind = Kind.TRAINS) -> Split:
    return Split.of(HALVES, lot, kind, range(members), corrupt=corrupt, silent=SILENT, floor=floor)


@given(st.binary(min_size=32, max_size=32), st.integers(4, 60), st.integers(2, 12), st.sampled_from(Kind), st.data())
def test_whoever_takes_part_no_part_that_speaks_is_small(
    lot: bytes, electorate: int, floor: int, kind: Kind, data: st.DataObject
) -> None:
    corrupt = corrupt_bound(electorate, Fraction(1, 20))
    split = split_of(lot, electorate, corrupt, floor, kind)
    taking_part = data.draw(st.lists(st.booleans(), min_size=electorate, max_size=electorate).filter(any))
    members = np.flatnonzero(taking_part)
    survived = np.array(data.draw(st.lists(st.booleans(), min_size=len(members), max_size=len(members))))
    try:
        split.require_roster(members)
        split.require_survivors(members, survived)
    except RoundFailed:
        return
    did = [split.part_of(int(index), members) for index in members[survived]]
    spoke = {part: did.count(part) for part in set(did) - {Part.NOTHING}}
    assert spoke
    # So few homes are dishonest here that chance could put all of them into either part.
    assert all(count - corrupt >= floor for count in spoke.values())
    wanted = {Kind.SCALES: {Part.SCALES}, Kind.TRAINS: {Part.TRAINS, Part.EVALUATES}, Kind.CLOSES: {Part.EVALUATES}}
    assert spoke.keys() <= wanted[kind]


@given(st.integers(2 * 10**8, 8 * 10**8), st.integers(20, 200), st.integers(2, 20))
def test_so_many_homes_are_enough_and_no_fewer(share_nano: int, members: int, floor: int) -> None:
    corrupt = corrupt_bound(members, Fraction(1, 20))
    needed = homes_needed(share_nano, members, corrupt, SILENT, floor)
    smaller = min(Fraction(share_nano, 10**9), 1 - Fraction(share_nano, 10**9))

    def honest(part: int) -> int:
        return ceil((1 - SILENT) * part) - corrupt

    assert honest(ceil(smaller * needed)) >= floor
    assert honest(int(smaller * (needed - 1))) < floor


def test_chance_gives_a_part_of_a_city_few_of_those_who_are_dishonest() -> None:
    """With all of them, no tenth of a city could ever evaluate while few take part."""
    city, corrupt = 118_000, corrupt_bound(118_000, Fraction(1, 20))
    assert homes_needed(10**8, city, corrupt, SILENT, 20) < 10_000
    assert homes_needed(10**8, 150, corrupt_bound(150, Fraction(1, 20)), SILENT, 20) > 150


def test_who_is_held_out_without_effect_does_nothing() -> None:
    split = split_of(bytes(32), 12, 1, 10)
    members = np.arange(12)
    held = [index for index in range(12) if HALVES.part_of(index, bytes(32), Kind.TRAINS) is Part.EVALUATES]
    assert held
    assert {split.part_of(index, members) for index in held} == {Part.NOTHING}
    with pytest.raises(RoundFailed, match="Too few of these homes train"):
        split.require_roster(members)
    with pytest.raises(RoundFailed, match="Too few of these homes evaluate"):
        split_of(bytes(32), 12, 1, 10, Kind.CLOSES).require_roster(members)


def test_a_plan_that_holds_nobody_out_has_no_parts() -> None:
    require_split(parsed(PLAIN), 3, 1, SILENT, 20)
    with pytest.raises(NotAccepted, match=r"with holdout = 0\.5 .* there are 20") as refusal:
        require_split(HALVES, 20, 1, SILENT, 20)
    assert refusal.value.hint == "Leave holdout out."
