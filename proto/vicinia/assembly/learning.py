"""What a training job asks for, as it stands in the job that is voted on: names and whole numbers, nothing computed.

Whether a home can do it, and what it comes to, says `vicinia.training`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from vicinia.assembly.codec import Choice, Flag, Integer, Items, Maybe, Nested, Text
from vicinia.assembly.payload import Digest, Payload
from vicinia.errors import InvalidInput

__all__ = ["STANDARDS", "UNITS", "Chosen", "Clip", "Input", "Parameter", "TrainingPlan"]

UNITS = ("row", "household")
STANDARDS = ("bounds", "private")
MAX_INPUTS = 200
MAX_RUNS = 1_000
MAX_HOLDOUT_NANO = 900_000_000

_Name = Annotated[str, Text(40, r"[A-Za-z][A-Za-z0-9_]*", "a name of letters, digits and underscores")]
_Nano = Annotated[int, Integer(1, 10**15)]


@dataclass(frozen=True, slots=True)
class Input(Payload):
    """One feature, or the target: `value` is an expression of the SQL subset over one row of the data set.

    `where` is a predicate of the subset; it may only be there where a household is one example.
    """

    dataset: Annotated[str, Text(40)]
    value: Annotated[str, Text(400)]
    where: Annotated[str, Text(1000, empty=True)]

    @property
    def label(self) -> str:
        """The input in one line."""
        return f"{self.value} where {self.where}" if self.where else self.value


@dataclass(frozen=True, slots=True)
class Parameter(Payload):
    """A parameter of a recipe or a strategy; real ones in 10^-9."""

    name: _Name
    value: Annotated[int, Integer(-(10**15), 10**15)]


@dataclass(frozen=True, slots=True)
class Chosen(Payload):
    """A recipe or a strategy by name and version, with every one of its parameters, by ascending name."""

    name: _Name
    version: Annotated[int, Integer(1, 1_000)]
    parameters: Annotated[tuple[Parameter, ...], Items(Nested(Parameter.from_payload), high=40)]

    def __post_init__(self) -> None:
        names = [parameter.name for parameter in self.parameters]
        if names != sorted(set(names)):
            raise InvalidInput("The parameters must have different names, in ascending order.", where="parameters")

    @property
    def values(self) -> dict[str, int]:
        """The parameters by name."""
        return {parameter.name: parameter.value for parameter in self.parameters}

    @classmethod
    def of(cls, name: str, version: int, values: dict[str, int]) -> Chosen:
        """From a mapping in any order."""
        return cls(name, version, tuple(Parameter(key, values[key]) for key in sorted(values)))


@dataclass(frozen=True, slots=True)
class Clip(Payload):
    """The norm that updates are cut to: at first `initial`, then moved at `rate` towards where the share `quantile` of
    homes is not cut (Andrew et al. 2021); rate 0 leaves it where it is. All in 10^-9."""

    initial_nano: _Nano
    quantile_nano: Annotated[int, Integer(1, 10**9 - 1)]
    rate_nano: Annotated[int, Integer(0, 10**9)]


@dataclass(frozen=True, slots=True)
class TrainingPlan(Payload):
    """The whole plan of a training job, on which the members vote at once.

    `unit`: each row of a home is an example, or the household is one; `where` picks rows and belongs to `row`.
    `examples`: how many a home brings at most. `standardise`: numbers among the inputs are scaled by their registered
    bounds, or by mean and deviation, which a first round finds out privately. `rounds` are wanted, `spare` more may be
    spent on rounds that fail. `holdout_nano`: the share of homes, in 10^-9, that evaluate each round's model and do not
    train; with any, a closing round evaluates the last model. `initial`: the model before the first round, by its hash;
    `initial_given`: it is one that the researcher brings, else the recipe's own. A plan without rounds only evaluates a
    model that the researcher brings: every home does, in one run.
    """

    unit: Annotated[str, Choice(UNITS)]
    inputs: Annotated[tuple[Input, ...], Items(Nested(Input.from_payload), low=1, high=MAX_INPUTS)]
    target: Annotated[Input | None, Maybe(Nested(Input.from_payload))]
    where: Annotated[str, Text(1000, empty=True)]
    examples: Annotated[int, Integer(1, 10_000)]
    standardise: Annotated[str, Choice(STANDARDS)]
    recipe: Annotated[Chosen, Nested(Chosen.from_payload)]
    strategy: Annotated[Chosen | None, Maybe(Nested(Chosen.from_payload))]
    clip: Annotated[Clip | None, Maybe(Nested(Clip.from_payload))]
    rounds: Annotated[int, Integer(0, MAX_RUNS)]
    spare: Annotated[int, Integer(0, MAX_RUNS)]
    holdout_nano: Annotated[int, Integer(0, MAX_HOLDOUT_NANO)]
    initial: Digest
    initial_given: Annotated[bool, Flag()]

    def __post_init__(self) -> None:
        everything = (*self.inputs, self.target) if self.target is not None else self.inputs
        twice = next((one for place, one in enumerate(self.inputs) if one in self.inputs[:place]), None)
        if twice is not None:
            raise InvalidInput(f"The feature {twice.label!r} is there twice.", where="training.features")
        if self.target is not None and self.target in self.inputs:
            raise InvalidInput(
                f"The target {self.target.label!r} is also a feature.",
                where="training.features",
                hint="Take it out of the features: it is what is to be predicted.",
            )
        if self.unit == "household" and (self.where or self.examples != 1):
            raise InvalidInput("A household is one example: its inputs have conditions of their own.", where="training")
        if self.unit == "row" and (len({one.dataset for one in everything}) > 1 or any(o.where for o in everything)):
            raise InvalidInput("Examples that are rows come from one data set, under one condition.", where="training")
        if self.only_evaluates and not self.initial_given:
            raise InvalidInput("Without a round there is no model but one that is brought.", where="training.rounds")
        if self.only_evaluates and (self.holdout_nano or self.scaling or self.strategy or self.clip):
            raise InvalidInput(
                "Where nobody trains, no home is held out, and there is nothing to standardise, to clip, or to step.",
                where="training.rounds",
            )

    @property
    def runs(self) -> int:
        """Rounds, spare ones, the first and the closing one: what consent and budget are asked for."""
        return self.scaling + self.rounds + self.spare + self.closing

    @property
    def scaling(self) -> int:
        """1 where a first round standardises the inputs and does not train, else 0."""
        return 1 if self.standardise == "private" else 0

    @property
    def closing(self) -> int:
        """1 where a last round only evaluates, else 0."""
        return 1 if self.holdout_nano or self.only_evaluates else 0

    @property
    def only_evaluates(self) -> bool:
        """Whether nobody trains: the model that the researcher brings is measured, and stays as it is."""
        return self.rounds == 0

    @property
    def beginning(self) -> str:
        """What is done with a model that the researcher brings; empty where there is none."""
        does = "evaluates" if self.only_evaluates else "starts from"
        return f"{does} the researcher's own model, sha256 {self.initial.hex()}" if self.initial_given else ""

    @property
    def sentence(self) -> str:
        """What is learnt from what, or evaluated on what, in one line."""
        inputs, target = ", ".join(one.label for one in self.inputs), self.target
        if self.only_evaluates:
            aim = f"which predicts {target.label} from" if target is not None else "on"
            return f"Evaluate the researcher's own model ({self.recipe.name}), {aim} {inputs}"
        aim = f" to predict {target.label}" if target is not None else ""
        begin = ", starting from the researcher's own model" if self.initial_given else ""
        return f"Train a model ({self.recipe.name}){aim} from {inputs}{begin}"

    @property
    def datasets(self) -> tuple[str, ...]:
        """The data sets that it reads, in the order of the inputs."""
        named = [one.dataset for one in self.inputs] + ([self.target.dataset] if self.target is not None else [])
        return tuple(dict.fromkeys(named))
