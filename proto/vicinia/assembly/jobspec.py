"""JOB.toml: how a researcher writes a job down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from vicinia.assembly.job import Job
from vicinia.assembly.learning import TrainingPlan
from vicinia.assembly.payload import decode_field
from vicinia.assembly.purposes import require_purpose
from vicinia.assembly.toml import TomlFile, exact_nano
from vicinia.errors import InvalidInput

DEFAULT_RETENTION_DAYS = 365
_TEXTS = ("title", "purpose", "why")
_OPTIONAL = ("query", "recipient", "period", "price_cents", "retention_days")
_PRIVACY = ("epsilon", "rho", "floor")
_NOTHING_ASKED = "The key 'query' is missing."
SECTIONS = ("training", "evaluation")
"""What a file can have in place of a query: each is read into a `TrainingPlan`."""


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A parsed JOB.toml: exactly one of `epsilon` and `rho_nano`; what is None takes the cooperative's default.

    `query` is None where the file has a section [training] or [evaluation], which `vicinia.training.spec` reads from
    `file`. The fields' own limits are those of `Job` and are checked when the file is read.
    """

    title: str
    purpose: str
    why: str
    epsilon: Decimal | None
    rho_nano: int | None
    query: str | None = None
    floor: int | None = None
    recipient: str | None = None
    period: tuple[str, str] | None = None
    price_cents: int = 0
    retention_days: int = DEFAULT_RETENTION_DAYS
    file: TomlFile | None = None

    @classmethod
    def parse_toml(cls, text: str, name: str = "JOB.toml") -> JobSpec:
        """Raises InvalidInput whose `where` is `file:line: key`."""
        file = TomlFile.parse(text, name)
        file.only(file.table, (*_TEXTS, *_OPTIONAL, "privacy", *SECTIONS))
        for key in _TEXTS:
            if key not in file.table:
                raise InvalidInput(f"The key {key!r} is missing.", where=name, hint=_HINTS[key])
        asked = [key for key in ("query", *SECTIONS) if key in file.table]
        if len(asked) != 1:
            named = {"query": "a query"} | {section: f"a section [{section}]" for section in SECTIONS}
            what = f"Both {' and '.join(named[key] for key in asked)} are there." if asked else _NOTHING_ASKED
            raise InvalidInput(what, where=file.where(asked[-1]) if asked else name, hint=_HINTS["query"])
        values = {
            key: _checked(file, key, value) for key, value in file.table.items() if key in _TEXTS or key in _OPTIONAL
        }
        privacy = file.table.get("privacy")
        if not isinstance(privacy, Mapping):
            raise InvalidInput("The section [privacy] is missing.", where=name, hint=_HINTS["privacy"])
        return cls(**values, **_privacy(file, privacy), file=file)

    def job(
        self,
        *,
        coop: str,
        researcher: str,
        recipient: str,
        datasets: tuple[str, ...],
        floor: int,
        rho_of_epsilon: Callable[[float], int],
        training: TrainingPlan | None = None,
    ) -> Job:
        """The job itself.

        `recipient` is the accredited kind and `floor` the by-laws', both used where the file is silent; `datasets` are
        the tables that it reads; `rho_of_epsilon` is `vicinia.privacy`'s conversion to 10^-9. Of a `training` the
        file's epsilon or rho is for all of its rounds, spare ones included, and each gets the same share.
        """
        rho_nano = rho_of_epsilon(float(self.epsilon)) if self.epsilon is not None else self.rho_nano
        if training is not None and rho_nano is not None:
            rho_nano //= training.runs
        draft = {
            "coop": coop,
            "kind": "query" if training is None else "train",
            "title": self.title,
            "purpose": self.purpose,
            "why": self.why,
            "researcher": researcher,
            "recipient": self.recipient or recipient,
            "datasets": list(datasets),
            "query": self.query or "",
            "training": None if training is None else training.payload(),
            "period": list(self.period) if self.period else None,
            "rho_nano": rho_nano,
            "floor": floor if self.floor is None else self.floor,
            "price_cents": self.price_cents,
            "retention_days": self.retention_days,
        }
        return Job.from_payload(draft)


_HINTS = {
    "title": 'Say in one line what is asked: title = "Fuel in families with children".',
    "purpose": 'Name a DPV purpose: purpose = "dpv:NonCommercialResearch".',
    "why": 'Say to members in plain words what it is for: why = "...".',
    "query": 'Write the query, query = "SELECT AVG(fuel) FROM budget", or a section [training] or [evaluation].',
    "privacy": "Add [privacy] with epsilon = 1.0 (or rho = 0.02).",
}


def _checked(file: TomlFile, key: str, value: Any, section: str = "") -> Any:
    """The value under the limits that `Job` sets for the field of the same name."""
    if key == "purpose" and isinstance(value, str):
        require_purpose(value, file.where(key, section))
    try:
        return decode_field(Job, key, value)
    except InvalidInput as error:
        raise type(error)(error.what, where=file.where(key, section), hint=error.hint) from error


def _privacy(file: TomlFile, table: Mapping[str, Any]) -> dict[str, Any]:
    """epsilon or rho, and the floor."""
    file.only(table, _PRIVACY, "privacy")
    if ("epsilon" in table) == ("rho" in table):
        key = "rho" if "rho" in table else ""
        raise InvalidInput(
            "Both epsilon and rho are given." if key else "Neither epsilon nor rho is given.",
            where=file.where(key, "privacy") if key else file.where("privacy"),
            hint="State exactly one of them: epsilon = 1.0 or rho = 0.02.",
        )
    epsilon = rho = floor = None
    if "epsilon" in table:
        exact_nano(table["epsilon"], file.where("epsilon", "privacy"))
        epsilon = Decimal(cast("int | Decimal", table["epsilon"]))
    else:
        rho = exact_nano(table["rho"], file.where("rho", "privacy"))
    if "floor" in table:
        floor = _checked(file, "floor", table["floor"], "privacy")
    return {"epsilon": epsilon, "rho_nano": rho, "floor": floor}
