"""What a home sends when it evaluates: never too long, whatever model it was shown and whatever it holds."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from vicinia.assembly.toml import TomlFile
from vicinia.node.training.round import round_vector
from vicinia.privacy.stream import chacha_stream
from vicinia.query.mapping import parse_map
from vicinia.training.compiled import Part, Training
from vicinia.training.examples import Examples
from vicinia.training.model import Model
from vicinia.training.registry import RECIPES
from vicinia.training.schedule import Kind
from vicinia.training.spec import training_of

MAP = """
dataset     = "people"
description = "People"
category    = "pd:Transactional"
household   = "#row"
timezone    = "Europe/London"
[columns]
food  = { from = "food", type = "real", low = 0.0, high = 1.0 }
fuel  = { from = "fuel", type = "real", low = -2.0, high = 3.0 }
kids  = { from = "kids", type = "enum", values = [1, 2] }
town  = { from = "town", type = "enum", values = ["a", "b", "c"] }
trips = { from = "trips", type = "integer", low = 0, high = 9 }
"""
DATASET = parse_map(MAP)[0]
TARGETS = {
    "kmeans": ("",), "pca": ("",), "linear": ("fuel",), "poisson": ("trips",), "logistic": ("kids", "town"),
    "trees": ("kids", "fuel"), "mlp": ("kids", "town", "fuel"),
}  # fmt: skip
SMALL = {"kmeans": "clusters = 2", "pca": "components = 1", "trees": "tree_rounds = 2\nbins = 4", "mlp": "hidden_1 = 3"}
CASES = [(recipe, target) for recipe in RECIPES for target in TARGETS[recipe]]


def written(section: str, recipe: str, target: str, *keys: str) -> TomlFile:
    """A job's section on one input."""
    named = [f'target = "{target}"'] if target else []
    lines = ['dataset = "people"', 'features = ["food"]', f'recipe = "{recipe}"', "examples = 5", *named, *keys]
    parameters = [f"[{section}.parameters]", SMALL.get(recipe, "")]
    return TomlFile.parse("\n".join([f"[{section}]", *lines, *parameters]), "JOB.toml")


def template_of(recipe: str, target: str) -> Model:
    """A model of the recipe."""
    rounds = ["rounds = 1"] if recipe in ("logistic", "poisson", "mlp") else []
    return training_of(written("training", recipe, target, *rounds), {"people": DATASET}).template


def evaluating(recipe: str, target: str, model: Model) -> Training:
    """The evaluation of a model."""
    return training_of(written("evaluation", recipe, target, 'model = "m.npz"'), {"people": DATASET}, model)


TEMPLATES = {case: template_of(*case) for case in CASES}
HOSTILE = st.floats(allow_nan=False, allow_infinity=False, width=32) | st.sampled_from(
    [0.0, 1e300, -1e300, 5e-324, 1.0]
)
DIRTY = st.floats(allow_nan=True, allow_infinity=True) | st.floats(-1, 1)


@pytest.mark.parametrize(("recipe", "target"), CASES)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_no_model_and_no_rows_make_a_vector_longer_than_the_plan_allows(
    recipe: str, target: str, data: st.DataObject
) -> None:
    template = TEMPLATES[recipe, target]
    numbers = np.resize(data.draw(hnp.arrays(np.float64, 7, elements=HOSTILE)), template.size)
    if any(array.dtype == np.float32 for _, array in template.arrays):
        numbers = np.clip(numbers, -(2.0**120), 2.0**120)
    model = template.with_flat(numbers)
    training = evaluating(recipe, target, model)
    rows = data.draw(st.integers(0, 8))
    inputs = data.draw(hnp.arrays(np.float64, (rows, 1), elements=DIRTY))
    known = data.draw(hnp.arrays(np.float64, rows, elements=DIRTY | st.integers(0, 3).map(float)))
    examples = Examples.cleaned(inputs, known, 5, training.design.dimensions)
    stream: Any = chacha_stream(bytes(32))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vector = round_vector(
            training, model, examples, 1.0, stream, part=Part.EVALUATES, out_of_time=lambda: False, measured=print
        )
    assert vector.shape == (training.layout.length,)
    assert np.isfinite(vector).all()
    assert float(vector @ vector) <= float(training.layout.norm_squared) == 1.0


@pytest.mark.parametrize(("recipe", "target"), CASES)
def test_every_home_evaluates_and_nothing_else_leaves_it(recipe: str, target: str) -> None:
    training = evaluating(recipe, target, TEMPLATES[recipe, target])
    assert {training.part_of(index, bytes(32), Kind.CLOSES) for index in range(200)} == {Part.EVALUATES}
    assert training.training_slots == slice(0, 0)
    assert training.evaluation_slots == slice(0, training.layout.length)
    assert [block.label.partition(":")[0] for block in training.layout.blocks] == ["evaluation"] * len(
        training.layout.blocks
    )
