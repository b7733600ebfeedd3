"""A home's sums for boosted trees: bounded whatever it holds and whatever model it is sent."""

from __future__ import annotations

import numpy as np
import pytest
from bench.training_trees import cohort_sum, crossed, train
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from vicinia.node.training.trees import gradients, statistic
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.examples import Examples
from vicinia.training.model import Model
from vicinia.training.recipes.trees import Trees
from vicinia.training.settings import from_file

KINDS = [
    Dimensions(2, TargetKind.CLASSES, 2),
    Dimensions(2, TargetKind.REAL),
    Dimensions(2, TargetKind.COUNT, high=5.0),
]
TABLE = {"tree_rounds": 3, "bins": 4, "contexts": 2, "trees": 2}


def recipe(dimensions: Dimensions, table: dict[str, object] | None = None) -> Trees:
    return Trees.of(dimensions, from_file(Trees.settings, TABLE if table is None else table, "parameters"))


dirty = st.one_of(st.floats(), st.floats(-1, 1), st.sampled_from([-1.0, 0.0, 1.0, 1e308]))
finite = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-1, 5).map(float))


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(KINDS))
def test_no_rows_and_no_model_make_the_vector_too_long(data: st.DataObject, dimensions: Dimensions) -> None:
    trees = recipe(dimensions)
    rows = data.draw(st.integers(0, 6))
    inputs = data.draw(arrays(np.float64, (rows, 2), elements=dirty))
    target = data.draw(arrays(np.float64, rows, elements=dirty))
    model = trees.initial()
    changed = {name: data.draw(arrays(np.float64, model[name].shape, elements=finite)) for name in model}
    vector = statistic(trees, Model.of(changed), Examples.cleaned(inputs, target, 4, dimensions), 1.0, None)
    layout = trees.layout()
    assert vector.shape == (layout.length,)
    assert np.isfinite(vector).all()
    assert vector @ vector <= float(layout.norm_squared) + 1e-12


@given(array_shapes(min_dims=1, max_dims=1, max_side=3))
def test_a_home_without_examples_sends_zeros(shape: tuple[int, ...]) -> None:
    dimensions = KINDS[0]
    trees = recipe(dimensions)
    none = Examples.cleaned(np.full((shape[0], 2), np.nan), np.zeros(shape[0]), 4, dimensions)
    assert not statistic(trees, trees.initial(), none, 1.0, None).any()


def test_the_homes_add_up_to_what_the_bench_sums_at_once() -> None:
    inputs, target, _ = crossed(40, 61)
    dimensions = Dimensions(12, TargetKind.CLASSES, 2)
    trees, model = train(inputs, target, dimensions, {"tree_rounds": 2}, epsilon=None)
    started = trees.initial()
    back = Model.of({name: model[name] if name != "round" else np.array([2.0]) for name in model})
    for one in (started, back):
        homes = [
            Examples.cleaned(inputs[at : at + 24], target[at : at + 24], 24, dimensions) for at in range(0, 960, 24)
        ]
        summed = sum(statistic(trees, one, home, 1.0, None) for home in homes)
        assert summed == pytest.approx(cohort_sum(trees, one, inputs, target), abs=1e-9)


@pytest.mark.parametrize("dimensions", KINDS)
def test_gradients_are_those_of_the_loss(dimensions: Dimensions) -> None:
    trees = recipe(dimensions)
    draw = np.random.default_rng(7)
    scores = draw.uniform(0.1, 0.9, 50)
    target = draw.integers(0, 2, 50).astype(np.float64)

    def loss(at: NDArray[np.float64]) -> NDArray[np.float64]:
        if dimensions.target is TargetKind.CLASSES:
            logistic: NDArray[np.float64] = np.log1p(np.exp(at)) - target * at
            return logistic
        return np.square(at - target) / 4

    step = 1e-4
    first, second = gradients(trees, scores, target)
    assert first == pytest.approx((loss(scores + step) - loss(scores - step)) / (2 * step), abs=1e-6)
    curvature = (loss(scores + step) - 2 * loss(scores) + loss(scores - step)) / step**2
    assert second == pytest.approx(curvature, abs=1e-5)
