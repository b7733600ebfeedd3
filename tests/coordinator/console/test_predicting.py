"""`vicinia predict`: CSV in, CSV out, by the same statements as a home; what cannot be read is told with its place."""

from __future__ import annotations

import csv
import io
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from vicinia.assembly.job import Job
from vicinia.assembly.toml import TomlFile
from vicinia.coordinator.client.predictor import Predictor
from vicinia.coordinator.client.saved import Saved
from vicinia.coordinator.console.predicting import Data, predict
from vicinia.errors import InvalidInput
from vicinia.query.mapping import parse_map
from vicinia.tlog.canonical import canonical
from vicinia.training.card import ModelCard
from vicinia.training.spec import training_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # typer 0.20 imports a name that click 8.2 deprecates
    from vicinia.coordinator.console import app

BUDGET = """
dataset     = "budget"
description = "Spending"
category    = "pd:Transactional"
format      = "csv"
household   = "#row"
timezone    = "Europe/Rome"
[columns]
kids = { from = "kids", type = "enum", values = [1, 2], per = "household" }
fuel = { from = "fuel", type = "real", low = 0.0, high = 0.4 }
"""
READINGS = """
dataset     = "readings"
description = "Electricity"
category    = "pd:Household"
format      = "csv"
household   = "home"
timezone    = "Europe/Rome"
[columns]
kwh = { from = "kwh", type = "real", low = 0.0, high = 10.0 }
ts  = { from = "ts", type = "timestamp" }
"""
DEFINITIONS = {one.name: one for one in (parse_map(BUDGET)[0], parse_map(READINGS)[0])}
ROWS = """
dataset = "budget"
features = ["fuel"]
target = "kids"
recipe = "logistic"
rounds = 1
"""
HOUSEHOLDS = """
unit = "household"
dataset = "readings"
features = ["kwh", {value = "kwh", where = "HOUR(ts) < 6"}]
recipe = "kmeans"
[training.parameters]
clusters = 2
lloyd_rounds = 1
"""
BOTH = """
unit = "household"
features = [{dataset = "readings", value = "kwh"}, {dataset = "budget", value = "fuel"}]
recipe = "pca"
[training.parameters]
components = 1
"""


def saved(path: Path, text: str) -> Saved:
    """A model that has not learnt anything yet, in files."""
    training = training_of(TomlFile.parse(f"[training]\n{text}", "JOB.toml"), DEFINITIONS)
    model = training.recipe.initial()
    fields: dict[str, Any] = {
        "coop": "valley", "kind": "train", "title": "Kids", "purpose": "dpv:NonCommercialResearch", "why": "To know.",
        "researcher": "0" * 32, "recipient": "public", "datasets": [one.name for one in training.datasets],
        "query": "", "training": training.plan.payload(), "period": None, "rho_nano": 10**9, "floor": 3,
        "price_cents": 0, "retention_days": 30,
    }  # fmt: skip
    job = Job.from_payload(fields)
    card = canonical(
        dict.fromkeys(sorted(CARD_FIELDS), "") | {"v": 1, "job": job.hash.hex(), "model": model.digest.hex()}
    )
    found = Saved(job, {one.name: one for one in training.datasets}, model, ModelCard.parse(card))
    found.write(path)
    return found


CARD_FIELDS = {
    "v", "coop", "job", "title", "why", "purpose", "recipient", "datasets", "unit", "examples", "inputs", "target",
    "recipe", "strategy", "initial", "rounds", "planned", "cohorts", "rho_nano", "epsilon", "delta", "created_ms",
    "model", "parameters", "metrics", "calibration", "acceptance", "ended",
}  # fmt: skip


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = 0
    try:
        app.main(["predict", *words])
    except SystemExit as end:
        status = int(end.code or 0)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    saved(path, ROWS)
    return path


def data(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_rows_come_back_with_what_the_model_says(
    capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path
) -> None:
    file = data(tmp_path / "data.csv", 'id,fuel\n"a,b",0.1\nc,\n\nd,NA\ne,7\n')
    status, out, err = run(capsys, str(model), file)
    assert (status, err) == (0, "")
    assert list(csv.reader(io.StringIO(out))) == [
        ["id", "fuel", "predicted kids", "probability of kids = 1", "probability of kids = 2"],
        ["a,b", "0.1", "1", "0.5", "0.5"],
        ["c", "", "", "", ""],
        ["d", "NA", "", "", ""],
        ["e", "7", "1", "0.5", "0.5"],
    ]
    rows = json.loads(run(capsys, str(model), file, "--json")[1])
    assert rows[0] == {
        "id": "a,b", "fuel": "0.1", "predicted kids": 1, "probability of kids = 1": 0.5, "probability of kids = 2": 0.5,
    }  # fmt: skip
    assert rows[1]["predicted kids"] is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("id,fuel\n1,0.2\n2,much\n", "data.csv, line 3, column fuel: 'much' is not a number."),
        ('id,fuel\n"1\n1",0.2\n2,inf\n', "data.csv, line 4, column fuel: 'inf' is not a finite number."),
        ("id,petrol\n1,0.2\n", "data.csv, line 1: The column 'fuel' is missing. The model reads: fuel."),
        ("fuel,fuel\n1,2\n", "line 1: The column 'fuel' is there twice."),
        ("id,fuel\n1,0.2\n2\n", "data.csv, line 3: 1 values where the first line names 2 columns."),
        ('id,fuel\n1,"0.2\n', "line 2: This is no CSV"),
        ("", "line 1: The column 'fuel' is missing."),
    ],
)
def test_what_cannot_be_read_is_told_with_file_line_and_column(
    capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path, text: str, sentence: str
) -> None:
    status, out, err = run(capsys, str(model), data(tmp_path / "data.csv", text))
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_files_that_are_none_or_do_not_belong_together_are_refused(
    capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path
) -> None:
    rows = data(tmp_path / "data.csv", "fuel\n0.1\n")
    saved(tmp_path / "other" / "model.npz", HOUSEHOLDS)
    assert run(capsys, str(tmp_path / "none.npz"), rows)[0] == 3
    assert run(capsys, rows, rows)[0] == 2
    status, _, err = run(capsys, str(model), rows, "--card", str(tmp_path / "other" / "card.json"))
    assert status == 6
    assert "The model is not the one that its card names." in err
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK")
    assert "no file of arrays" in run(capsys, str(broken), rows)[2]
    (tmp_path / "job.json").unlink()
    status, _, err = run(capsys, str(model), rows, "--dir", str(tmp_path / "nobody"))
    assert status == 3
    assert "not logged in" in err  # the cooperative would have been asked for the job


def test_a_household_is_its_rows_or_each_row_by_itself(tmp_path: Path) -> None:
    found = saved(tmp_path / "model.npz", HOUSEHOLDS)
    predictor = Predictor(found.training(), found.model)
    text = "home,kwh,ts\n" + "".join(
        f"{home},{kwh},2014-01-01 {hour:02}:00\n" for home, kwh in (("x", 1.0), ("y", 9.0)) for hour in range(24)
    )
    (tmp_path / "a.csv").write_text(text)
    one = predict(predictor, [Data(tmp_path / "a.csv")], "home")
    assert one.columns == ("home",)
    assert list(one.cells) == [("x",), ("y",)]
    assert one.told.columns == ("centre",)
    centres = [row[0] for row in one.told.rows]
    inputs = found.model["centres"]
    nearest = [min((0, 1), key=lambda place: sum((inputs[place] - at) ** 2)) for at in (-0.8, 0.8)]
    assert centres == nearest
    rows = predict(predictor, [Data(tmp_path / "a.csv")], None)
    assert len(rows.told.rows) == 48
    assert [row[0] is None for row in rows.told.rows[:8]] == [False] * 6 + [True] * 2  # HOUR(ts) < 6 holds for six


def test_several_data_sets_are_told_apart_by_name_and_joined_by_household(tmp_path: Path) -> None:
    found = saved(tmp_path / "model.npz", BOTH)
    predictor = Predictor(found.training(), found.model)
    (tmp_path / "a.csv").write_text("home,kwh\nx,1\nx,3\ny,9\n")
    (tmp_path / "b.csv").write_text("home,fuel\ny,0.1\nx,0.2\nz,0.3\n")
    files = [Data.parse(f"readings={tmp_path / 'a.csv'}"), Data.parse(f"budget={tmp_path / 'b.csv'}")]
    done = predict(predictor, files, "home")
    assert list(done.cells) == [("x",), ("y",), ("z",)]
    assert done.told.rows[0][0] == pytest.approx(-0.6)  # the mean of 1 and 3, standardised by its bounds
    assert [row[0] is None for row in done.told.rows] == [False, False, True]
    for wrong, household, words in (
        (files, None, "reads 2 data sets"),
        (files[:1], "home", "also reads budget"),
        ([Data(tmp_path / "a.csv")], "home", "not said which data set"),
        ([*files, files[0]], "home", "'readings' is not wanted here"),
    ):
        with pytest.raises(InvalidInput, match=words):
            predict(predictor, wrong, household)
