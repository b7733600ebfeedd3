"""What a job may say about the server's step, in a file and in a statement."""

from __future__ import annotations

import json
import tomllib
from decimal import Decimal
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from vicinia.errors import InvalidInput
from vicinia.training.parameter import NANO, Parameter, decimal_text
from vicinia.training.refusal import REFUSED
from vicinia.training.strategy import STRATEGIES, Strategy

ADAM = {
    "name": "FedAdam",
    "parameters": {"beta_1": 900_000_000, "beta_2": 990_000_000, "eta": 100_000_000, "tau": 1_000_000},
}


def parse(text: str) -> Strategy:
    return Strategy.parse(tomllib.loads(text, parse_float=Decimal), "JOB.toml:7: {}".format)


@st.composite
def chosen(draw: st.DrawFn) -> Strategy:
    name = draw(st.sampled_from(sorted(STRATEGIES)))
    numbers = {key: draw(st.integers(one.low, one.high)) for key, one in STRATEGIES[name].items()}
    return Strategy.from_payload({"name": name, "parameters": numbers})


def test_a_file_says_decimals_and_a_statement_whole_numbers() -> None:
    written = parse('name = "FedAdam"\neta = 0.1')
    assert written.payload() == ADAM
    assert rfc8785.dumps(written.payload()) == json.dumps(ADAM, separators=(",", ":"), sort_keys=True).encode()
    assert written.numbers() == {"beta_1": 0.9, "beta_2": 0.99, "eta": 0.1, "tau": 0.001}
    assert parse('name = "FedAvg"') == Strategy("FedAvg")
    assert parse('name = "FedAvgM"\nserver_momentum = 0').parameters == (
        ("server_learning_rate", NANO),
        ("server_momentum", 0),
    )


@given(chosen())
def test_every_strategy_survives_its_statement_and_its_file(strategy: Strategy) -> None:
    assert Strategy.from_payload(json.loads(rfc8785.dumps(strategy.payload()))) == strategy
    lines = [f"{key} = {decimal_text(nano)}" for key, nano in strategy.parameters]
    assert parse("\n".join([f'name = "{strategy.name}"', *lines])) == strategy
    assert hash(strategy) == hash(Strategy.from_payload(strategy.payload()))


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", "name", "missing"),
        ("name = 3", "name", "must be text"),
        ('name = "FedAdm"', "name", "Did you mean FedAdam?"),
        ('name = "fedprox"', "name", "Did you mean FedProx?"),
        ('name = "fedmedian"', "name", "Did you mean FedMedian?"),
        ('name = "Gradient descent"', "name", "There are: FedAvg, FedProx"),
        ('name = "FedMedian"', "name", "the median of one average is the average"),
        ('name = "FedAdam"\neta = 0', "eta", "0 is outside 0.000000001..100"),
        ('name = "FedAdam"\neta = 101', "eta", "101 is outside"),
        ('name = "FedAdam"\neta = -1', "eta", "-1 is outside"),
        ('name = "FedAdam"\neta = 1e999999', "eta", "outside"),
        ('name = "FedAdam"\neta = -1e999999', "eta", "outside"),
        ('name = "FedAdam"\neta = 0e999999', "eta", "0 is outside"),
        ('name = "FedAdam"\neta = 1e-999999', "eta", "more than nine decimals"),
        ('name = "FedAdam"\neta = 0.0000000001', "eta", "more than nine decimals"),
        ('name = "FedAdam"\neta = 0.10000000000000000000000000000000000001', "eta", "more than nine decimals"),
        ('name = "FedAdam"\neta = nan', "eta", "must be a number"),
        ('name = "FedAdam"\neta = inf', "eta", "must be a number"),
        ('name = "FedAdam"\neta = true', "eta", "must be a number"),
        ('name = "FedAdam"\neta = "0.1"', "eta", "must be a number"),
        ('name = "FedAdam"\nbeta_1 = 1', "beta_1", "0..0.999999999"),
        ('name = "FedAdam"\neta_l = 0.1', "eta_l", "the recipe's learning rate"),
        ('name = "FedAdam"\nbeta1 = 0.1', "beta1", "Did you mean 'beta_1'?"),
        ('name = "FedAdam"\nfraction_train = 0.1', "fraction_train", "consent"),
        ('name = "FedAdam"\nfraction_evaluate = 0.1', "fraction_evaluate", "securely"),
        ('name = "FedAvg"\nspeed = 1', "speed", "It has none."),
        ('name = "FedAdagrad"\nspeed = 1', "speed", "It has: eta, tau."),
        ('name = "FedProx"', "proximal_mu", "FedProx needs proximal_mu. 0.001 to 1"),
        ('name = "FedProx"\nproximal_mu = 0', "proximal_mu", "with 0 it is FedAvg"),
        ('name = "FedAvgM"', "server_momentum", "FedAvgM needs server_momentum."),
    ],
)
def test_a_file_that_is_wrong_is_told_where_and_what_to_do(text: str, place: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(text)
    assert str(caught.value).startswith(f"JOB.toml:7: {place}: ")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"name": "FedAvg"},
        {"name": "FedAvg", "parameters": {}, "more": 1},
        {"name": "FedAvg", "parameters": []},
        {"name": "FedAvg", "parameters": {"eta": 1}},
        {"name": ["FedAvg"], "parameters": {}},
        {"name": "Krum", "parameters": {}},
        {"name": "FedOpt", "parameters": {}},
        {"name": "FedAdagrad", "parameters": {"eta": 100_000_000}},
        {"name": "FedAdagrad", "parameters": {"eta": 100_000_000, "tau": 0}},
        {"name": "FedAdagrad", "parameters": {"eta": 100_000_000, "tau": 0.5}},
        {"name": "FedAdagrad", "parameters": {"eta": True, "tau": 1}},
        {"name": "FedAdagrad", "parameters": {"eta": "1", "tau": 1}},
        {"name": "FedAdagrad", "parameters": {"eta": 10**400, "tau": 1}},
        {"name": "FedAdagrad", "parameters": {"eta": 10**5000, "tau": 1}},
        {"name": "FedProx", "parameters": {"proximal_mu": 0}},
    ],
)
def test_a_statement_that_is_wrong_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        Strategy.from_payload(value, "job.strategy")
    assert caught.value.where.startswith("job.strategy")


def test_every_reason_is_a_sentence_for_people() -> None:
    for refusal in REFUSED.values():
        assert refusal.reason[0].islower()
        assert refusal.reason.endswith(".")
        assert refusal.hint.endswith(".")


@given(st.integers(-(10**18), 10**18))
def test_decimals_are_exact_both_ways(nano: int) -> None:
    assert Decimal(decimal_text(nano)) * NANO == nano
    assert Parameter(-(10**18), 10**18).read(Decimal(decimal_text(nano)), "x") == nano
