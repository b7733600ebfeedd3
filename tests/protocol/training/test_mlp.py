"""The perceptron's pure part: its sizes, the first model's bytes, predictions, and what is read in released sums."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from vicinia.errors import InvalidInput, TooLarge
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.model import Model
from vicinia.training.parameter import NANO
from vicinia.training.recipe import Aggregate, UpdateRecipe
from vicinia.training.recipes.mlp import BELOW, UPDATE, WEIGHT, Mlp
from vicinia.training.settings import from_file

TWO = Dimensions(3, TargetKind.CLASSES, 2)
THREE = Dimensions(3, TargetKind.CLASSES, 3)
REAL = Dimensions(3, TargetKind.REAL)
COUNT = Dimensions(3, TargetKind.COUNT, high=20.0)


def made(dimensions: Dimensions, **parameters: int) -> Mlp:
    return Mlp.of(dimensions, from_file(Mlp.settings, parameters, "recipe"))


def sums(recipe: Mlp, update: float, weight: float, below: float, noise: float = 0.0, cohort: int = 100) -> Aggregate:
    """A released sum in which every number of the update is the same."""
    layout = recipe.layout()
    total = np.zeros(layout.length)
    total[layout.place(UPDATE)] = update
    total[layout.place(WEIGHT)] = weight / 8
    total[layout.place(BELOW)] = below / 4
    return Aggregate(total, noise, cohort)


def test_is_an_update_recipe() -> None:
    recipe = made(TWO)
    assert all(hasattr(recipe, name) for name in dir(UpdateRecipe) if not name.startswith("_"))
    assert (recipe.name, recipe.version, recipe.rounds()) == ("mlp", 1, None)


def test_the_first_model_is_the_same_everywhere() -> None:
    """Bytes written down once; a machine that finds others cannot take part."""
    digests = {
        made(TWO, hidden_1=16): "d3271d2960edde99",
        made(THREE, hidden_1=5, hidden_2=4, hidden_3=3, activation=1, seed=7): "e06bb9caca484ed6",
        made(COUNT, hidden_1=0): "87f7e61de7224899",
    }
    for recipe, digest in digests.items():
        assert recipe.initial().digest.hex()[:16] == digest
        assert Model.from_bytes(recipe.initial().to_bytes()) == recipe.initial()


def test_first_weights_are_spread_as_he_and_glorot_say() -> None:
    recipe = made(Dimensions(200, TargetKind.REAL), hidden_1=400, hidden_2=10)
    model = recipe.initial()
    assert model["layer0.weight"].std() == pytest.approx(math.sqrt(2 / 200), rel=0.01)
    assert abs(float(model["layer0.weight"].mean())) < 1e-3
    assert np.abs(model["layer0.weight"]).max() <= math.sqrt(6 / 200)
    assert np.abs(model["layer2.weight"]).max() <= math.sqrt(6 / 11)
    assert not np.array_equal(made(recipe.dimensions, hidden_1=400, hidden_2=10, seed=1).initial().flat(), model.flat())
    assert len(set(model["layer0.weight"].reshape(-1)[:1000].tolist())) > 990


def test_without_hidden_layers_it_begins_at_zero() -> None:
    assert not made(THREE, hidden_1=0).initial().flat().any()
    assert made(COUNT, hidden_1=0).initial().flat().tolist() == [-2, 0, 0, 0]


def test_sizes() -> None:
    recipe = made(THREE, hidden_1=5, hidden_2=4)
    assert recipe.shapes == [(3, 5), (5, 4), (4, 3)]
    assert recipe.size == recipe.initial().size == 20 + 24 + 15
    assert recipe.layout().group_lengths == [59, 1, 1]
    assert recipe.layout().norm_squared == Fraction(33, 32)
    assert made(TWO, hidden_1=0).size == 4
    for (bias, weight), place in zip(recipe.layers(recipe.initial().flat()), range(3), strict=True):
        assert np.array_equal(bias, recipe.initial()[f"layer{place}.bias"])
        assert np.array_equal(weight, recipe.initial()[f"layer{place}.weight"])


def test_refuses_what_cannot_be_trained() -> None:
    with pytest.raises(TooLarge, match=r"upload 5\.03 MB in every round"):
        made(TWO, hidden_1=1000, hidden_2=1250)
    with pytest.raises(InvalidInput, match="without units"):
        made(TWO, hidden_1=0, hidden_2=5)
    with pytest.raises(InvalidInput, match="needs a target"):
        made(Dimensions(3, TargetKind.NONE))
    with pytest.raises(InvalidInput, match="outside"):
        made(TWO, epochs=101)
    for other in (made(THREE), made(TWO, hidden_1=15)):
        with pytest.raises(InvalidInput, match="none of this network"):
            made(TWO).predict(other.initial(), np.zeros((1, 3)))


def by_hand(recipe: Mlp, model: Model, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
    units = inputs
    for place in range(len(recipe.shapes)):
        units = units @ model[f"layer{place}.weight"].astype(np.float64) + model[f"layer{place}.bias"]
        if place < len(recipe.shapes) - 1:
            units = np.tanh(units) if recipe.activation == "tanh" else np.maximum(units, 0)
    return units


@pytest.mark.parametrize("activation", [0, 1])
@pytest.mark.parametrize("hidden", [0, 6])
def test_predictions(activation: int, hidden: int) -> None:
    draw = np.random.default_rng(3)
    inputs = draw.uniform(-1, 1, (9, 3))
    for dimensions in (TWO, THREE, REAL, COUNT):
        recipe = made(dimensions, hidden_1=hidden, activation=activation)
        model = recipe.initial().with_flat(draw.normal(size=recipe.size))
        outputs, predicted = by_hand(recipe, model, inputs), recipe.predict(model, inputs)
        if dimensions is REAL:
            assert predicted == pytest.approx(outputs[:, 0])
        elif dimensions is COUNT:
            assert predicted == pytest.approx(np.exp(outputs[:, 0]))
        elif dimensions is TWO:
            odds = np.exp(outputs[:, 0])
            assert predicted == pytest.approx(np.column_stack((1 / (1 + odds), odds / (1 + odds))))
        else:
            assert predicted == pytest.approx(np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True))


def test_huge_weights_predict_without_a_warning() -> None:
    for dimensions in (TWO, THREE, REAL, COUNT):
        recipe = made(dimensions)
        for number in (3e38, -3e38):
            predicted = recipe.predict(recipe.initial().with_flat(np.full(recipe.size, number)), np.ones((2, 3)))
            assert predicted.shape[0] == 2


def test_the_mean_update_is_in_the_models_units() -> None:
    recipe = made(TWO)
    released = sums(recipe, update=2.0, weight=80, below=10, cohort=100)
    assert recipe.summed_weight(released) == pytest.approx(80)
    assert recipe.mean_update(released, 4.0) == pytest.approx(np.full(recipe.size, 4 * 2 / 80))
    assert recipe.below_clip(released) == pytest.approx(0.6)
    moved = recipe.step(recipe.initial(), released, 4.0)
    assert moved.flat() - recipe.initial().flat() == pytest.approx(np.full(recipe.size, 0.1), abs=1e-6)


def test_no_mean_is_longer_than_the_clip() -> None:
    recipe = made(TWO)
    mean = recipe.mean_update(sums(recipe, update=100.0, weight=80, below=0), 3.0)
    assert np.linalg.norm(mean) == pytest.approx(3.0)


@pytest.mark.parametrize("weight", [-50.0, 0.0, 1e-9, 30.0, 1e12])
def test_a_weight_below_its_noise_makes_the_step_small(weight: float) -> None:
    recipe = made(TWO)
    found = recipe.summed_weight(sums(recipe, 1.0, weight, 0, noise=3.0, cohort=200))
    assert 2 * 3.0 * 8 <= found <= 210
    assert recipe.summed_weight(sums(recipe, 0.0, 0.0, 0, noise=0.0)) > 0
    assert 200 <= recipe.summed_weight(sums(recipe, 1.0, weight, 0, noise=30.0, cohort=200)) <= 210


@pytest.mark.parametrize(("told", "share"), [(0, 0.5), (50, 1.0), (-50, 0.0), (900, 1.0), (-900, 0.0), (-20, 0.3)])
def test_the_share_below_the_clip(told: float, share: float) -> None:
    assert made(TWO).below_clip(sums(made(TWO), 0, 0, told, cohort=100)) == pytest.approx(share)


def test_parameters_are_what_the_plan_says() -> None:
    recipe = made(TWO, learning_rate=1, by_examples=1, activation=1)
    assert (recipe.learning_rate, recipe.by_examples, recipe.activation) == (1.0, True, "tanh")
    assert Mlp.settings["learning_rate"].default == NANO // 10
