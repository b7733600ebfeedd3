"""What the researchers of the demo ask: the job as it was given, what it costs, and a commercial one beside it."""

from __future__ import annotations

import json
import math
from pathlib import Path

from vicinia.assembly.jobspec import JobSpec
from vicinia.errors import InvalidInput
from vicinia.privacy.conversion import rho_to_epsilon
from vicinia.query.dataset import DataSet
from vicinia.query.plan import compile_query

__all__ = ["Question"]

HERE = Path(__file__).resolve().parent


class Question:
    """The members' job, read from a file."""

    def __init__(self, path: Path | None) -> None:
        self.path = path or HERE / "JOB.toml"
        self.spec = JobSpec.parse_toml(self.path.read_text(), self.path.name)

    @property
    def query(self) -> str:
        """What is asked of the data."""
        return self.spec.query or ""

    def check(self, definition: DataSet) -> None:
        """Refuse a job that does not fit the data before anything is founded."""
        try:
            compile_query(self.query, {definition.name: definition})
        except InvalidInput as error:
            hint = f"{error.hint} The map declares {definition.name!r}; a job for it is given with --job JOB.toml."
            raise InvalidInput(error.what, where=f"{self.path.name}, {error.where}", hint=hint.strip()) from error

    @property
    def epsilon(self) -> str:
        """The job's epsilon, rounded up: what the consenting households allow."""
        if self.spec.epsilon is not None:
            return str(self.spec.epsilon)
        return f"{math.ceil(rho_to_epsilon(self.spec.rho_nano or 0) * 1000) / 1000:.3f}"

    def commercial(self, folder: Path) -> Path:
        """The same query for a commercial purpose, as a file in the folder."""
        path = folder / "COMMERCIAL.toml"
        text = (HERE / "COMMERCIAL.toml").read_text()
        path.write_text(text.replace('"@QUERY@"', json.dumps(self.query)))
        return path
