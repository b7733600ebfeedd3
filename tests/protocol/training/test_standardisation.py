"""Mean and deviation from noisy sums: right where they can be seen, harmless where not, whatever anybody sends."""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from protocol.training.test_reading import home
from protocol.training.test_rounds import EXAMPLE
from protocol.training.test_spec import parsed
from vicinia.errors import InvalidInput, ProofInvalid
from vicinia.node.training.round import round_vector
from vicinia.privacy.stream import chacha_stream
from vicinia.training import moments
from vicinia.training.compiled import Part, Training
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.examples import Examples
from vicinia.training.reading import read_examples
from vicinia.training.replay import Released
from vicinia.training.rounds import RoundRelease
from vicinia.training.schedule import Kind, kind_after, trained_runs
from vicinia.training.spread import LEAST_SD, REACH, Spread, estimated
from vicinia.training.standardisation import moments_as_planned, standardised

DIRTY = st.floats(allow_nan=True, allow_infinity=True, width=64)
FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)
LIMIT = 5
INPUTS = Dimensions(3, TargetKind.NONE)
PRIVATE = """
[training]
dataset = "budget"
features = ["food", "region", "balance"]
standardise = "private"
examples = 5
"""
TARGETS = {
    "linear": 'target = "fuel"',
    "logistic": 'target = "kids"\nrounds = 2\nholdout = 0.5',
    "poisson": 'target = "trips"\nrounds = 2',
    "mlp": 'target = "kids"\nrounds = 2\n[training.parameters]\nhidden_1 = 2',
    "kmeans": "[training.parameters]\nclusters = 2",
    "pca": "",
}


def plan(recipe: str) -> Training:
    return parsed(f'{PRIVATE}recipe = "{recipe}"\n{TARGETS[recipe]}\n')


def release(*sums: float, sigma: float = 0.0, run: int = 0) -> RoundRelease:
    return replace(EXAMPLE, run=run, moments=sums, sigma=sigma, metrics=())


def noiseless(values: Any) -> list[float]:
    """The sums of these values, float64[n, q] in [-1, 1]."""
    return [float(len(values)), *values.sum(axis=0).tolist(), *(2.0 * values**2 - 1.0).sum(axis=0).tolist()]


# ---- the numbers


def test_without_noise_they_are_mean_and_deviation_of_all_examples() -> None:
    draw = np.random.default_rng(3)
    values = np.clip(draw.normal([-0.9, 0.0, 0.4], [0.02, 0.5, 0.1], (4_000, 3)), -1, 1)
    found = np.array(estimated(noiseless(values), 0.0))
    assert found[:, 0] == pytest.approx(values.mean(axis=0))
    assert found[:, 1] == pytest.approx(values.std(axis=0))


@pytest.mark.parametrize("seed", range(3))
def test_noise_moves_them_by_as_much_as_it_says(seed: int) -> None:
    """And it never makes a deviation look much smaller than it is, which would cut what matters."""
    draw = np.random.default_rng(seed)
    values = np.clip(draw.normal([-0.9, 0.0, 0.4], [0.02, 0.3, 0.1], (4_000, 3)), -1, 1)
    exact = np.array(noiseless(values))
    for noise in (1.0, 30.0, 300.0):
        for _ in range(100):
            found = np.array(estimated((exact + draw.normal(0.0, noise, len(exact))).tolist(), noise))
            off = np.abs(found[:, 0] - values.mean(axis=0))
            assert (off < 5 * noise / 4_000 * np.sqrt(1 + values.mean(axis=0) ** 2)).all()
            assert (found[:, 1] > 0.5 * values.std(axis=0)).all()
            assert (found[:, 1] < 1.0).all()


def test_where_noise_hides_the_count_inputs_stay_as_their_bounds_have_scaled_them() -> None:
    training = plan("linear")
    hidden = standardised(training, {0: release(9.0, -5.0, 5.0, 9.0, 9.0, sigma=1.0)})
    for term, before in zip(hidden.design.terms, training.design.terms, strict=True):
        assert (term.middle, term.radius) == pytest.approx((before.middle, before.radius))


@given(st.lists(FINITE, min_size=3, max_size=9).filter(lambda sums: len(sums) % 2 == 1), FINITE)
def test_any_sums_come_to_a_scale_that_can_be(sums: list[float], noise: float) -> None:
    for mean, sd in estimated(sums, noise):
        assert -1.0 <= mean <= 1.0
        assert LEAST_SD * (1 - 1e-9) <= sd <= 1.0


def test_everybody_comes_to_the_same_bits() -> None:
    """Pinned: a home on another machine must not come to another scale."""
    ((mean, sd),) = estimated([812.25, -301.5, -77.125], 3.5)
    assert (mean.hex(), sd.hex()) == ("-0x1.7c1987722bf78p-2", "0x1.1f3dba49e4219p-1")


# ---- what a home sends


@settings(deadline=None)
@given(hnp.arrays(np.float64, st.tuples(st.integers(0, 12), st.just(3)), elements=DIRTY))
def test_a_home_s_sums_have_a_norm_of_at_most_one(inputs: Any) -> None:
    examples = Examples.cleaned(inputs, np.zeros(len(inputs)), LIMIT, INPUTS)
    vector = moments.statistic((0, 2), examples)
    assert vector.shape == (moments.layout(2).length,)
    assert np.isfinite(vector).all()
    assert float(vector @ vector) <= 1.0
    whole = moments.statistic((0, 1, 2), Examples(np.ones((LIMIT, 3)), np.zeros(LIMIT), LIMIT))
    assert float(whole @ whole) == pytest.approx(1.0)  # the bound is met: no noise is wasted


CELL = st.one_of(st.none(), DIRTY, st.integers(-(10**18), 10**18), st.text(max_size=3), st.binary(max_size=3))
ROW = st.tuples(CELL, CELL, st.sampled_from([1, 2, None, "x"]), st.sampled_from(["north", "west", 3]), CELL, CELL)
PLANS = {recipe: plan(recipe) for recipe in TARGETS}


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(TARGETS)), st.lists(ROW, max_size=6), st.lists(FINITE, min_size=5, max_size=5), FINITE)
def test_no_scale_and_no_rows_make_a_vector_longer_than_the_plan_says(
    recipe: str, rows: list[tuple[Any, ...]], sums: list[float], sigma: float
) -> None:
    first = PLANS[recipe]
    later = standardised(first, {0: release(*sums, sigma=sigma)})
    connection = home(rows)
    stream = chacha_stream(os.urandom(32))
    for training, part in ((first, Part.SCALES), (later, Part.TRAINS), (later, Part.EVALUATES)):
        if part is Part.EVALUATES and training.evaluation is None:
            continue
        examples = read_examples(
            training.design, {"budget": connection}, None, LIMIT, stream.bytes, lambda: False, lambda _: None
        )
        assert (np.abs(examples.inputs) <= 1.0).all()
        vector = round_vector(
            training,
            first.template,
            examples,
            1.0,
            stream,
            part=part,
            out_of_time=lambda: False,
            measured=lambda _: None,
        )
        assert np.isfinite(vector).all()
        assert float(vector @ vector) <= float(first.layout.norm_squared) * (1 + 1e-12)
        start = 0
        for block in first.layout.blocks:
            sent = vector[start : start + block.length]
            assert float(sent @ sent) <= 1 + 1e-12
            start += block.length
    connection.close()


# ---- what a plan says, and what a round may release


def test_the_first_round_is_a_run_more_and_its_sums_stand_beside_the_others() -> None:
    training = plan("logistic")
    assert (training.plan.scaling, training.plan.runs) == (1, 4)
    assert [str(kind_after(training.plan, done)) for done in range(4)] == ["scales", "trains", "trains", "closes"]
    assert trained_runs(training.plan, {5: 0, 1: 0, 2: 0, 7: 0}) == [2, 5]
    slots = (training.training_slots, training.evaluation_slots, training.scaling_slots)
    assert [slot.start for slot in slots[1:]] == [slot.stop for slot in slots[:-1]]
    assert slots[-1].stop == training.layout.length
    assert training.scaling_length == 5  # two numbers; the region is none
    bounds = parsed(PRIVATE.replace('"private"', '"bounds"') + 'recipe = "logistic"\n' + TARGETS["logistic"])
    assert (bounds.plan.runs, bounds.layout.length) == (3, training.layout.length - 5)
    assert bounds.layout.norm_squared == training.layout.norm_squared == 1
    assert kind_after(bounds.plan, 0) is Kind.TRAINS


def test_who_measures_leaves_the_scale_to_the_others() -> None:
    training = plan("logistic")
    parts = [training.part_of(index, b"lot", Kind.SCALES) for index in range(50)]
    later = [training.part_of(index, b"lot", Kind.TRAINS) for index in range(50)]
    assert set(parts) == {Part.SCALES, Part.NOTHING}
    assert [one is Part.NOTHING for one in parts] == [one is Part.EVALUATES for one in later]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (f'{PRIVATE}target = "kids"\nrecipe = "trees"\n', "on whatever scale"),
        (PRIVATE.replace('"food", "region", "balance"', '"region"') + 'recipe = "pca"\n', "No feature is a number"),
        (PRIVATE.replace('"private"', '"z-score"') + 'recipe = "pca"\n', "not one of bounds, private"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(text: str, what: str) -> None:
    with pytest.raises(InvalidInput, match=what) as refusal:
        parsed(text)
    assert refusal.value.where.startswith("JOB.toml:5: training.standardise")


def test_categories_stay_as_they_are_and_the_target_keeps_its_bounds() -> None:
    values = np.array([[0.5, -0.25], [-0.5, -0.75]])
    training = standardised(plan("linear"), {2: release(*noiseless(values), run=2)})
    food, region, balance = training.design.terms
    assert food.spread == Spread(0.5, 0.25)
    assert (food.middle, food.radius) == (0.5, REACH * 0.25)
    assert region.spread is None
    assert balance.spread == Spread(-5.0, 2.5)
    target = training.design.target
    assert target is not None
    assert (target.middle, target.radius) == pytest.approx((0.2, 0.2))


def test_sums_come_from_the_first_round_and_from_no_other() -> None:
    training, sums = plan("linear"), (8.0, 1.0, 1.0, 1.0, 1.0)
    moments_as_planned(training, {})
    moments_as_planned(training, {3: release(*sums, run=3), 4: replace(EXAMPLE, run=4)})
    wrong: list[dict[int, RoundRelease]] = [
        {0: EXAMPLE},
        {0: release(*sums[:-2])},
        {0: release(*sums), 1: release(*sums, run=1)},
        {0: EXAMPLE, 1: release(*sums, run=1)},
    ]
    for releases in wrong:
        with pytest.raises(ProofInvalid, match="what the plan says"):
            moments_as_planned(training, releases)
    with pytest.raises(ProofInvalid, match="was not released"):
        standardised(training, {})
    bounds = parsed(PRIVATE.replace('"private"', '"bounds"') + 'recipe = "pca"')
    assert standardised(bounds, {0: EXAMPLE}) is bounds
    with pytest.raises(ProofInvalid, match="what the plan says"):
        moments_as_planned(bounds, {0: release(*sums)})


def test_the_sums_that_are_told_are_those_in_the_sum() -> None:
    training = plan("linear")
    vector = np.arange(training.layout.length, dtype="<f8")
    told = tuple(vector[training.scaling_slots].tolist())
    for sums, right in ((told, True), ((*told[:-1], math.nextafter(told[-1], 0)), False)):
        made = replace(release(*sums), vector=hashlib.sha256(vector.tobytes()).digest())
        released = Released(made, vector.tobytes())
        if right:
            released.check_moments(training)
        else:
            with pytest.raises(ProofInvalid, match="other sums than its own"):
                released.check_moments(training)
