"""A model has one spelling in bytes, which other readers of safetensors understand, too."""

from __future__ import annotations

import struct
from contextlib import suppress

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from vicinia.errors import InvalidInput, TooLarge, ViciniaError
from vicinia.tlog.canonical import canonical
from vicinia.training.model import MAX_PARAMETERS, Model

NAMES = st.from_regex(r"\A[a-z][a-z0-9_.]{0,10}\Z")
SHAPES = array_shapes(min_dims=0, max_dims=3, max_side=4)
NUMBERS = st.one_of(
    arrays(np.float32, SHAPES, elements=st.floats(-(2.0**100), 2.0**100, width=32)),
    arrays(np.float64, SHAPES, elements=st.floats(-1e300, 1e300)),
)
MODELS = st.dictionaries(NAMES, NUMBERS, min_size=1, max_size=4).map(Model.of)


@given(MODELS)
def test_bytes_are_read_back_and_understood_by_others(model: Model) -> None:
    body = model.to_bytes()
    again = Model.from_bytes(body)
    assert again == model
    assert again.digest == model.digest
    theirs = safetensors.numpy.load(body)
    assert set(theirs) == set(model)
    for name in model:
        assert theirs[name].dtype == model[name].dtype
        np.testing.assert_array_equal(theirs[name], model[name])


@given(MODELS)
def test_numbers_in_a_row_are_put_back(model: Model) -> None:
    assert model.with_flat(model.flat()) == model
    assert len(model.flat()) == model.size


@given(st.binary(max_size=200))
def test_any_bytes_are_a_model_or_refused(data: bytes) -> None:
    with suppress(ViciniaError):
        assert Model.from_bytes(data).to_bytes() == data


def _written(header: dict[str, object], numbers: bytes) -> bytes:
    head = canonical(header)
    return struct.pack("<Q", len(head)) + head + numbers


ENTRY = {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("header", "numbers"),
    [
        ({"a": ENTRY | {"dtype": "I64"}}, bytes(8)),
        ({"a": ENTRY | {"shape": [2]}}, bytes(8)),
        ({"a": ENTRY | {"data_offsets": [0, 16]}}, bytes(8)),
        ({"a": ENTRY}, bytes(16)),
        ({"a": ENTRY, "b": ENTRY}, bytes(8)),
        ({"__metadata__": {"x": "y"}, "a": ENTRY}, bytes(8)),
        ({"A": ENTRY}, bytes(8)),
        ({"a": ENTRY | {"shape": [-1]}}, bytes(8)),
        ({"a": ENTRY}, struct.pack("<d", float("nan"))),
        ({"a": ENTRY}, struct.pack("<d", float("inf"))),
        ({}, b""),
    ],
)
def test_another_spelling_is_refused(header: dict[str, object], numbers: bytes) -> None:
    with pytest.raises(InvalidInput):
        Model.from_bytes(_written(header, numbers))


def test_a_model_that_has_diverged_or_is_too_large_is_none() -> None:
    with pytest.raises(InvalidInput, match="diverged"):
        Model.of({"weights": np.array([1.0, np.nan])})
    with pytest.raises(TooLarge, match="1,000,000 are allowed"):
        Model.of({"weights": np.zeros(MAX_PARAMETERS + 1)})


def test_nobody_changes_a_model() -> None:
    numbers = np.ones(3)
    model = Model.of({"weights": numbers})
    numbers[0] = 5.0
    assert model["weights"][0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        model["weights"][0] = 2.0
