"""The perceptron at home: gradients, bounds whatever comes, and training over simulated homes beside scikit-learn."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from training_federation import federated
from vicinia.errors import InvalidInput
from vicinia.node.training.mlp import Network, statistic
from vicinia.privacy.stream import Stream, chacha_stream
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.examples import Examples
from vicinia.training.model import Model
from vicinia.training.recipe import Aggregate
from vicinia.training.recipes.mlp import BELOW, UPDATE, WEIGHT, Mlp
from vicinia.training.settings import from_file

LIMIT = 24
KINDS = (
    Dimensions(4, TargetKind.REAL),
    Dimensions(4, TargetKind.COUNT, high=20.0),
    Dimensions(4, TargetKind.CLASSES, 2),
    Dimensions(4, TargetKind.CLASSES, 3),
)
NETWORKS = ({"hidden_1": 0}, {"hidden_1": 5}, {"hidden_1": 5, "hidden_2": 4, "activation": 1})


def made(dimensions: Dimensions, **parameters: int) -> Mlp:
    return Mlp.of(dimensions, from_file(Mlp.settings, parameters, "recipe"))


def stream(number: int = 0) -> Stream:
    return chacha_stream(number.to_bytes(32, "big"))


def some(dimensions: Dimensions, rows: int = LIMIT, seed: int = 0) -> Examples:
    draw = np.random.default_rng(seed)
    target = draw.uniform(0, 1, rows)
    if dimensions.target is TargetKind.CLASSES:
        target = np.floor(dimensions.classes * target)
    return Examples.cleaned(draw.uniform(-1, 1, (rows, dimensions.inputs)), target, LIMIT, dimensions)


def loss(recipe: Mlp, model: Model, examples: Examples) -> float:
    predicted, target = recipe.predict(model, examples.inputs), examples.target
    if recipe.dimensions.target is TargetKind.REAL:
        return float(((predicted - target) ** 2).mean() / 2)
    if recipe.dimensions.target is TargetKind.COUNT:
        return float((predicted - target * np.log(predicted)).mean())
    return float(-np.log(predicted[np.arange(len(target)), target.astype(int)]).mean())


def exact(recipe: Mlp, seed: int = 1) -> Model:
    """A model in double precision would not pass; the finite differences are taken of float32 models that are near."""
    return recipe.initial().with_flat(np.random.default_rng(seed).normal(0, 0.7, recipe.size))


def wanted(recipe: Mlp, examples: Examples) -> NDArray[np.float64]:
    if recipe.outputs > 1:
        return np.equal(examples.target[:, None], np.arange(recipe.outputs)).astype(np.float64)
    return examples.target[:, None]


@pytest.mark.parametrize("dimensions", KINDS)
@pytest.mark.parametrize("network", NETWORKS)
def test_gradients_are_finite_differences(dimensions: Dimensions, network: dict[str, int]) -> None:
    recipe = made(dimensions, **network)
    model, examples = exact(recipe), some(dimensions)
    own = Network(recipe, model.flat())
    own.differentiate(examples.inputs, wanted(recipe, examples), 1.0)
    step = 2.0**-9
    for place in range(recipe.size):
        numbers = model.flat()
        numbers[place] += step
        above = model.with_flat(numbers)
        numbers[place] -= 2 * step
        below = model.with_flat(numbers)
        width = above.flat()[place] - below.flat()[place]
        slope = (loss(recipe, above, examples) - loss(recipe, below, examples)) / width
        assert own.gradient[place] == pytest.approx(slope, abs=2e-3 if recipe.activation == "relu" else 2e-5)


@pytest.mark.parametrize("dimensions", KINDS)
def test_one_step_is_the_gradient_with_its_penalties(dimensions: Dimensions) -> None:
    recipe = made(dimensions, hidden_1=5, epochs=1, batch=LIMIT, l2=1, learning_rate=1)
    model, examples = exact(recipe), some(dimensions)
    own = Network(recipe, model.flat())
    own.differentiate(examples.inputs, wanted(recipe, examples), 1.0)
    decay = model.flat()
    for bias, _ in recipe.layers(decay):
        bias[:] = 0
    moved = statistic(recipe, model, examples, 1000.0, stream())[recipe.layout().place(UPDATE)] * 1000
    assert moved == pytest.approx(-own.gradient - decay, rel=1e-4, abs=1e-5)


def test_the_proximal_term_pulls_back() -> None:
    """One input, one epoch of two steps from 0: w1 = -r·g(0), w2 = w1 - r·(g(w1) + μ·w1), squared loss."""
    recipe = made(Dimensions(1, TargetKind.REAL), hidden_1=0, epochs=2, batch=1, learning_rate=1, proximal=1)
    examples = Examples(np.array([[0.5]]), np.array([0.25]), 1)
    moved = statistic(recipe, recipe.initial(), examples, 10.0, stream())[:2] * 10
    rate, pull = recipe.learning_rate, recipe.proximal
    numbers = np.zeros(2)
    for _ in range(2):
        error = numbers[0] + 0.5 * numbers[1] - 0.25
        numbers = numbers - rate * (error * np.array([1, 0.5]) + pull * numbers)
    assert moved == pytest.approx(numbers, rel=1e-5)


FLOATS = st.floats(allow_nan=True, allow_infinity=True)
WEIGHTS = st.one_of(st.floats(-3e38, 3e38), st.sampled_from([0.0, 1e-45, -1e-38, 3.4e38, -3.4e38]), st.floats(-2, 2))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_vector_is_too_long(data: st.DataObject) -> None:
    """Dirty rows, hostile models, any clip: the blocks keep their norms, and nothing warns."""
    dimensions = data.draw(st.sampled_from(KINDS))
    parameters = data.draw(st.sampled_from(NETWORKS))
    recipe = made(
        dimensions,
        **parameters,
        by_examples=data.draw(st.integers(0, 1)),
        learning_rate=data.draw(st.sampled_from([1, 10])),
        l2=data.draw(st.sampled_from([0, 10])),
        proximal=data.draw(st.sampled_from([0, 10])),
    )
    rows = data.draw(st.integers(0, 30))
    seed = data.draw(st.integers(0, 99))
    dirty = np.random.default_rng(seed).uniform(-3, 3, (rows, 4))
    if rows:
        dirty[0] = data.draw(st.lists(FLOATS, min_size=4, max_size=4))
    target = np.array(data.draw(st.lists(st.one_of(FLOATS, st.sampled_from([0.0, 1.0])), min_size=rows, max_size=rows)))
    examples = Examples.cleaned(dirty, target, LIMIT, dimensions)
    numbers = np.resize(data.draw(st.lists(WEIGHTS, min_size=1, max_size=20)), recipe.size)
    with np.errstate(over="ignore", under="ignore"):
        model = recipe.initial().with_flat(numbers)
    clip = data.draw(st.floats(1e-6, 1e6))
    vector, layout = statistic(recipe, model, examples, clip, stream()), recipe.layout()
    assert vector.shape == (layout.length,)
    assert np.isfinite(vector).all()
    for block in layout.blocks:
        assert math.sqrt(float((vector[layout.place(block.label)] ** 2).sum())) <= 1
    assert float(vector @ vector) <= float(layout.norm_squared)
    if not len(examples):
        assert not vector.any()


@pytest.mark.parametrize("by_examples", [0, 1])
def test_what_the_vector_says(by_examples: int) -> None:
    dimensions = KINDS[2]
    recipe = made(dimensions, by_examples=by_examples)
    examples, layout = some(dimensions, rows=6), recipe.layout()
    weight = 6 / LIMIT if by_examples else 1.0
    whole = statistic(recipe, recipe.initial(), examples, 100.0, stream())
    cut = statistic(recipe, recipe.initial(), examples, 1e-3, stream())
    norm = np.linalg.norm(whole[layout.place(UPDATE)]) * 100
    assert 1e-3 < norm / weight < 100
    assert whole[layout.place(BELOW)] == 0.125
    assert cut[layout.place(BELOW)] == -0.125
    assert whole[layout.place(WEIGHT)] == cut[layout.place(WEIGHT)] == weight / 8
    assert np.linalg.norm(cut[layout.place(UPDATE)]) == pytest.approx(weight)
    assert cut[layout.place(UPDATE)] / weight == pytest.approx(100 * whole[layout.place(UPDATE)] / norm)


@pytest.mark.parametrize("by_examples", [0, 1])
def test_the_mean_is_fedavgs(by_examples: int) -> None:
    """Homes with and without examples, no noise: McMahan et al. 2017, the weighted mean of the homes' models."""
    dimensions = KINDS[3]
    recipe = made(dimensions, by_examples=by_examples)
    model, layout = recipe.initial(), recipe.layout()
    rows = [0, 1, 5, 24, 24, 0, 12]
    total, mean, weights = np.zeros(layout.length), np.zeros(recipe.size), 0.0
    for home, count in enumerate(rows):
        vector = statistic(recipe, model, some(dimensions, count, home), 50.0, stream(home))
        total += vector
        if count:
            weight = count / LIMIT if by_examples else 1.0
            mean += vector[layout.place(UPDATE)] * 50
            weights += weight
    released = Aggregate(total, 0.0, 0)
    assert recipe.summed_weight(released) == pytest.approx(weights)
    assert recipe.mean_update(released, 50.0) == pytest.approx(mean / weights, rel=1e-9, abs=1e-12)


def test_a_home_that_runs_out_of_time_sends_zeros() -> None:
    recipe = made(KINDS[0], epochs=100)
    asked = 0

    def late() -> bool:
        nonlocal asked
        asked += 1
        return asked > 7

    assert not statistic(recipe, recipe.initial(), some(KINDS[0]), 1.0, stream(), late).any()
    assert asked == 8


def test_is_the_same_for_the_same_stream() -> None:
    recipe = made(KINDS[2])
    first, again, other = (
        statistic(recipe, recipe.initial(), some(KINDS[2]), 1.0, stream(number)) for number in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_received_model_is_not_changed() -> None:
    recipe = made(KINDS[2])
    model = recipe.initial()
    before = model.to_bytes()
    statistic(recipe, model, some(KINDS[2]), 1.0, stream())
    assert model.to_bytes() == before


@pytest.mark.parametrize("clip", [0.0, -1.0, math.inf, math.nan, 1e-300])
def test_refuses_a_clip_that_is_none(clip: float) -> None:
    recipe = made(KINDS[0])
    with pytest.raises(InvalidInput, match="cannot be cut"):
        statistic(recipe, recipe.initial(), some(KINDS[0]), clip, stream())


def test_refuses_the_model_of_another_network() -> None:
    with pytest.raises(InvalidInput, match="none of this network"):
        statistic(made(KINDS[0]), made(KINDS[3]).initial(), some(KINDS[0]), 1.0, stream())


def crossed(homes: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A task that no linear model learns: the logit is ten times a product of two inputs; homes differ a little."""
    draw = np.random.default_rng(seed)
    inputs = draw.uniform(-1, 1, (homes, LIMIT, 4))
    logit = 10 * inputs[..., 0] * inputs[..., 1] + 2 * inputs[..., 2] + 0.5 * draw.normal(size=(homes, 1))
    return inputs, (draw.uniform(size=logit.shape) < 1 / (1 + np.exp(-logit))).astype(np.float64)


def straight(homes: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One that a linear model does learn."""
    draw = np.random.default_rng(seed)
    inputs = draw.uniform(-1, 1, (homes, LIMIT, 4))
    logit = inputs @ np.array([3.0, -2.0, 1.0, 0.0]) + 0.5 + 0.5 * draw.normal(size=(homes, 1))
    return inputs, (draw.uniform(size=logit.shape) < 1 / (1 + np.exp(-logit))).astype(np.float64)


def homes_of(inputs: NDArray[np.float64], target: NDArray[np.float64]) -> Iterator[Examples]:
    for own, values in zip(inputs, target, strict=True):
        yield Examples.cleaned(own, values, LIMIT, KINDS[2])


def accuracy(recipe: Mlp, model: Model, inputs: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    scores = recipe.predict(model, inputs.reshape(-1, 4))[:, 1]
    return float(((scores >= 0.5) == target.reshape(-1)).mean())


def test_learns_what_scikit_learns_perceptron_does() -> None:
    """200 homes without noise, 10 rounds: within .015 of its accuracy (.84; a linear model has .61). 2,000 homes, of
    which ten hold the same rows each, with ε = 2 (ρ = .064) for all rounds together: within .02."""
    sklearn = pytest.importorskip("sklearn.neural_network")
    train, test = crossed(200, 1), crossed(300, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pooled = sklearn.MLPClassifier((8,), max_iter=60, random_state=0)
        pooled.fit(train[0].reshape(-1, 4), train[1].reshape(-1))
    reference = pooled.score(test[0].reshape(-1, 4), test[1].reshape(-1))
    recipe, homes = made(KINDS[2], hidden_1=8, learning_rate=2, epochs=2, batch=12), list(homes_of(*train))
    for rho_nano, copies, margin in ((None, 1, 0.015), (64_000_000, 10, 0.02)):
        *_, (model, _) = federated(recipe, homes, 10, rho_nano, copies=copies)
        assert accuracy(recipe, model, *test) > reference - margin


def test_without_hidden_layers_it_is_logistic_regression() -> None:
    """200 homes, 6 rounds: its accuracy is within .005 of scikit-learn's without noise, and with ε = 2 of 2,000."""
    sklearn = pytest.importorskip("sklearn.linear_model")
    train, test = straight(200, 3), straight(300, 4)
    pooled = sklearn.LogisticRegression(C=1e6).fit(train[0].reshape(-1, 4), train[1].reshape(-1))
    reference = pooled.score(test[0].reshape(-1, 4), test[1].reshape(-1))
    recipe, homes = made(KINDS[2], hidden_1=0, learning_rate=1, epochs=2), list(homes_of(*train))
    for rho_nano, copies in ((None, 1), (64_000_000, 10)):
        *_, (model, _) = federated(recipe, homes, 6, rho_nano, copies=copies)
        assert accuracy(recipe, model, *test) > reference - 0.005
