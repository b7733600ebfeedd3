"""From the text of a JOB.toml to what it computes."""

from __future__ import annotations

from collections.abc import Mapping

from vicinia.assembly.jobspec import JobSpec
from vicinia.errors import InvalidInput
from vicinia.query.dataset import DataSet
from vicinia.query.plan import compile_query
from vicinia.training.computation import Computation
from vicinia.training.model import Model

__all__ = ["compiled"]


def compiled(spec: JobSpec, definitions: Mapping[str, DataSet], name: str, initial: Model | None = None) -> Computation:
    """What the file asks for; InvalidInput names its line, or the query's. initial: the model that it names."""
    if spec.query is None and spec.file is not None:
        from vicinia.training.spec import training_of

        return training_of(spec.file, definitions, initial)
    try:
        return compile_query(spec.query or "", definitions)
    except InvalidInput as error:
        error.where = f"{name}, {error.where}"
        raise
