"""Boosted trees: what they learn from exact and from noisy sums, and what they refuse."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from bench.training_trees import auc, cohort_sum, crossed, noise_of, train
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from vicinia.errors import InvalidInput, TooLarge
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.model import Model
from vicinia.training.partition import Pruning, Sums, pair_tables, step_functions
from vicinia.training.radius import NORM_EDGES
from vicinia.training.recipe import Aggregate
from vicinia.training.recipes.trees import Trees
from vicinia.training.settings import from_file

BINARY = Dimensions(12, TargetKind.CLASSES, 2)
EXACT = Pruning(l2=0.0, caution=0.0, least=1e-9, leaves=16, largest=4.0)


def recipe(dimensions: Dimensions = BINARY, **table: object) -> Trees:
    return Trees.of(dimensions, from_file(Trees.settings, table, "parameters"))


def test_the_vector_and_the_model_keep_their_shapes() -> None:
    trees = recipe()
    layout = trees.layout()
    assert layout.norm_squared == 1
    assert layout.length == 12 * trees.slots + len(NORM_EDGES) + 1
    model = trees.initial()
    after = trees.step(model, Aggregate(np.zeros(layout.length), 1.0, 100))
    assert after.same_shape(model)
    assert Model.from_bytes(after.to_bytes()) == after


def test_nothing_but_noise_grows_no_trees() -> None:
    trees = recipe(caution=30)
    draw = np.random.default_rng(3)
    model = trees.initial()
    for _ in range(trees.rounds() or 0):
        model = trees.step(model, Aggregate(draw.normal(size=trees.layout().length), 1.0, 10_000))
    assert not model["importance"].any()
    assert np.all(np.diff(model["edges"], axis=1) >= 0)


def test_the_same_release_gives_the_same_bytes() -> None:
    trees = recipe()
    total = np.random.default_rng(5).normal(size=trees.layout().length)
    first, second = (trees.step(trees.initial(), Aggregate(total.copy(), 0.1, 1000)) for _ in range(2))
    assert first.digest == second.digest


def test_a_step_beyond_the_last_round_is_refused() -> None:
    trees = recipe(tree_rounds=1)
    released = Aggregate(np.zeros(trees.layout().length), 1.0, 100)
    model = trees.step(trees.step(trees.initial(), released), released)
    with pytest.raises(InvalidInput, match="All rounds"):
        trees.step(model, released)


@pytest.mark.parametrize("dimensions", [Dimensions(3, TargetKind.NONE), Dimensions(3, TargetKind.CLASSES, 3)])
def test_targets_that_trees_cannot_predict_are_refused(dimensions: Dimensions) -> None:
    with pytest.raises(InvalidInput, match="two classes"):
        recipe(dimensions)


@pytest.mark.parametrize("table", [{"contexts": 3}, {"contexts": 8, "bins": 4}, {"contexts": 4, "bins": 10}])
def test_contexts_divide_the_bins_by_a_power_of_two(table: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match="power of two"):
        recipe(BINARY, **table)


def test_a_model_beyond_the_limit_is_refused() -> None:
    with pytest.raises(TooLarge):
        recipe(Dimensions(100, TargetKind.REAL), tree_rounds=500, trees=64)


def test_the_edges_are_quantiles() -> None:
    draw = np.random.default_rng(11)
    inputs = np.column_stack((draw.uniform(-1, 1, 4_800), 2 * draw.beta(1, 6, 4_800) - 1))
    trees = recipe(Dimensions(2, TargetKind.REAL), bins=8, contexts=4)
    total = cohort_sum(trees, trees.initial(), inputs, np.zeros(4_800))
    model = trees.step(trees.initial(), Aggregate(total, 0.0, 200))
    for place in range(2):
        shares = (inputs[:, place, None] <= model["edges"][place]).mean(axis=0)
        assert np.abs(shares - np.arange(1, 8) / 8).max() < 0.03


def test_without_noise_a_step_function_is_found_exactly() -> None:
    wanted = np.repeat([0.5, -1.0, 2.0], [3, 9, 4])
    hessians = np.random.default_rng(2).uniform(1, 2, 16)
    values, gains = step_functions(Sums(-(wanted * hessians)[None], hessians[None], 0.0, 0.0), EXACT)
    assert values[0] == pytest.approx(wanted, abs=1e-4)
    assert gains[0] > 0


def test_a_pure_interaction_is_found_though_no_single_split_gains() -> None:
    wanted = np.outer([1, 1, -1, -1], np.repeat([1.0, -1.0], 8))
    values, gains = pair_tables(Sums(-wanted[None], np.ones((1, 4, 16)), 0.0, 0.0), EXACT)
    assert values[0] == pytest.approx(wanted, abs=1e-4)
    assert gains[0] > 0


@given(st.integers(0, 2**32), st.integers(1, 4), st.sampled_from([1, 2, 4]), st.integers(1, 9))
def test_no_row_depends_on_what_else_is_grown(seed: int, n: int, contexts: int, bins: int) -> None:
    draw = np.random.default_rng(seed)
    gradients, hessians = draw.normal(size=(n, contexts, bins)), draw.normal(1.0, 1.0, (n, contexts, bins))
    pruning = Pruning(l2=0.5, caution=1.0, least=1e-9, leaves=bins, largest=4.0)
    together = pair_tables(Sums(gradients, hessians, 0.1, 0.1), pruning)
    for place in range(n):
        alone = pair_tables(Sums(gradients[[place]], hessians[[place]], 0.1, 0.1), pruning)
        assert (alone[0][0] == together[0][place]).all()
        assert alone[1][0] == together[1][place]


@given(st.integers(0, 2**32), st.integers(2, 12))
def test_the_first_split_is_the_best_one(seed: int, bins: int) -> None:
    draw = np.random.default_rng(seed)
    gradients, hessians = draw.normal(size=bins), draw.uniform(0.5, 2, bins)

    def score(part: slice) -> float:
        return float(gradients[part].sum() ** 2 / (hessians[part].sum() + 0.5))

    pruning = Pruning(l2=0.5, caution=0.0, least=1e-9, leaves=2, largest=1e9)
    values, gains = step_functions(Sums(gradients[None], hessians[None], 0.0, 0.0), pruning)
    # The parts' ridge counts twice where they are put together.
    whole = gradients.sum() ** 2 / (hessians.sum() + 1.0)
    best = max(score(slice(cut)) + score(slice(cut, None)) - whole for cut in range(1, bins))
    assert gains[0] == pytest.approx(max(best, 0.0))
    assert len(set(values[0].tolist())) <= 2


def explained(truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    return float(1 - ((truth - predicted) ** 2).mean() / truth.var())


def test_without_noise_they_come_near_to_scikit_learn() -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    inputs, target, logit = crossed(400, 21)
    held, truth, held_logit = crossed(300, 22)
    trees, model = train(inputs, target, BINARY, {"l2": Decimal("0.2")}, epsilon=None)
    theirs = (
        ensemble.HistGradientBoostingClassifier(max_iter=40, random_state=0)
        .fit(inputs, target)
        .predict_proba(held)[:, 1]
    )
    probabilities = trees.predict(model, held)
    assert probabilities.sum(axis=1) == pytest.approx(1.0)
    assert auc(truth, probabilities[:, 1]) > auc(truth, theirs) - 0.03
    number, held_number = np.tanh(logit / 4), np.tanh(held_logit / 4)
    trees, model = train(inputs, number, Dimensions(12, TargetKind.REAL), {"l2": Decimal("0.2")}, epsilon=None)
    fitted = ensemble.HistGradientBoostingRegressor(max_iter=40, random_state=0).fit(inputs, number)
    assert explained(held_number, trees.predict(model, held)) > explained(held_number, fitted.predict(held)) - 0.06


def test_with_the_noise_of_a_thousand_homes_and_a_large_epsilon_they_learn() -> None:
    inputs, target, _ = crossed(1_000, 31)
    held, truth, _ = crossed(300, 32)
    trees, model = train(inputs, target, BINARY, {}, epsilon=4.0)
    assert noise_of(trees, 1_000, 4.0) > 1.0
    assert auc(truth, trees.predict(model, held)[:, 1]) > 0.75


def test_inputs_that_are_copies_of_each_other_do_not_overshoot() -> None:
    draw = np.random.default_rng(41)
    inputs = np.repeat(draw.uniform(-1, 1, (4_800, 1)), 12, axis=1)
    target = 0.8 * np.sin(3 * inputs[:, 0])
    trees, model = train(inputs, target, Dimensions(12, TargetKind.REAL), {"l2": Decimal("0.2")}, epsilon=None)
    assert explained(target, trees.predict(model, inputs)) > 0.95


def test_counts_stay_within_their_bounds() -> None:
    inputs, _, logit = crossed(100, 51)
    target = np.clip(np.exp(logit - 3), 0, 1)
    trees, model = train(inputs, target, Dimensions(12, TargetKind.COUNT, high=9.0), {}, epsilon=None)
    predicted = trees.predict(model, inputs)
    assert predicted.min() >= 0
    assert predicted.max() <= 1
    assert explained(target, predicted) > 0.4
