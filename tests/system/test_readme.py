"""What the documents say can be typed, can be typed."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from data import PROJECT
from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.jobspec import JobSpec
from vicinia.assembly.standing import StandingVote
from vicinia.assembly.toml import TomlFile
from vicinia.query.mapping import parse_map
from vicinia.training.compiled import Training
from vicinia.training.parameter import decimal_text
from vicinia.training.refusal import REFUSED
from vicinia.training.registry import RECIPES, recipe_class
from vicinia.training.spec import DEFAULT_CLIP, training_of
from vicinia.training.strategy import STRATEGIES

README = (PROJECT / "README.md").read_text()
FORMATS = (PROJECT / "docs" / "formats.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.system
def test_the_cooperative_and_the_model_by_hand(tmp_path: Path) -> None:
    """Both sections in one shell, as a person types them; only the vote is shorter than a person needs."""
    found, train = [block for block in blocks(README, "bash") if "vicinia-coordinator" in block]
    script = found.replace("vote_seconds = 60", "vote_seconds = 20") + train
    (tmp_path / "deploy").symlink_to(PROJECT / "deploy")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    said = tmp_path / "said"
    with said.open("w") as out:
        shell = subprocess.Popen(
            ["bash", "-euc", script], cwd=tmp_path, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            status = shell.wait(timeout=300)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGTERM)
    text = said.read_text()
    assert status == 0, text
    assert "Traceback" not in text
    for words in (
        "Fuel in families with children",
        "has not voted",
        "The closing round is released",
        "Replayed: this model was computed again here",
        "income,age,predicted food\n130,25,0.",
        "bruno: 2 records, none changed or missing.",
    ):
        assert words in text
    saved = tmp_path / "valley"
    assert {path.name for path in (saved / "model").iterdir()} == {"model.safetensors", "card.json", "job.json"}
    assert "<title" in (saved / "curve.svg").read_text()


def test_no_invitation_stands_among_the_words_of_a_command() -> None:
    """Everybody on the machine can see those, and an invitation is a secret until it is redeemed."""
    redeeming = re.findall(r"^[^#\n]*\b(?:login|join)\b.*$", "".join(blocks(README, "bash")), re.MULTILINE)
    assert len(redeeming) == 4
    assert [line for line in redeeming if "$(" in line or "vicinia1." in line] == []


@pytest.mark.parametrize("command", sorted(set(re.findall(r"^(\./run \w+)", README, re.MULTILINE))))
def test_every_task_of_the_readme_is_there(command: str) -> None:
    shown = subprocess.run([sys.executable, str(PROJECT / "run"), "--help"], capture_output=True, text=True, check=True)
    assert command in shown.stdout


@pytest.mark.parametrize("name", re.findall(r"\]\(([^)#]+)\)", README + FORMATS))
def test_every_link_leads_somewhere(name: str) -> None:
    assert (PROJECT / name).exists() or (PROJECT / "docs" / name).exists()


def test_the_formats_are_accepted_as_shown() -> None:
    mapping, wide, job, _, _, _, rules = blocks(FORMATS, "toml")
    dataset, _ = parse_map(mapping)
    assert [column.name for column in dataset.columns] == ["fuel", "kids", "ts"]
    dataset, readings = parse_map(wide)
    assert [column.name for column in dataset.columns] == ["kwh", "ts"]
    record = {"VID": 1, "week": 44, **{f"V{place:03}": 0.25 for place in range(1, 673)}}
    assert set(readings.needs()) == set(record)
    rows = readings.rows(record)
    assert isinstance(rows, list)
    assert len(rows) == 672
    rows = re.findall(r"^\| (`.*?) \| (.*?) \|", FORMATS, re.MULTILINE)
    stated = [pair for names, values in rows for pair in zip(names.split(", "), values.split(", "), strict=True)]
    assert ByLaws.from_toml("\n".join(f"{name.strip('`')} = {value}" for name, value in stated)) == ByLaws()
    assert JobSpec.parse_toml(job).title == "Fuel in families with children"
    assert [rule.vote for rule in StandingVote.parse_toml(rules, 0, known_words=True).rules] == ["no", "yes"]


def trainings() -> list[Training]:
    """The plans that the document shows, over the data sets that it shows."""
    mapping, wide, _, *shown, _, _ = blocks(FORMATS, "toml")
    definitions = {one.name: one for one in (parse_map(mapping)[0], parse_map(wide)[0])}
    return [training_of(TomlFile.parse(text, "JOB.toml"), definitions) for text in shown]


def test_the_trainings_are_accepted_as_shown() -> None:
    logistic, network = trainings()
    assert JobSpec.parse_toml(blocks(FORMATS, "toml")[3]).query is None
    assert (logistic.plan.rounds, logistic.plan.spare, logistic.plan.examples) == (4, 1, 32)
    assert logistic.plan.holdout_nano == 2 * 10**8
    assert logistic.strategy is None
    assert network.strategy is not None
    assert network.strategy.name == "FedAdam"
    assert network.plan.clip == DEFAULT_CLIP
    assert [one.name for one in network.datasets] == ["readings", "budget"]
    assert network.plan.examples == 1


def test_the_evaluation_is_accepted_as_shown_of_the_model_that_the_training_trains() -> None:
    text, definitions = blocks(FORMATS, "toml")[5], {"budget": parse_map(blocks(FORMATS, "toml")[0])[0]}
    assert JobSpec.parse_toml(text).query is None
    trained = trainings()[0]
    found = training_of(TomlFile.parse(text, "JOB.toml"), definitions, trained.template)
    assert found.plan.only_evaluates
    assert found.design == trained.design


def test_every_recipe_strategy_and_refusal_is_in_the_formats_with_its_parameters() -> None:
    for name in RECIPES:
        (row,) = re.findall(rf"^\| {name} \|.*\| (.*?) \|$", FORMATS, re.MULTILINE)
        stated = dict(re.findall(r"(\w+) \(([\d.]+)", row))
        assert stated == {key: one.text(one.default) for key, one in recipe_class(name).settings.items()}
    for strategy, parameters in STRATEGIES.items():
        (row,) = re.findall(rf"^\| {strategy} \| (.*?) \|$", FORMATS, re.MULTILINE)
        told = dict(re.findall(r"(\w+) \(([\d.]+|needed)\)", row))
        expected = {
            key: "needed" if one.default is None else decimal_text(one.default) for key, one in parameters.items()
        }
        assert told == expected
    assert [name for name in REFUSED if f"`{name}`" not in FORMATS] == []
