"""What is said of noise before a training is what noise then does."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_federation import noise_of
from vicinia.assembly.toml import TomlFile
from vicinia.privacy.conversion import MAX_RHO_NANO, epsilon_to_rho_nano, rho_to_epsilon
from vicinia.query.column import Column, ColumnType
from vicinia.query.dataset import DataSet
from vicinia.training.coefficients import coefficients
from vicinia.training.compiled import Training
from vicinia.training.examples import Examples
from vicinia.training.model import Model
from vicinia.training.outlook import Outlook, outlook
from vicinia.training.recipe import Aggregate
from vicinia.training.recipes.kmeans import COUNTS, OFFSETS
from vicinia.training.recipes.mlp import WEIGHT, WEIGHT_SHARE
from vicinia.training.registry import RECIPES
from vicinia.training.spec import training_of
from vicinia.training.spread import Spread

HOMES, ALIKE, EXAMPLES = 300, 20, 4
NUMBERS = ("a", "b", "c")
KNOWN = {
    "d": DataSet(
        "d",
        "Rows",
        "pd:Utility",
        "Europe/Zurich",
        (
            *(Column(name, ColumnType.REAL, Decimal(0), Decimal(10), required=True) for name in (*NUMBERS, "y")),
            Column("two", ColumnType.ENUM, values=(1, 2)),
            Column("three", ColumnType.ENUM, values=(1, 2, 3)),
            Column("n", ColumnType.INTEGER, Decimal(0), Decimal(20)),
        ),
    )
}
TARGETS = {"linear": "y", "logistic": "two", "mlp": "two", "poisson": "n", "trees": "two"}


def planned(recipe: str, features: tuple[str, ...] = NUMBERS, target: str = "", **more: object) -> Training:
    """A training with these keys."""
    rounds = {"rounds": 4} if recipe in ("logistic", "poisson", "mlp") else {}
    keys: dict[str, object] = {"recipe": recipe, "dataset": "d", "examples": EXAMPLES, **rounds, **more}
    target = target or TARGETS.get(recipe, "")
    lines = [f"{key} = {value!r}".replace("'", '"') for key, value in keys.items()]
    lines += [f"features = {list(features)!r}".replace("'", '"'), *([f'target = "{target}"'] if target else [])]
    return training_of(TomlFile.parse("[training]\n" + "\n".join(lines), "JOB.toml"), KNOWN)


def of(training: Training, noise: float, homes: int) -> Outlook:
    found = outlook(training, noise, homes)
    assert found is not None
    return found


def homes_of(training: Training, draw: np.random.Generator) -> list[Examples]:
    """Homes whose inputs vary as is supposed, and what they say of the target."""
    dimensions = training.design.dimensions
    spread = 1 / 3 if training.plan.scaling else 0.5
    inputs = draw.choice([-spread, spread], (HOMES * EXAMPLES, dimensions.inputs))
    if len(training.design.terms) < dimensions.inputs:  # the last one is of three values
        inputs[:, -2:] = np.eye(3)[draw.integers(0, 3, len(inputs))][:, 1:]
    index = inputs @ (0.3 * (-1.0) ** np.arange(dimensions.inputs))
    if training.recipe.name == "linear":
        target = np.clip(index + draw.normal(0, 0.2, len(index)), -1, 1)
    elif training.recipe.name == "poisson":
        target = np.minimum(draw.poisson(20 / 8 * np.exp(index)), 20) / 20
    elif dimensions.classes == 2:
        target = (draw.random(len(index)) < 1 / (1 + np.exp(-2 * index))).astype(np.float64)
    else:
        target = draw.integers(0, dimensions.classes, len(index)).astype(np.float64)
    rows = [slice(start, start + EXAMPLES) for start in range(0, len(index), EXAMPLES)]
    return [Examples(inputs[one], target[one], EXAMPLES) for one in rows]


def trained(training: Training, homes: list[Examples], noise: float, draw: np.random.Generator | None) -> Model:
    """The model after all rounds; without `draw`, one that only believes that there is noise."""
    home, model = import_module(f"vicinia.node.training.{training.recipe.name}"), training.template
    for _ in range(training.plan.rounds):
        total = sum(home.statistic(training.recipe, model, one, 1.0, None) for one in homes) * ALIKE
        total += 0.0 if draw is None else draw.normal(0, noise, len(total))
        model = training.recipe.step(model, Aggregate(total, noise, HOMES * ALIKE))
    return model


@pytest.mark.parametrize(
    ("recipe", "more"),
    [
        ("linear", {}),
        ("linear", {"standardise": "private"}),
        ("linear", {"features": ("a", "b", "three")}),
        ("linear", {"parameters": {"radius": 0.2}}),
        ("logistic", {}),
        ("logistic", {"rounds": 1}),
        ("logistic", {"rounds": 12}),
        ("logistic", {"target": "three"}),
        ("poisson", {}),
        ("poisson", {"rounds": 1}),
    ],
)
def test_coefficients_are_off_by_what_was_foretold(recipe: str, more: dict[str, Any]) -> None:
    if "parameters" in more:
        training = planned(recipe)
        table = "\n".join(f"{key} = {value}" for key, value in more["parameters"].items())
        text = (
            f'[training]\ndataset = "d"\nfeatures = ["a", "b", "c"]\ntarget = "y"\nrecipe = "{recipe}"\nexamples = 4\n'
        )
        training = training_of(TomlFile.parse(f"{text}[training.parameters]\n{table}", "JOB.toml"), KNOWN)
    else:
        training = planned(recipe, **more)
    draw, size = np.random.default_rng(8), HOMES * ALIKE
    noise = noise_of(training.layout, epsilon_to_rho_nano(1.0) // training.plan.runs, size)
    expected = of(training, noise, size)
    assert not expected.drowned
    model = trained(training, homes_of(training, draw), noise, draw)
    if training.plan.scaling:  # the supposed deviation: half of what the bounds allow
        training = training.standardised([Spread(5.0, 2.5)] * len(training.design.numeric))
    found = coefficients(training, model)
    foretold = {one.name: one.noise for one in expected.coefficients}
    assert list(foretold) == list(dict.fromkeys(one.name for one in found))
    for one in found:
        assert 0.5 < one.noise / foretold[one.name] < 2.0, one


@pytest.mark.parametrize(("recipe", "rounds"), [("linear", 1), ("logistic", 1), ("poisson", 1), ("poisson", 4)])
def test_where_noise_is_said_to_drown_a_regression_its_coefficients_are_shrunk(recipe: str, rounds: int) -> None:
    training, size = planned(recipe, rounds=rounds), HOMES * ALIKE
    homes = homes_of(training, np.random.default_rng(8))
    whole = trained(training, homes, 0.0, None)
    for ratio, low, high in ((0.3, 0.95, 1.05), (3.0, 0.0, 0.6)):
        noise = ratio / of(training, 1.0, size).ratio
        assert of(training, noise, size).drowned == (ratio > 1)
        kept = float(np.linalg.norm(trained(training, homes, noise, None)["coef"]) / np.linalg.norm(whole["coef"]))
        assert low <= kept <= high, ratio


def test_the_noise_of_an_update_is_as_long_as_was_foretold() -> None:
    training, size = planned("mlp"), 4_000
    recipe: Any = training.recipe
    noise = noise_of(training.layout, epsilon_to_rho_nano(1.0), size)
    expected, clip = of(training, noise, size), 3.0
    draw = np.random.default_rng(5)
    total = draw.normal(0, noise, training.layout.length)
    total[recipe.layout().place(WEIGHT)] = size * float(WEIGHT_SHARE)
    moved = recipe.mean_update(Aggregate(total, noise, size), clip)
    assert expected.numbers == len(moved) == training.template.size
    assert float(np.linalg.norm(moved)) == pytest.approx(clip * expected.whole, rel=0.2)
    assert expected.whole == pytest.approx(expected.each * math.sqrt(len(moved)))
    assert expected.ratio == expected.whole
    assert "where 1 is the clip" in expected.sentences[0]


@pytest.mark.parametrize(("ratio", "moves"), [(0.9, True), (1.1, False)])
def test_centres_that_are_said_to_drown_do_not_move(ratio: float, moves: bool) -> None:
    training, size = planned("kmeans"), 1_000
    recipe: Any = training.recipe
    noise = ratio / of(training, 1.0, size).ratio
    total, layout = np.zeros(recipe.layout().length), recipe.layout()
    total[layout.place(COUNTS)] = recipe.weights[0] * size / recipe.clusters
    total[layout.place(OFFSETS)] = 1.0
    after = recipe.step(training.template, Aggregate(total, noise, size))
    assert (after["centres"] != training.template["centres"]).any() == moves


@given(
    recipe=st.sampled_from(sorted(RECIPES)),
    homes=st.integers(20, 100_000),
    noise=st.floats(0.01, 1e4),
    holdout=st.sampled_from([0, 0.35]),
)
def test_what_is_advised_is_enough(recipe: str, homes: int, noise: float, holdout: float) -> None:
    """For as many homes as are named, or with the noise of the named budget, nothing drowns any more."""
    training = PLANNED[recipe, holdout]
    found, rho = of(training, noise, homes), 10**6
    assert found.trained == training.trainers(homes) <= homes
    assert bool(found.warning(rho, 1e-8)) == found.drowned
    if not found.drowned:
        return
    assert of(training, noise, found.homes_needed).ratio <= 1.0 + 1e-9
    assert of(training, noise / found.ratio, homes).ratio == pytest.approx(1.0)
    assert "epsilon" not in found.warning(rho, 1e-8, most_nano=rho - 1)
    told, wanted = re.search(r"epsilon of about ([0-9.e+]+)\.(?: |$)", found.warning(rho, 1e-8)), rho * found.ratio**2
    assert (told is None) == (wanted > MAX_RHO_NANO)
    if told is not None:
        assert float(told[1]) == pytest.approx(rho_to_epsilon(math.ceil(wanted), 1e-8), rel=0.06)


PLANNED = {(recipe, holdout): planned(recipe, holdout=holdout) for recipe in RECIPES for holdout in (0, 0.35)}


@pytest.mark.parametrize("recipe", ["linear", "logistic", "poisson", "pca"])
def test_what_a_first_round_finds_out_is_not_supposed_where_nothing_rests_on_it(recipe: str) -> None:
    """Of standardised inputs the ratio needs no deviation; coefficients in the data set's own units do."""
    deviation, found = "a standard deviation of a quarter of their bounds' width", "the first round finds how they vary"
    for scaling in (False, True):
        training = planned(recipe, standardise="private") if scaling else planned(recipe)
        drowned, clear = of(training, 1e4, 1_000), of(training, 1e-3, 1_000)
        warned, said = drowned.warning(10**6, 1e-8), " ".join(clear.sentences)
        assert (deviation in warned, found in warned) == (not scaling, scaling)
        assert (deviation in said, found in said) == (not scaling or recipe != "pca", scaling)


def test_an_evaluation_has_no_such_outlook() -> None:
    text = (
        '[evaluation]\nmodel = "m.npz"\ndataset = "d"\nfeatures = ["a", "b", "c"]\ntarget = "two"\nrecipe = "logistic"'
    )
    training = training_of(TomlFile.parse(text, "JOB.toml"), KNOWN, planned("logistic").template)
    assert outlook(training, 1.0, 100) is None


def test_many_coefficients_are_not_all_listed() -> None:
    features = tuple(f"a * {place + 1} + b" for place in range(15))
    sentences = of(planned("linear", features), 1.0, 1_000).sentences
    assert "and 4 more." in sentences[2]
    assert sentences[3].startswith("This supposes that numbers among the inputs have a standard deviation of a quarter")
    assert sentences[3].endswith("independently of each other, and that every home brings 4 examples.")


def test_what_is_supposed_is_said_once_beside_what_rests_on_it() -> None:
    for noise in (1.0, 1e4):
        found = of(planned("linear"), noise, 1_000)
        said, warned = " ".join(found.sentences), found.warning(10**6, 1e-8)
        assert ("This supposes that" in said, "coefficients" in said) == (not found.drowned, not found.drowned)
        assert ("This supposes that" in warned) == bool(warned) == found.drowned
