"""What is released of a run: the finished cells with their noise, and nothing that was not noised.

The canonical JSON that hashes to the `release` statement. Numbers that are not whole are decimal text:

    {"v": 1, "coop": ..., "job": hex, "run": 0, "query": ..., "dataset": ...,
     "cohort": homes in the sum, rounded down to a multiple of 10,
     "rho_nano": 64000000, "epsilon": "2.0", "delta": "1e-08", "sigma": "1.25",
     "cells": [{"keys": {"kids": 1}, "column": "AVG(fuel)", "value": "0.0912" | null, "stderr": "0.002" | null,
                "sampling_stderr": "0.01" | null, "note": ""}, ...]}

`sigma` is the standard deviation of the noise in one slot of the sum, in vector units (a household counts 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vicinia.coordinator.services.terms import Terms
from vicinia.privacy.conversion import rho_to_epsilon
from vicinia.privacy.encode import decode
from vicinia.privacy.noise import NoisePlan
from vicinia.query.finalise import finalise
from vicinia.query.plan import Plan
from vicinia.tlog.canonical import canonical

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["release_body"]


def release_body(
    terms: Terms, plan: Plan, noise: NoisePlan, run: int, total: NDArray[np.int64], survivors: int
) -> bytes:
    """The canonical JSON of a run's result.

    Errors are computed for the cohort rounded up: from exact ones everybody could tell the exact size, which only the
    participants may know (design 3).
    """
    upper = survivors + (-survivors) % 10
    sigma = noise.sum_std(upper)
    cells = finalise(plan, decode(total, noise), sigma, noise.rounding_std(upper), survivors - survivors % 10)
    job = terms.job
    return canonical(
        {
            "v": 1,
            "coop": job.coop,
            "job": job.hash.hex(),
            "run": run,
            "query": job.query,
            "dataset": plan.dataset.name,
            "cohort": survivors - survivors % 10,
            "rho_nano": job.rho_nano,
            "epsilon": _text(rho_to_epsilon(job.rho_nano, terms.delta_dp)),
            "delta": _text(terms.delta_dp),
            "sigma": _text(sigma),
            "cells": [
                {
                    "keys": dict(cell.keys),
                    "column": cell.column,
                    "value": None if cell.value is None else _text(cell.value),
                    "stderr": None if cell.stderr is None else _text(cell.stderr),
                    "sampling_stderr": None if cell.sampling_stderr is None else _text(cell.sampling_stderr),
                    "note": cell.note,
                }
                for cell in cells
            ],
        }
    )


def _text(value: float) -> str:
    """The shortest decimal that reads back as the same number."""
    return repr(float(value))
