"""What the researchers of the demo ask: the job as it was given, what it costs, and a commercial one beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from vicinia.assembly.jobspec import JobSpec
from vicinia.coordinator.client.initial import initial_model
from vicinia.errors import InvalidInput
from vicinia.privacy.conversion import rho_to_epsilon
from vicinia.query.dataset import DataSet
from vicinia.query.plan import compile_query
from vicinia.training.compiled import Training
from vicinia.training.spec import training_of

__all__ = ["Question"]

HERE = Path(__file__).resolve().parent


class Question:
    """The members' job, read from a file: a query, or a training."""

    def __init__(self, path: Path | None) -> None:
        self.path = path or HERE / "JOB.toml"
        self.spec = JobSpec.parse_toml(self.path.read_text(), self.path.name)
        self.training: Training | None = None
        self._any = ""

    @property
    def trains(self) -> bool:
        """Whether it trains a model."""
        return self.spec.query is None

    @property
    def query(self) -> str:
        """What is asked of the data."""
        return self.spec.query or (self.training.plan.sentence if self.training is not None else "")

    def check(self, definitions: Mapping[str, DataSet]) -> None:
        """Refuse a job that does not fit the data before anything is founded."""
        first = next(iter(definitions))
        self._any = f"SELECT COUNT(DISTINCT household) FROM {first}"  # noqa: S608  a registered name
        try:
            if self.trains and self.spec.file is not None:
                initial = initial_model(self.spec.file, self.path.parent)
                self.training = training_of(self.spec.file, definitions, initial)
            else:
                compile_query(self.query, definitions)
        except InvalidInput as error:
            names = " and ".join(map(repr, definitions))
            hint = f"{error.hint} The map declares {names}; a job for it is given with --job JOB.toml."
            where = error.where if error.where.startswith(self.path.name) else f"{self.path.name}, {error.where}"
            raise InvalidInput(error.what, where=where, hint=hint.strip()) from error

    @property
    def epsilon(self) -> str:
        """The job's epsilon, rounded up: what the consenting households allow."""
        if self.spec.epsilon is not None:
            return str(self.spec.epsilon)
        return f"{math.ceil(rho_to_epsilon(self.spec.rho_nano or 0) * 1000) / 1000:.3f}"

    def commercial(self, folder: Path) -> Path:
        """The same query for a commercial purpose (beside a training, a small one), as a file in the folder."""
        path = folder / "COMMERCIAL.toml"
        text = (HERE / "COMMERCIAL.toml").read_text()
        path.write_text(text.replace('"@QUERY@"', json.dumps(self.spec.query or self._any)))
        return path
