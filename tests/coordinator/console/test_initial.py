"""The model that a JOB.toml names is read whoever wrote the file, and is the same model in every spelling."""

from __future__ import annotations

import json
import struct
import warnings
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from simulator_village import Village
from vicinia.assembly.toml import TomlFile
from vicinia.coordinator.client.connection import Client
from vicinia.coordinator.client.initial import initial_model
from vicinia.coordinator.client.safetensors import read_arrays
from vicinia.errors import InvalidInput, NotFound, ViciniaError
from vicinia.training.model import Model

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # typer 0.20 imports a name that click 8.2 deprecates
    from vicinia.coordinator.console import app

ARRAYS: dict[str, Any] = {"layer0.weight": np.ones((1, 1), np.float32), "layer0.bias": np.zeros(1, np.float32)}
MODEL = Model.of(ARRAYS)
JOB = """
title   = "Kids"
purpose = "dpv:NonCommercialResearch"
why     = "To know."
[training]
initial  = "first.safetensors"
dataset  = "budget"
features = ["fuel"]
target   = "kids"
recipe   = "mlp"
rounds   = 1
[training.parameters]
hidden_1 = 0
[privacy]
rho   = 0.1
floor = 3
"""


def named(name: str) -> TomlFile:
    return TomlFile.parse(JOB.replace("first.safetensors", name), "JOB.toml")


def test_another_program_s_spelling_is_the_same_model(tmp_path: Path) -> None:
    body = safetensors.numpy.save(ARRAYS, {"made": "elsewhere"})
    assert body != MODEL.to_bytes()
    (tmp_path / "first.safetensors").write_bytes(body)
    with (tmp_path / "first.npz").open("wb") as file:
        np.savez(file, **ARRAYS)
    for name in ("first.safetensors", "first.npz", str(tmp_path / "first.npz")):
        found = initial_model(named(name), tmp_path)
        assert found is not None
        assert found.digest == MODEL.digest
    assert initial_model(TomlFile.parse('query = "x"', "JOB.toml"), tmp_path) is None
    with pytest.raises(NotFound, match=r"JOB\.toml:6: training\.initial, .*cannot be read"):
        initial_model(named("elsewhere.npz"), tmp_path)


def spelt(header: object, numbers: bytes = bytes(8)) -> bytes:
    head = json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + numbers


ENTRY = {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no safetensors file"),
        (bytes(8), "no safetensors file"),
        (struct.pack("<Q", 2**40) + b"{}", "no safetensors file"),
        (spelt([]), "no safetensors file"),
        (spelt({"a": 3}), "cannot be read"),
        (spelt({"a": ENTRY | {"shape": "1"}}), "not where the header says"),
        (spelt({"a": ENTRY | {"shape": None}}), "cannot be read"),
        (spelt({"a": ENTRY | {"dtype": "F16"}}), "type F16 cannot travel"),
        (spelt({"a": ENTRY | {"dtype": []}}), "cannot travel"),
        (spelt({"a": ENTRY | {"data_offsets": [0, 16]}}), "not where the header says"),
        (spelt({"a": ENTRY | {"shape": [2]}}), "not where the header says"),
        (spelt({"a": ENTRY | {"shape": [True]}}), "not where the header says"),
        (spelt({"a": ENTRY}, struct.pack("<d", float("nan"))), "not finite"),
        (spelt({"A b": ENTRY}), "small letters"),
        (spelt({}), "1 to 256 arrays"),
    ],
)
def test_what_is_no_model_is_refused_with_its_line(tmp_path: Path, body: bytes, words: str) -> None:
    (tmp_path / "first.safetensors").write_bytes(body)
    with pytest.raises(InvalidInput, match=words) as refusal:
        initial_model(named("first.safetensors"), tmp_path)
    assert refusal.value.where.startswith("JOB.toml:6: training.initial, ")


@given(st.binary(max_size=100) | st.recursive(st.integers() | st.text() | st.none(), st.lists).map(spelt))
def test_any_bytes_are_read_or_refused_in_words(body: bytes) -> None:
    with suppress(ViciniaError):
        read_arrays(body, "file")


def test_submit_says_which_model_went_with_the_job(
    client: Client,
    village: Village,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its path is that of the JOB.toml, wherever the command was given."""
    monkeypatch.setattr(app, "_client", lambda _: nullcontext(client))
    (tmp_path / "first.safetensors").write_bytes(MODEL.to_bytes())
    for number, options in enumerate(([], ["--json"])):
        (tmp_path / "JOB.toml").write_text(JOB.replace("Kids", f"Kids {number}"))
        app.main(["submit", str(tmp_path / "JOB.toml"), *options])
        out = capsys.readouterr().out
        assert MODEL.digest.hex() in out
    assert json.loads(out)["initial"] == MODEL.digest.hex()
    assert len(village.coordinator.research.jobs(village.researcher_principal)) == 2
