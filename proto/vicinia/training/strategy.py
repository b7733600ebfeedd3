"""What the coordinator does with a round's average: the strategies of Flower that are right over one average.

A strategy is allowed where Flower's step reads nothing but the weighted mean of the homes' models, for that is all that
secure aggregation shows. Every other one is refused with its own reason: over one reply it would run, and be wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Self

from vicinia.errors import InvalidInput, nearest
from vicinia.training.parameter import NANO, Parameter
from vicinia.training.refusal import REFUSED

__all__ = ["STRATEGIES", "Strategy"]

_ETA = "The server's step; 0.01 to 1 is usual."
_MOMENTUM = "0.9 is usual; it must stay below 1."
_STEP = Parameter(1, 100 * NANO, NANO // 10, _ETA)
_BETA_1 = Parameter(0, NANO - 1, 9 * NANO // 10, _MOMENTUM)
_BETA_2 = Parameter(0, NANO - 1, 99 * NANO // 100, "0.99 is usual; it must stay below 1.")
_TAU = Parameter(1, NANO, NANO // 1000, "Keeps the step finite where nothing changed; 0.001 is usual.")

STRATEGIES: Mapping[str, Mapping[str, Parameter]] = MappingProxyType(
    {
        "FedAvg": MappingProxyType({}),
        "FedProx": MappingProxyType(
            {"proximal_mu": Parameter(1, 1000 * NANO, hint="0.001 to 1 is usual; with 0 it is FedAvg.")}
        ),
        "FedAvgM": MappingProxyType(
            {
                "server_learning_rate": Parameter(1, 100 * NANO, NANO, _ETA),
                "server_momentum": Parameter(0, NANO - 1, hint=_MOMENTUM),
            }
        ),
        "FedAdam": MappingProxyType({"eta": _STEP, "beta_1": _BETA_1, "beta_2": _BETA_2, "tau": _TAU}),
        "FedYogi": MappingProxyType(
            {"eta": Parameter(1, 100 * NANO, NANO // 100, _ETA), "beta_1": _BETA_1, "beta_2": _BETA_2, "tau": _TAU}
        ),
        "FedAdagrad": MappingProxyType({"eta": _STEP, "tau": _TAU}),
    }
)
"""Every strategy with its parameters under Flower's names and with Flower's defaults.

Where Flower's default would make a strategy FedAvg under another name there is none.
"""

_ELSEWHERE = {
    "eta_l": "Flower's server does not use it: the homes' step is the recipe's learning rate.",
    **dict.fromkeys(
        ("fraction_train", "min_train_nodes", "min_available_nodes", "num_sampled_clients"),
        "Who takes part is decided by consent and by the job's floor.",
    ),
    **dict.fromkeys(
        ("fraction_evaluate", "min_evaluate_nodes", "evaluate_metrics_aggr_fn", "train_metrics_aggr_fn"),
        "Metrics are aggregated securely; the job's evaluation says which.",
    ),
}


@dataclass(frozen=True, slots=True)
class Strategy:
    """One allowed strategy; `parameters` are all of its parameters in 10^-9, by name in alphabetical order."""

    name: str
    parameters: tuple[tuple[str, int], ...] = ()

    @classmethod
    def from_payload(cls, value: Any, where: str = "strategy") -> Self:
        """The inverse of `payload`: every parameter stands there, defaults too; InvalidInput names what is wrong."""
        if not isinstance(value, dict) or set(value) != {"name", "parameters"}:
            raise InvalidInput("This must be an object with name and parameters.", where=where)
        known = _known(value["name"], f"{where}.name")
        given = value["parameters"]
        if not isinstance(given, dict):
            raise InvalidInput("This must be an object.", where=f"{where}.parameters")
        for key in sorted(known.keys() ^ given.keys()):
            fault = "unknown" if key in given else "missing"
            raise InvalidInput(f"The parameter {key[:80]!r} is {fault}.", where=f"{where}.parameters")
        return cls(
            value["name"],
            tuple((key, known[key].check(given[key], f"{where}.parameters.{key}")) for key in sorted(known)),
        )

    @classmethod
    def parse(cls, table: Mapping[str, Any], where: Callable[[str], str] = "strategy.{}".format) -> Self:
        """A TOML table as people write it: `name` and decimal parameters; what is not written takes its default.

        `where` is how errors call a key of the table, such as `TomlFile.where`.
        """
        if "name" not in table:
            raise InvalidInput("The key 'name' is missing.", where=where("name"), hint='Such as: name = "FedAvg".')
        name = table["name"]
        known = _known(name, where("name"))
        for key in table:
            if key not in known and key != "name":
                raise InvalidInput(f"{name} has no parameter {key!r}.", where=where(key), hint=_hint(key, known))
        return cls(
            name, tuple((key, _value(name, key, known[key], table.get(key), where(key))) for key in sorted(known))
        )

    def payload(self) -> dict[str, Any]:
        """The JSON object of a statement: whole numbers of 10^-9 only."""
        return {"name": self.name, "parameters": dict(self.parameters)}

    def numbers(self) -> dict[str, float]:
        """The parameters as Flower takes them: the nearest doubles, by Flower's names."""
        return {key: nano / NANO for key, nano in self.parameters}


def _known(name: Any, where: str) -> Mapping[str, Parameter]:
    """The parameters of an allowed strategy; InvalidInput with the reason for a refused or unknown one."""
    if not isinstance(name, str):
        raise InvalidInput("The name of a strategy must be text.", where=where)
    if name in STRATEGIES:
        return STRATEGIES[name]
    if name in REFUSED:
        raise InvalidInput(f"{name} is refused: {REFUSED[name].reason}", where=where, hint=REFUSED[name].hint)
    letters = {known.lower(): known for known in (*STRATEGIES, *REFUSED)}
    near = get_close_matches(name[:80].lower(), letters, 1, 0.6)
    hint = f"Did you mean {letters[near[0]]}?" if near else f"There are: {', '.join(STRATEGIES)}."
    raise InvalidInput(f"{name[:80]!r} is no strategy.", where=where, hint=hint)


def _value(name: str, key: str, parameter: Parameter, value: Any, where: str) -> int:
    """What is written, or the default."""
    if value is not None:
        return parameter.read(value, where)
    if parameter.default is None:
        raise InvalidInput(f"{name} needs {key}.", where=where, hint=parameter.hint)
    return parameter.default


def _hint(key: str, known: Mapping[str, Parameter]) -> str:
    """What to do about a parameter that is not there."""
    if key in _ELSEWHERE:
        return _ELSEWHERE[key]
    return nearest(key, known, f"It has: {', '.join(known)}." if known else "It has none.")
