"""A training begins with the recipe's own model, or with the one that the plan names and no other."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from protocol.training.test_spec import KNOWN, PLAIN
from vicinia.assembly.learning import TrainingPlan
from vicinia.assembly.toml import TomlFile
from vicinia.errors import InvalidInput, ViciniaError
from vicinia.training.beginning import BUILT_UPON, beginning, bytes_expected, given_model
from vicinia.training.compiled import Training, compile_training
from vicinia.training.model import Model
from vicinia.training.recipe import Aggregate
from vicinia.training.registry import RECIPES
from vicinia.training.replay import Released, own_step
from vicinia.training.rounds import RoundRelease
from vicinia.training.spec import training_of
from vicinia.training.symmetric import pack

TEXTS = {
    "logistic": PLAIN,
    "mlp": PLAIN.replace('"logistic"', '"mlp"'),
    "poisson": PLAIN.replace('"logistic"', '"poisson"').replace('"kids"', '"trips"'),
    "kmeans": PLAIN.replace('"logistic"', '"kmeans"').replace('target = "kids"\n', "").replace("rounds = 4\n", ""),
    "linear": PLAIN.replace('"logistic"', '"linear"').replace('"kids"', '"balance"').replace("rounds = 4\n", ""),
    "pca": PLAIN.replace('"logistic"', '"pca"').replace('target = "kids"\n', "").replace("rounds = 4\n", ""),
    "trees": PLAIN.replace('"logistic"', '"trees"').replace("rounds = 4\n", ""),
}


def parsed(text: str, initial: Model | None = None) -> Training:
    return training_of(TomlFile.parse(text, "JOB.toml"), KNOWN, initial)


def asking(text: str) -> str:
    """The same with the key that names a model."""
    return text.replace("[training]\n", '[training]\ninitial = "model.safetensors"\n')


def other(training: Training) -> Model:
    """A model of the recipe that is not its own first one."""
    return training.template.with_flat(training.template.flat() + 0.25)


def changed(training: Training, **arrays: np.ndarray[Any, Any]) -> Model:
    return Model.of(dict(training.template.arrays) | arrays)


@pytest.mark.parametrize("name", sorted(BUILT_UPON))
def test_the_plan_names_the_researcher_s_model_and_says_that_it_is(name: str) -> None:
    model = other(parsed(TEXTS[name]))
    training = parsed(asking(TEXTS[name]), model)
    assert (training.plan.initial, training.plan.initial_given) == (model.digest, True)
    assert training.plan.sentence.endswith(", starting from the researcher's own model")
    assert training.plan.beginning == f"starts from the researcher's own model, sha256 {model.digest.hex()}"
    assert compile_training(TrainingPlan.from_payload(training.plan.payload()), KNOWN).plan == training.plan
    assert beginning(training, {model.digest: model}.__getitem__) == model
    assert bytes_expected(training) == len(model.to_bytes())
    own = parsed(TEXTS[name])
    assert (own.plan.initial_given, own.plan.beginning, bytes_expected(own)) == (False, "", 0)
    known: dict[bytes, Model] = {}
    assert beginning(own, known.__getitem__) == own.template


@pytest.mark.parametrize("name", sorted(RECIPES.keys() - BUILT_UPON))
def test_a_recipe_that_builds_upon_no_model_says_why(name: str) -> None:
    why = "builds upon no other model" if name == "trees" else "does not depend on where it begins"
    with pytest.raises(InvalidInput, match=why) as refusal:
        parsed(asking(TEXTS[name]), other(parsed(TEXTS[name])))
    assert refusal.value.where == "JOB.toml:3: training.initial"
    assert refusal.value.hint == "Leave `initial` out."


def test_what_a_recipe_builds_upon_its_step_depends_on() -> None:
    for name in sorted(RECIPES.keys() - {"mlp", "trees"}):
        training = parsed(TEXTS[name])
        released = Aggregate(np.full(training.recipe.layout().length, 0.5), 1e-6, 40)
        steps = [training.recipe.step(model, released) for model in (training.template, other(training))]
        assert (steps[0] != steps[1]) == (name in BUILT_UPON), name


def test_other_first_weights_must_be_called_what_they_are() -> None:
    training = parsed(TEXTS["mlp"])
    fields = training.plan.payload() | {"initial": other(training).digest.hex()}
    with pytest.raises(InvalidInput, match="not the recipe's"):
        compile_training(TrainingPlan.from_payload(fields), KNOWN)
    assert compile_training(TrainingPlan.from_payload(fields | {"initial_given": True}), KNOWN).plan.initial_given


WRONG = {
    "an array that is missing": ({"layer1.bias": None}, "has no array 'layer1.bias'"),
    "an array too many": ({"layer2.bias": np.zeros(1, np.float32)}, "an array 'layer2.bias', which no model"),
    "another shape": ({"layer0.weight": np.zeros((3, 16), np.float32)}, r"the shape \(3, 16\); here it has \(4, 16\)"),
    "another type": ({"layer0.weight": np.zeros((4, 16))}, "holds float64; here it holds float32"),
}


@pytest.mark.parametrize(("change", "words"), WRONG.values(), ids=WRONG)
def test_a_model_of_another_network_is_refused_with_its_line_and_array(change: dict[str, Any], words: str) -> None:
    own = dict(parsed(TEXTS["mlp"]).template.arrays)
    wrong = Model.of({name: array for name, array in (own | change).items() if array is not None})
    with pytest.raises(InvalidInput, match=words) as refusal:
        parsed(asking(TEXTS["mlp"]), wrong)
    assert refusal.value.where == "JOB.toml:3: training.initial"
    assert "layer0.bias float32 (16,)" in refusal.value.hint


@pytest.mark.parametrize("value", ['"model.safetensors"', "3", "true"])
def test_a_key_without_a_model_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput, match="nothing was read there") as refusal:
        parsed(asking(PLAIN).replace('"model.safetensors"', value))
    assert refusal.value.where == "JOB.toml:3: training.initial"


def test_only_the_bytes_that_the_plan_names_are_its_model() -> None:
    own = parsed(TEXTS["mlp"])
    model, training = other(own), parsed(asking(TEXTS["mlp"]), other(own))
    assert given_model(training, model.to_bytes()) == model
    for body in (b"", own.template.to_bytes(), model.to_bytes() + b"\0"):
        with pytest.raises(InvalidInput, match="not the one that the job names"):
            given_model(training, body)


def test_bytes_under_their_hash_must_be_a_model_of_the_recipe() -> None:
    own = parsed(TEXTS["mlp"])
    for body in (b"no model", Model.of({"weights": np.ones(3)}).to_bytes()):
        fields = own.plan.payload() | {"initial": hashlib.sha256(body).hexdigest(), "initial_given": True}
        with pytest.raises(InvalidInput, match=r"too large|no array"):
            given_model(compile_training(TrainingPlan.from_payload(fields), KNOWN), body)


def test_poisson_goes_on_from_rates_of_its_own() -> None:
    """The recipe's own first round assumes that every rate is 1, which is true of its own first model alone."""
    training = parsed(TEXTS["poisson"])
    size = len(training.template["intercept"]) + training.template["coef"].size
    rows = np.random.default_rng(2).uniform(-1, 1, (400, size))
    rows[:, 0] = 1.0
    truth = np.array([-1.5, 0.4, -0.3, 0.2, 0.1])[:size]
    rates = np.exp(rows @ truth)
    recipe: Any = training.recipe
    curvature = pack((rows * rates[:, None]).T @ rows) / recipe.curvature_unit
    released = Aggregate(np.concatenate((np.zeros(size), curvature)), 0.0, 400)
    begun = changed(training, intercept=truth[:1], coef=truth[None, 1:])
    after = recipe.step(begun, released)
    assert np.abs(after["coef"] - begun["coef"]).max() < 0.01
    assert abs(float((after["intercept"] - begun["intercept"])[0])) < 0.01


HOSTILE = st.floats(allow_nan=False, allow_infinity=False, width=32) | st.sampled_from([0.0, 1e-300, -1e300, 1.0])


@pytest.mark.parametrize("name", sorted(BUILT_UPON - {"mlp"}))
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_whatever_a_researcher_brings_a_step_is_a_model_or_a_refusal(name: str, data: st.DataObject) -> None:
    training = parsed(TEXTS[name])
    numbers = data.draw(arrays(np.float64, 7, elements=HOSTILE))
    model = training.template.with_flat(np.resize(numbers, training.template.size))
    vector = np.resize(data.draw(arrays(np.float64, 5, elements=st.floats(-3, 3))), training.layout.length)
    body = vector.astype("<f8").tobytes()
    release = RoundRelease(
        "valley", bytes(32), 0, 40, 1, 0.5, 10**9, None, None, hashlib.sha256(body).digest(), ()
    )  # fmt: skip
    with suppress(ViciniaError):
        assert training.template.same_shape(own_step(training, model, Released(release, body)))
