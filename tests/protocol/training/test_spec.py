"""The section [training]: what is wrong with it is said with its line, and nothing that is wrong passes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vicinia.assembly.learning import TrainingPlan
from vicinia.assembly.toml import TomlFile
from vicinia.errors import InvalidInput, TooLarge, ViciniaError
from vicinia.query.column import Column, ColumnType
from vicinia.query.dataset import DataSet
from vicinia.training.compiled import Training, compile_training
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.registry import recipe_class
from vicinia.training.settings import from_file
from vicinia.training.spec import training_of


def number(name: str, low: str = "0", high: str = "1") -> Column:
    return Column(name, ColumnType.REAL, Decimal(low), Decimal(high), required=True)


BUDGET = DataSet(
    "budget",
    "Weekly spending",
    "pd:Transactional",
    "Europe/London",
    (
        number("food"),
        number("fuel", high="0.4"),
        Column("kids", ColumnType.ENUM, values=(1, 2)),
        Column("region", ColumnType.ENUM, values=("north", "south", "west")),
        Column("trips", ColumnType.INTEGER, Decimal(0), Decimal(40)),
        number("balance", low="-10", high="10"),
    ),
)
READINGS = DataSet(
    "readings",
    "Electricity",
    "pd:Utility",
    "Europe/Zurich",
    (Column("ts", ColumnType.TIMESTAMP), number("kwh", high="2")),
)
KNOWN = {"budget": BUDGET, "readings": READINGS}
PLAIN = """
[training]
dataset = "budget"
features = ["food", "fuel * 2", "region"]
target = "kids"
recipe = "logistic"
rounds = 4
"""


def parsed(text: str) -> Training:
    return training_of(TomlFile.parse(text, "JOB.toml"), KNOWN)


def test_defaults_are_filled_in_and_the_plan_compiles_to_the_same() -> None:
    training = parsed(PLAIN)
    plan = training.plan
    assert (plan.unit, plan.examples, plan.rounds, plan.spare, plan.runs) == ("row", 32, 4, 0, 4)
    assert training.design.names == ("food", "fuel * 2", "region = south", "region = west")
    assert training.design.dimensions.inputs == 4
    assert training.design.dimensions.target is TargetKind.CLASSES
    assert compile_training(TrainingPlan.from_payload(plan.payload()), KNOWN).layout == training.layout


def test_a_household_is_one_example_of_several_data_sets() -> None:
    training = parsed("""
[training]
unit = "household"
features = [
  {dataset = "readings", value = "kwh", where = "HOUR(ts) < 6"},
  {dataset = "readings", value = "kwh", where = "HOUR(ts) >= 18"},
]
target = {dataset = "budget", value = "kids"}
recipe = "logistic"
rounds = 3
holdout = 0.2
""")
    assert [one.name for one in training.datasets] == ["readings", "budget"]
    assert training.plan.runs == 4
    assert training.layout.length > training.recipe.layout().length


def test_fedprox_gives_the_homes_its_proximal_term() -> None:
    text = PLAIN.replace('"logistic"', '"mlp"') + '[training.strategy]\nname = "FedProx"\nproximal_mu = 0.25\n'
    plan = parsed(text).plan
    assert plan.recipe.values["proximal"] == 250_000_000
    fields: dict[str, Any] = plan.payload()
    fields["recipe"]["parameters"] = [
        one | {"value": 0} if one["name"] == "proximal" else one for one in fields["recipe"]["parameters"]
    ]
    with pytest.raises(InvalidInput, match="proximal"):
        compile_training(TrainingPlan.from_payload(fields), KNOWN)


WRONG = {
    "a feature that does not exist": (('"food"', '"rent"'), "JOB.toml:4: training.features[0]", "rent"),
    "a misspelt column": (('"food"', '"fod"'), "JOB.toml:4: training.features[0]", "Did you mean 'food'?"),
    "no data set": (('"budget"', '"diary"'), "JOB.toml:3: training.dataset", "no data set"),
    "a misspelt data set": (('"budget"', '"budgets"'), "JOB.toml:3: training.dataset", "Did you mean 'budget'?"),
    "the target among the features": (('"region"', '"kids"'), "JOB.toml:4: training.features", "also a feature"),
    "the target in other words": (('"region"', '"kids * 2 - 1"'), "JOB.toml:4: training.features[2]", "own column"),
    "a feature twice": (('"region"', '"food"'), "JOB.toml:4: training.features", "'food' is there twice"),
    "no feature": (('["food", "fuel * 2", "region"]', "[]"), "JOB.toml:4: training.features", "list of features"),
    "two expressions in one": (('"food"', '"food), AVG(fuel"'), "JOB.toml:4: training.features[0]", ""),
    "another statement": (('"food"', '"food) FROM budget WHERE (1 = 1"'), "JOB.toml:4: training.features[0]", ""),
    "a text as a number": (('"food"', '"region + 1"'), "JOB.toml:4: training.features[0]", ""),
    "a literal": (('"food"', '"3"'), "JOB.toml:4: training.features[0]", ""),
    "an unknown key": (("rounds", "round"), "JOB.toml:7: training.round", "Did you mean 'rounds'"),
    "an unknown recipe": (('"logistic"', '"logistics"'), "JOB.toml:6: training.recipe", "Did you mean 'logistic'"),
    "no rounds": (("rounds = 4\n", ""), "JOB.toml:6: training.recipe", "rounds"),
    "no round": (("rounds = 4", "rounds = 0"), "JOB.toml:7: training.rounds", "at least one round"),
    "half a round": (("rounds = 4", "rounds = 1.5"), "JOB.toml:7: training.rounds", "whole number"),
    "a strategy for a recipe that steps itself": (
        ("rounds = 4", 'rounds = 4\n[training.strategy]\nname = "FedAvg"'),
        "JOB.toml:8: training.strategy",
        "takes its own steps",
    ),
    "a refused strategy": (
        ("rounds = 4", 'rounds = 4\n[training.strategy]\nname = "Krum"'),
        "JOB.toml:9: training.strategy.name",
        "Krum is refused",
    ),
    "a holdout of nearly all": (
        ("rounds = 4", "rounds = 4\nholdout = 0.95"),
        "JOB.toml:8: training.holdout",
        "outside",
    ),
    "a holdout in per cent": (
        ("rounds = 4", "rounds = 4\nholdout = 25"),
        "JOB.toml:8: training.holdout",
        "25 is outside",
    ),
    "a share above one": (
        ('"logistic"\nrounds = 4', '"mlp"\nrounds = 4\n[training.clip]\nquantile = 1.5'),
        "JOB.toml:9: training.clip.quantile",
        "1.5 is outside",
    ),
    "a number for a target": (
        ('target = "kids"', 'target = "balance"'),
        "JOB.toml:5: training.target",
        "take the recipe 'linear'",
    ),
}


@pytest.mark.parametrize(("change", "where", "what"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_with_its_line(change: tuple[str, str], where: str, what: str) -> None:
    assert change[0] in PLAIN
    with pytest.raises(InvalidInput) as refusal:
        parsed(PLAIN.replace(*change, 1))
    assert where in refusal.value.where
    assert what in str(refusal.value)


def test_a_count_begins_at_zero() -> None:
    text = PLAIN.replace('"logistic"', '"poisson"').replace('target = "kids"', 'target = "balance"')
    with pytest.raises(InvalidInput, match="begins at zero"):
        parsed(text)
    assert parsed(text.replace('"balance"', '"trips"')).design.dimensions.high == 40


MANY = Dimensions(2_000, TargetKind.REAL)
LARGE = {
    "mlp": (MANY, {"hidden_1": 1000}, "2,002,001 numbers", "8.01 MB"),
    "linear": (MANY, {}, "2,005,003 numbers", "8.02 MB"),
    "pca": (replace(MANY, target=TargetKind.NONE), {}, "2,003,001 numbers", "8.01 MB"),
    "poisson": (replace(MANY, target=TargetKind.COUNT), {}, "4,014,009 numbers", "8.02 MB"),
    "logistic": (Dimensions(200, TargetKind.CLASSES, 100), {}, "396,070,302 numbers", "402 MB"),
    "trees": (MANY, {"bins": 64}, "1,024,000 numbers", "4.1 MB"),
    "kmeans": (Dimensions(200, TargetKind.NONE), {"clusters": 200}, "40,400 numbers", "0.162 MB"),
}


@pytest.mark.parametrize("name", LARGE)
def test_a_model_that_is_too_large_says_what_it_would_cost(name: str) -> None:
    dimensions, table, numbers, upload = LARGE[name]
    known = recipe_class(name)
    with pytest.raises(TooLarge) as refusal:
        known.of(dimensions, from_file(known.settings, table, "training.parameters"))
    assert numbers in refusal.value.what
    assert "are allowed" in refusal.value.what
    assert f"Each home would upload {upload} in every round." in refusal.value.what
    assert refusal.value.hint


def test_a_model_that_is_too_large_is_said_with_its_line() -> None:
    text = PLAIN.replace('"logistic"', '"mlp"') + "[training.parameters]\nhidden_1 = 1000\nhidden_2 = 1000\n"
    with pytest.raises(TooLarge, match="1,000,000 are allowed") as refusal:
        parsed(text)
    assert refusal.value.where == "JOB.toml:6: training.recipe"


def test_other_first_weights_are_refused() -> None:
    fields = parsed(PLAIN).plan.payload() | {"initial": "00" * 32}
    with pytest.raises(InvalidInput, match="initial weights"):
        compile_training(TrainingPlan.from_payload(fields), KNOWN)


def test_another_version_of_a_recipe_is_refused() -> None:
    fields: dict[str, Any] = parsed(PLAIN).plan.payload()
    fields["recipe"]["version"] = 2
    with pytest.raises(InvalidInput, match="Version 2"):
        compile_training(TrainingPlan.from_payload(fields), KNOWN)


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    with suppress(ViciniaError):
        parsed(f"[training]\n{text}")


VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.text(max_size=30), st.lists(st.integers(), max_size=3)
)


@given(st.sampled_from(sorted(parsed(PLAIN).plan.payload())), VALUES)
def test_any_field_of_a_plan_is_bounded(name: str, value: Any) -> None:
    fields = parsed(PLAIN).plan.payload()
    if fields[name] == value:
        return
    try:
        compile_training(TrainingPlan.from_payload(fields | {name: value}), KNOWN)
    except ViciniaError:
        return
    assert name in ("where", "examples", "rounds", "spare", "holdout_nano", "target", "initial_given")


# ---- the section [evaluation]

EVALUATION = """
[evaluation]
model = "model.safetensors"
dataset = "budget"
features = ["food", "fuel * 2", "region"]
target = "kids"
recipe = "logistic"
"""


def measured(text: str) -> Training:
    return training_of(TomlFile.parse(text, "JOB.toml"), KNOWN, parsed(PLAIN).template)


def test_an_evaluation_is_a_plan_without_a_round() -> None:
    training = measured(EVALUATION)
    plan = training.plan
    assert (plan.rounds, plan.spare, plan.closing, plan.scaling, plan.runs) == (0, 0, 1, 0, 1)
    assert (plan.initial, plan.initial_given, plan.only_evaluates) == (parsed(PLAIN).template.digest, True, True)
    assert plan.sentence.startswith("Evaluate the researcher's own model (logistic), which predicts kids from food, ")
    assert training.layout == training.evaluation
    assert compile_training(TrainingPlan.from_payload(plan.payload()), KNOWN).layout == training.layout
    assert measured(EVALUATION + "spare = 2\n").plan.runs == 3


WRONG_EVALUATIONS = {
    "no model": (('model = "model.safetensors"\n', ""), "JOB.toml:2: evaluation", "'model' is missing"),
    "a model that is no path": (('"model.safetensors"', "3"), "JOB.toml:3: evaluation.model", "nothing was read"),
    "rounds": (('recipe = "logistic"', 'recipe = "logistic"\nrounds = 2'), "JOB.toml:8: evaluation.rounds", "unknown"),
    "held-out homes": (('target = "kids"', 'target = "kids"\nholdout = 0.2'), "JOB.toml:7: evaluation", "unknown"),
    "a feature that does not exist": (('"food"', '"rent"'), "JOB.toml:5: evaluation.features[0]", "rent"),
    "a target among the features": (('"region"', '"kids"'), "JOB.toml:5: evaluation.features", "also a feature"),
    "another recipe": (('"logistic"', '"linear"'), "evaluation", ""),
    "a model of other inputs": (('"region"]', "]"), "JOB.toml:3: evaluation.model", "has the shape (1, 4)"),
    "no data set": (('dataset = "budget"\n', ""), "JOB.toml:2: evaluation", "'dataset' is missing"),
    "too many examples": (
        ('target = "kids"', 'target = "kids"\nexamples = 20000'),
        "JOB.toml:7: evaluation",
        "outside",
    ),
}


@pytest.mark.parametrize(("change", "where", "what"), WRONG_EVALUATIONS.values(), ids=WRONG_EVALUATIONS)
def test_what_is_wrong_with_an_evaluation_is_said_with_its_line(change: tuple[str, str], where: str, what: str) -> None:
    assert change[0] in EVALUATION
    model = None if change[1] == "3" else parsed(PLAIN).template
    with pytest.raises(InvalidInput) as refusal:
        training_of(TomlFile.parse(EVALUATION.replace(*change, 1), "JOB.toml"), KNOWN, model)
    assert where in refusal.value.where
    assert what in str(refusal.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"initial_given": False},
        {"holdout_nano": 1},
        {"standardise": "private"},
        {"clip": {"initial_nano": 1, "quantile_nano": 1, "rate_nano": 0}},
        {"strategy": {"name": "FedAvg", "version": 1, "parameters": []}},
    ],
)
def test_a_plan_without_a_round_has_nothing_that_only_rounds_need(changes: dict[str, Any]) -> None:
    plan = measured(EVALUATION).plan.payload()
    with pytest.raises(InvalidInput, match=r"nobody trains|one that is brought"):
        TrainingPlan.from_payload(plan | changes)
