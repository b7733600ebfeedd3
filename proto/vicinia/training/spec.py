"""The sections [training] and [evaluation] of a JOB.toml: how a researcher writes a training plan down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from vicinia.assembly.jobspec import SECTIONS
from vicinia.assembly.learning import MAX_HOLDOUT_NANO, STANDARDS, UNITS, Chosen, Clip, Input, TrainingPlan
from vicinia.assembly.payload import decode_field
from vicinia.assembly.toml import TomlFile
from vicinia.errors import InvalidInput, ViciniaError
from vicinia.query.dataset import DataSet
from vicinia.training.beginning import require_arrays
from vicinia.training.compiled import Training, compile_training
from vicinia.training.design import compile_design, registered
from vicinia.training.model import Model
from vicinia.training.parameter import NANO, Parameter
from vicinia.training.registry import recipe_class
from vicinia.training.settings import from_file
from vicinia.training.strategy import Strategy

__all__ = ["training_of"]

_KEYS = (
    "dataset", "features", "target", "where", "unit", "examples", "recipe", "parameters", "strategy", "clip", "rounds",
    "spare", "holdout", "standardise", "initial",
)  # fmt: skip
_MEASURING = ("model", "dataset", "features", "target", "where", "unit", "examples", "recipe", "parameters", "spare")
_TRAINING, _EVALUATION = SECTIONS
DEFAULT_CLIP = Clip(10**9, 5 * 10**8, 2 * 10**8)
DEFAULT_EXAMPLES = 32
CLIP = {
    "initial": Parameter(1, 10**6 * NANO, hint="It is the length that updates are cut to at first, above 0."),
    "quantile": Parameter(1, NANO - 1, hint="It is a share of the homes, above 0 and below 1."),
    "rate": Parameter(0, NANO, hint="It is how fast the length moves; 0 leaves it where it is."),
}
HOLDOUT = Parameter(0, MAX_HOLDOUT_NANO, hint="It is a share of the homes: 0.2 is one in five.")


def training_of(file: TomlFile, definitions: Mapping[str, DataSet], initial: Model | None = None) -> Training:
    """The compiled plan of a file, its defaults filled in; InvalidInput whose `where` is `file:line: key`.

    initial: the model in the file that the key `initial` of a training, or `model` of an evaluation, names, which the
    caller has read.
    """
    section = _EVALUATION if _EVALUATION in file.table else _TRAINING
    table = file.table.get(section)
    if not isinstance(table, Mapping):
        raise InvalidInput(f"The section [{section}] is missing.", where=file.name)
    keys = _MEASURING if section == _EVALUATION else _KEYS
    file.only(table, keys, section)
    for key in ("features", "recipe", *(["model"] if section == _EVALUATION else [])):
        if key not in table:
            raise InvalidInput(f"The key {key!r} is missing.", where=file.where(section), hint=_HINTS[key])
    try:
        return _compiled(file, table, definitions, initial)
    except ViciniaError as error:
        error.where = _placed(error.where, file, section, keys)
        raise


def _placed(where: str, file: TomlFile, section: str, keys: Sequence[str]) -> str:
    """A field of the plan as the place in the file that says it."""
    if where == _TRAINING:
        return file.where(section)
    field = where.removeprefix("training.").partition("[")[0].partition(".")[0]
    key = "model" if (section, field) == (_EVALUATION, "initial") else field
    if not where.startswith("training") or key not in keys:
        return where
    return file.where(key, section) + where.removeprefix(f"training.{field}")


def _compiled(
    file: TomlFile, table: Mapping[str, Any], definitions: Mapping[str, DataSet], initial: Model | None
) -> Training:
    known = recipe_class(_text(table, "recipe"))
    if "dataset" in table:
        registered(_text(table, "dataset"), definitions, "training.dataset")
    unit = table.get("unit", "row")
    if unit not in UNITS:
        raise InvalidInput(f"{unit!r} is not one of {', '.join(UNITS)}.", where="training.unit")
    evaluates = "model" in table
    inputs = tuple(_input(table, one) for one in _features(table))
    draft = TrainingPlan(
        unit=unit,
        inputs=inputs,
        target=_input(table, table["target"]) if "target" in table else None,
        where=_text(table, "where") if "where" in table else "",
        examples=_whole(table, "examples", DEFAULT_EXAMPLES if unit == "row" else 1),
        standardise=_standard(table),
        recipe=Chosen(known.name, known.version, ()),
        strategy=_strategy(file, table.get("strategy")),
        clip=_clip(file, table.get("clip")),
        rounds=0 if evaluates else _rounds(table),
        spare=_whole(table, "spare", 0),
        holdout_nano=_share(table),
        initial=bytes(32),
        initial_given=evaluates or "initial" in table,
    )
    if draft.initial_given and initial is None:
        raise InvalidInput("This must be the path of a model, and nothing was read there.", where="training.initial")
    return _completed(draft, known, table, definitions, initial)


def _completed(
    draft: TrainingPlan,
    known: Any,
    table: Mapping[str, Any],
    definitions: Mapping[str, DataSet],
    initial: Model | None,
) -> Training:
    """What follows from the recipe: its parameters, how many rounds it takes, where it begins, who takes its step."""
    given = dict(table.get("parameters", {}))
    if draft.strategy is not None and draft.strategy.name == "FedProx":  # whose one parameter is the homes' own
        given.setdefault("proximal", Decimal(draft.strategy.values["proximal_mu"]) / NANO)
    values = from_file(known.settings, given, "training.parameters")
    design = compile_design(draft, definitions, counts=known.name == "poisson")
    recipe = known.of(design.dimensions, values)
    changes = draft.payload() | {
        "recipe": Chosen.of(known.name, known.version, values).payload(),
        "initial": (recipe.initial() if initial is None else initial).digest.hex(),
    }
    rounds = recipe.rounds()
    if "rounds" not in table and not draft.only_evaluates:
        if rounds is None:
            raise InvalidInput("The key 'rounds' is missing.", where="training.recipe", hint="Such as: rounds = 4.")
        changes["rounds"] = rounds
    if hasattr(recipe, "mean_update") and not draft.only_evaluates:
        changes["strategy"] = changes["strategy"] or Chosen.of("FedAvg", 1, {}).payload()
        changes["clip"] = changes["clip"] or DEFAULT_CLIP.payload()
    training = compile_training(TrainingPlan.from_payload(changes, "training"), definitions)
    if initial is not None:
        require_arrays(training.template, initial, where="training.initial")
    return training


def _features(table: Mapping[str, Any]) -> list[Any]:
    features = table["features"]
    if not isinstance(features, list) or not features:
        raise InvalidInput("This must be a list of features.", where="training.features", hint=_HINTS["features"])
    return features


def _input(table: Mapping[str, Any], value: Any) -> Input:
    """A feature as text, or as a table with its own data set and condition."""
    if isinstance(value, str):
        value = {"value": value}
    if not isinstance(value, Mapping) or not {"value"} <= value.keys() <= {"value", "where", "dataset"}:
        raise InvalidInput(
            "A feature is a text, or has value and perhaps where and dataset.",
            where="training.features",
            hint='Such as: {dataset = "readings", value = "kwh", where = "HOUR(ts) < 6"}.',
        )
    dataset = value.get("dataset", table.get("dataset"))
    if dataset is None:
        raise InvalidInput("The key 'dataset' is missing.", where="training", hint=_HINTS["dataset"])
    payload = {"dataset": dataset, "value": value["value"], "where": value.get("where", "")}
    return Input.from_payload(payload, "training.features")


def _strategy(file: TomlFile, table: Any) -> Chosen | None:
    if table is None:
        return None
    if not isinstance(table, Mapping):
        raise InvalidInput('Write a section: [training.strategy] with name = "FedAvg".', where="training.strategy")
    strategy = Strategy.parse(table, lambda key: file.where(key, "training.strategy"))
    return Chosen.of(strategy.name, 1, dict(strategy.parameters))


def _clip(file: TomlFile, table: Any) -> Clip | None:
    if table is None:
        return None
    section = "training.clip"
    if not isinstance(table, Mapping):
        raise InvalidInput("Write a section: [training.clip] with initial = 1.0.", where=section)
    file.only(table, CLIP, section)
    read = {f"{key}_nano": CLIP[key].read(value, file.where(key, section)) for key, value in table.items()}
    return Clip.from_payload(DEFAULT_CLIP.payload() | read, section)


def _share(table: Mapping[str, Any]) -> int:
    return HOLDOUT.read(table.get("holdout", 0), "training.holdout")


def _standard(table: Mapping[str, Any]) -> str:
    value = _text(table, "standardise") if "standardise" in table else STANDARDS[0]
    if value not in STANDARDS:
        raise InvalidInput(f"{value!r} is not one of {', '.join(STANDARDS)}.", where="training.standardise")
    return value


def _rounds(table: Mapping[str, Any]) -> int:
    rounds = _whole(table, "rounds", 1)
    if rounds == 0:
        hint = "To evaluate a model that you have, write a section [evaluation]."
        raise InvalidInput("A training has at least one round.", where="training.rounds", hint=hint)
    return rounds


def _whole(table: Mapping[str, Any], key: str, default: int) -> int:
    return int(decode_field(TrainingPlan, key, table.get(key, default), f"training.{key}"))


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table[key]
    if not isinstance(value, str):
        raise InvalidInput("This must be text.", where=f"training.{key}")
    return value


_HINTS = {
    "model": 'Name the file of the model that is evaluated: model = "model.safetensors".',
    "features": 'Name what the model may see: features = ["food", "age"].',
    "recipe": 'Name how it is trained: recipe = "logistic".',
    "dataset": 'Name the data set: dataset = "budget".',
}
