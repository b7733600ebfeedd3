"""Evaluation: bounded whatever is predicted, exact without noise, honest with it."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from vicinia.errors import InvalidInput
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.evaluation import (
    DEVIANCE_BOUND,
    edges,
    held_out,
    joined,
    layout,
    log_loss_bound,
    statistic,
)
from vicinia.training.examples import Examples
from vicinia.training.layout import Block, VectorLayout
from vicinia.training.metrics import Metric, calibration, metrics
from vicinia.training.parameter import NANO

LIMIT = 10
NONE = Dimensions(3, TargetKind.NONE)
REAL = Dimensions(3, TargetKind.REAL)
COUNT = Dimensions(3, TargetKind.COUNT, high=20.0)
TWO = Dimensions(3, TargetKind.CLASSES, 2)
FIVE = Dimensions(3, TargetKind.CLASSES, 5)
KINDS = (NONE, REAL, COUNT, TWO, FIVE)


def shape(dimensions: Dimensions, rows: int) -> tuple[int, ...]:
    if dimensions.target is TargetKind.NONE:
        return rows, dimensions.inputs
    return (rows, dimensions.classes) if dimensions.classes else (rows,)


def simulated(
    dimensions: Dimensions, homes: int, seed: int = 0
) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """The summed statistic of homes with ten examples each, and [pooled inputs, target, predictions]."""
    draw = np.random.default_rng(seed)
    total = np.zeros(layout(dimensions).length)
    pooled: list[list[NDArray[np.float64]]] = [[], [], []]
    for _ in range(homes):
        inputs = draw.uniform(-1, 1, (LIMIT, 3))
        target, predicted = drawn(dimensions, inputs, draw)
        total += statistic(dimensions, predicted, Examples.cleaned(inputs, target, LIMIT, dimensions))
        for column, values in zip(pooled, (inputs, target, predicted), strict=True):
            column.append(values)
    return total, [np.concatenate(column) for column in pooled]


def drawn(
    dimensions: Dimensions, inputs: NDArray[np.float64], draw: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Targets, and the predictions of a model that knows the truth."""
    if dimensions.target is TargetKind.NONE:
        return np.zeros(LIMIT), 0.5 * inputs
    if dimensions.target is TargetKind.REAL:
        return np.clip(0.6 * inputs[:, 0] + draw.normal(0, 0.15, LIMIT), -1, 1), 0.6 * inputs[:, 0]
    if dimensions.target is TargetKind.COUNT:
        rate = np.exp(1 + 0.5 * inputs[:, 0])
        return np.minimum(draw.poisson(rate), 20) / 20, rate / 20
    scores = 2 * inputs[:, :1] * np.arange(dimensions.classes)
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    uniform = draw.uniform(size=(LIMIT, 1))
    return (uniform > probabilities.cumsum(axis=1)).sum(axis=1).astype(float), probabilities


def told(dimensions: Dimensions, total: NDArray[np.float64], noise: float = 0.0) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics(dimensions, total, noise)}


def value(metric: Metric) -> float:
    assert metric.value is not None
    return metric.value


def auc(truth: NDArray[np.float64], score: NDArray[np.float64]) -> float:
    positive, negative = score[truth == 1], np.sort(score[truth == 0])
    left = np.searchsorted(negative, positive, "left")
    right = np.searchsorted(negative, positive, "right")
    return float((left + right).mean() / 2 / len(negative))


FLOATS = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.floats(0, 1), st.sampled_from([0.0, 0.5, 1.0]))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_vector_is_too_long(data: st.DataObject) -> None:
    dimensions = data.draw(st.sampled_from(KINDS))
    rows = data.draw(st.integers(0, 14))
    inputs = np.resize(data.draw(st.lists(FLOATS, min_size=1, max_size=20)), (rows, 3))
    target = np.resize(data.draw(st.lists(st.one_of(FLOATS, st.just(1.0)), min_size=1, max_size=14)), rows)
    examples = Examples.cleaned(inputs, target, LIMIT, dimensions)
    predicted = np.resize(data.draw(st.lists(FLOATS, min_size=1, max_size=20)), shape(dimensions, len(examples)))
    vector, blocks = statistic(dimensions, predicted, examples), layout(dimensions)
    assert vector.shape == (blocks.length,)
    assert np.isfinite(vector).all()
    assert float(vector @ vector) <= 1
    assert math.sqrt(float(vector @ vector)) <= max(examples.weight, 0)


@pytest.mark.parametrize("dimensions", KINDS)
def test_the_whole_norm_is_one_and_is_reached_by_the_worst(dimensions: Dimensions) -> None:
    assert layout(dimensions).norm_squared == 1
    inputs = np.ones((LIMIT, 3))
    target = np.zeros(LIMIT) if dimensions.classes else np.ones(LIMIT)
    examples = Examples.cleaned(inputs, target, LIMIT, dimensions)
    predicted = np.full(shape(dimensions, LIMIT), -1.0 if dimensions.target is not TargetKind.COUNT else np.inf)
    vector = statistic(dimensions, predicted, examples)
    # A class that is right has no loss, and one that is wrong has no hit: an eighth or a quarter is never used.
    assert float(vector @ vector) > (0.6 if dimensions.classes else 0.99)


def test_blocks_are_told_to_the_household() -> None:
    assert [block.label for block in layout(TWO).blocks] == [
        "evaluation: examples",
        "evaluation: log loss",
        "evaluation: right",
        "evaluation: scores by truth",
    ]
    assert layout(TWO).length == 43
    assert layout(FIVE).length == 23


def test_real_without_noise() -> None:
    total, (_, target, predicted) = simulated(REAL, 60)
    found = told(REAL, total)
    errors = (target - predicted) ** 2
    assert value(found["rmse"]) == pytest.approx(math.sqrt(errors.mean()))
    assert value(found["r_squared"]) == pytest.approx(1 - errors.sum() / ((target - target.mean()) ** 2).sum())
    assert value(found["mean"]) == pytest.approx(target.mean())
    assert found["rmse"].stderr == 0


def test_count_without_noise() -> None:
    total, (_, target, predicted) = simulated(COUNT, 60)
    found = told(COUNT, total)
    y, rate = 20 * target, 20 * predicted
    terms = np.where(y > 0, y * np.log(np.maximum(y, 1e-300) / rate), 0) - y + rate
    assert value(found["deviance"]) == pytest.approx(np.minimum(2 * terms, DEVIANCE_BOUND).mean())
    assert value(found["mean"]) == pytest.approx(target.mean())
    assert value(found["mean_predicted"]) == pytest.approx(predicted.mean())


def test_no_target_without_noise() -> None:
    total, (inputs, _, predicted) = simulated(NONE, 60)
    assert value(told(NONE, total)["error"]) == pytest.approx(((inputs - predicted) ** 2).mean())


def test_two_classes_without_noise() -> None:
    total, (_, target, predicted) = simulated(TWO, 200)
    found, scores = told(TWO, total), predicted[:, 1]
    binned = np.searchsorted(edges(TWO)[1:-1], scores, "right")
    losses = -np.log(predicted[np.arange(len(target)), target.astype(int)])
    assert value(found["log_loss"]) == pytest.approx(np.minimum(losses, log_loss_bound(2)).mean())
    assert value(found["accuracy"]) == pytest.approx(((scores >= 0.5) == target).mean())
    assert value(found["base_rate"]) == pytest.approx(target.mean())
    assert value(found["auc"]) == pytest.approx(auc(target, binned.astype(np.float64)))
    assert value(found["auc"]) == pytest.approx(auc(target, scores), abs=0.003)


def test_calibration_of_two_classes() -> None:
    total, (_, target, predicted) = simulated(TWO, 200)
    bins = calibration(TWO, total, 0.0)
    assert len(bins) == 20
    for one in bins:
        within = (predicted[:, 1] >= one.low) & (predicted[:, 1] < one.high)
        assert one.true == pytest.approx(target[within].sum() / LIMIT)
        assert one.false == pytest.approx((1 - target[within]).sum() / LIMIT)
        if within.any():
            assert one.observed == pytest.approx(target[within].mean())
        else:
            assert one.observed is None
    assert calibration(REAL, np.zeros(4), 0.0) == ()


def test_many_classes_without_noise() -> None:
    total, (_, target, predicted) = simulated(FIVE, 200)
    found, right = told(FIVE, total), predicted.argmax(axis=1) == target
    assert found.keys() == {"log_loss", "accuracy"}
    assert value(found["accuracy"]) == pytest.approx(right.mean())
    top = predicted.max(axis=1)
    for one in calibration(FIVE, total, 0.0):
        within = (top >= one.low) & (top < one.high)
        assert one.true == pytest.approx(right[within].sum() / LIMIT)


@pytest.mark.parametrize(("dimensions", "noise"), [(REAL, 0.7), (COUNT, 3.0), (TWO, 2.0), (FIVE, 3.0), (NONE, 3.0)])
def test_standard_errors_are_those_of_the_noise(dimensions: Dimensions, noise: float) -> None:
    """Over 200 draws of the noise the true value lies within one of them about 68 times in 100, two, 95."""
    total, _ = simulated(dimensions, 200)
    truth, draw = told(dimensions, total), np.random.default_rng(3)
    distances: dict[str, list[float]] = {name: [] for name in truth}
    for _ in range(200):
        for name, metric in told(dimensions, total + noise * draw.standard_normal(len(total)), noise).items():
            if metric.value is not None and metric.stderr is not None:
                distances[name].append((metric.value - value(truth[name])) / metric.stderr)
    for name, found in distances.items():
        assert len(found) > 190, name
        assert 0.55 < np.mean(np.abs(found) < 1) < 0.80, name
        assert np.mean(np.abs(found) < 2) > 0.90, name


@pytest.mark.parametrize("dimensions", KINDS)
def test_below_noise_there_is_no_number(dimensions: Dimensions) -> None:
    for metric in metrics(dimensions, np.zeros(layout(dimensions).length), 1.0):
        assert (metric.value, metric.stderr) == (None, None)
    total, _ = simulated(dimensions, 3)
    assert all(metric.value is None for metric in metrics(dimensions, total, 50.0))
    assert all(one.observed is None for one in calibration(dimensions, total, 50.0))


def test_metrics_are_the_same_each_time() -> None:
    total, _ = simulated(TWO, 20)
    assert metrics(TWO, total, 0.3) == metrics(TWO, total, 0.3)


@pytest.mark.parametrize("dimensions", KINDS)
def test_a_model_that_diverged_has_the_worst_scores(dimensions: Dimensions) -> None:
    draw = np.random.default_rng(0)
    target = np.floor(draw.uniform(0, max(1, dimensions.classes), LIMIT))
    examples = Examples.cleaned(draw.uniform(-1, 1, (LIMIT, 3)), target, LIMIT, dimensions)
    total = 50 * statistic(dimensions, np.full(shape(dimensions, LIMIT), np.nan), examples)
    found = told(dimensions, total)
    worst = {"error": 1.0, "rmse": 1.0, "deviance": DEVIANCE_BOUND, "accuracy": 0.0}
    for name in worst.keys() & found.keys():
        assert value(found[name]) == pytest.approx(worst[name])
    if dimensions.classes:
        assert value(found["log_loss"]) == pytest.approx(log_loss_bound(dimensions.classes))


def test_refuses_predictions_of_another_shape() -> None:
    examples = Examples.cleaned(np.zeros((4, 3)), np.zeros(4), LIMIT, TWO)
    with pytest.raises(InvalidInput, match="shape"):
        statistic(TWO, np.zeros(4), examples)


def test_without_examples_there_are_zeros() -> None:
    for dimensions in KINDS:
        examples = Examples.cleaned(np.zeros((0, 3)), np.zeros(0), LIMIT, dimensions)
        assert not statistic(dimensions, np.zeros(shape(dimensions, 0)), examples).any()


def test_one_of_two_uses_costs_the_norm_of_one() -> None:
    training = VectorLayout((Block("update", 5), Block("weight", 1)), Fraction(33, 32))
    both = joined(training, layout(TWO))
    assert both.norm_squared == Fraction(33, 32)
    assert both.length == 6 + 43
    assert both.place("evaluation: examples") == slice(6, 7)
    assert joined(VectorLayout((Block("x", 3),), Fraction(1)), layout(TWO)).norm_squared == 1


def test_held_out_homes() -> None:
    for share in (0, NANO // 5, NANO):
        count = sum(held_out(b"j" * 32, index, share) for index in range(4_000))
        assert count == pytest.approx(4_000 * share / NANO, abs=100)
    one, other = ([held_out(job, index, NANO // 2) for index in range(200)] for job in (b"a" * 32, b"b" * 32))
    assert one != other
    # More are held out when the share grows: none of those before is let in again.
    assert all(held_out(b"j" * 32, index, NANO // 2) for index in range(500) if held_out(b"j" * 32, index, NANO // 5))
    assert [index for index in range(30) if held_out(bytes(32), index, NANO // 5)] == [15, 19, 20, 29]
