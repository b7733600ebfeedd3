"""A model whose card is at hand is taken for what it was trained as, in a training and an evaluation, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from simulator_village import MAP
from vicinia.assembly.toml import TomlFile
from vicinia.coordinator.client.initial import initial_model, require_as_trained
from vicinia.errors import InvalidInput
from vicinia.query.mapping import parse_map
from vicinia.tlog.canonical import canonical
from vicinia.training.card import _FIELDS, seen_by
from vicinia.training.compiled import Training
from vicinia.training.spec import training_of

KNOWN = {"budget": parse_map(MAP)[0]}
MLP = 'recipe = "mlp"\nfeatures = ["fuel"]\ntarget = "kids"\ndataset = "budget"\nrounds = 1\n'
LOGISTIC = MLP.replace("mlp", "logistic")


def read(section: str, folder: Path) -> Training:
    """A job with this section, as the client reads it."""
    file = TomlFile.parse(section, "JOB.toml")
    training = training_of(file, KNOWN, initial_model(file, folder))
    require_as_trained(file, folder, training)
    return training


def kept(section: str, folder: Path, name: str = "mine.card.json", **changes: Any) -> Training:
    """The first model of that training in a file, with its card in another."""
    training = training_of(TomlFile.parse(f"[training]\n{section}", "JOB.toml"), KNOWN)
    fields = dict.fromkeys(_FIELDS) | {
        "v": 1,
        **seen_by(training),
        "recipe": training.plan.recipe.payload(),
        "model": training.template.digest.hex(),
        **changes,
    }
    (folder / "mine.safetensors").write_bytes(training.template.to_bytes())
    (folder / name).write_bytes(canonical(fields))
    return training


def begins(section: str) -> str:
    return f'[training]\ninitial = "mine.safetensors"\n{section}'


def evaluates(section: str) -> str:
    return f'[evaluation]\nmodel = "mine.safetensors"\n{section}'.replace("rounds = 1\n", "")


@pytest.mark.parametrize("job", [begins, evaluates])
@pytest.mark.parametrize("name", ["mine.card.json", "card.json", "last-year.card.json"])
def test_a_model_goes_on_as_it_was_trained(tmp_path: Path, job: Any, name: str) -> None:
    made = kept(MLP, tmp_path, name)
    faster = f"{MLP}[{'training' if job is begins else 'evaluation'}.parameters]\nlearning_rate = 0.5\n"
    assert read(job(MLP), tmp_path).plan.initial == made.template.digest
    assert read(job(faster), tmp_path).plan.initial == made.template.digest


@pytest.mark.parametrize(("job", "key"), [(begins, "training.initial"), (evaluates, "evaluation.model")])
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('["fuel"]', '["fuel * fuel"]', r"trained on fuel of budget, .* where this job has fuel \* fuel of budget"),
        ("rounds = 1", "rounds = 1\nPARAMETERS\nactivation = 1", "trained with activation = 0, and this job has 1"),
    ],
)
def test_what_its_numbers_would_not_mean_is_refused(
    tmp_path: Path, job: Any, key: str, old: str, new: str, words: str
) -> None:
    kept(MLP, tmp_path)
    text = job(MLP.replace(old, new)).replace("PARAMETERS", f"[{key.partition('.')[0]}.parameters]")
    with pytest.raises(InvalidInput, match=f"{words}.*: so says its card") as refusal:
        read(text, tmp_path)
    assert refusal.value.where == f"JOB.toml:2: {key}"
    assert ("move its card to another folder" in refusal.value.hint) == (job is begins)
    (tmp_path / "mine.card.json").unlink()
    read(text, tmp_path)


@pytest.mark.parametrize("job", [begins, evaluates])
def test_another_recipe_is_told_before_the_arrays_that_do_not_fit(tmp_path: Path, job: Any) -> None:
    kept(LOGISTIC, tmp_path)
    with pytest.raises(InvalidInput, match="one of the recipe 'logistic', not 'mlp': so says its card") as refusal:
        read(job(MLP), tmp_path)
    assert refusal.value.where.startswith("JOB.toml:3: ")
    (tmp_path / "mine.card.json").unlink()
    with pytest.raises(InvalidInput, match="no model of this recipe has"):
        read(job(MLP), tmp_path)


def test_inputs_are_not_put_on_another_scale_after_the_first_round(tmp_path: Path) -> None:
    kept(LOGISTIC, tmp_path)
    text = begins(f'standardise = "private"\n{LOGISTIC}')
    with pytest.raises(InvalidInput, match="measured by their bounds, here by mean and deviation") as refusal:
        read(text, tmp_path)
    assert refusal.value.hint.startswith("Leave `standardise` out.")


@pytest.mark.parametrize(
    "changes", [{"model": "00" * 32}, {"recipe": 5}, {"inputs": 5}, {"v": 2}, {"recipe": {"name": "mlp"}}]
)
def test_what_is_no_card_of_the_model_says_nothing(tmp_path: Path, changes: dict[str, Any]) -> None:
    kept(MLP, tmp_path, **changes)
    read(begins(MLP.replace('["fuel"]', '["fuel * fuel"]')), tmp_path)
