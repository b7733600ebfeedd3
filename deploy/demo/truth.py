"""The pooled truth: the same statistic over the survivors' own vectors, which only the demo can see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from vicinia.query.finalise import pooled
from vicinia.query.plan import Plan

from deploy.demo.show import Row

__all__ = ["beside", "deviation_bound"]


def beside(plan: Plan, cells: Sequence[Mapping[str, Any]], vectors: Mapping[str, Sequence[float]]) -> tuple[Row, ...]:
    """Every cell of a result (as `vicinia result --json` has it) beside the same one without noise.

    `vectors` are the exact vectors of the survivors, by household, before rounding, noise and mask.
    """
    without_noise = pooled(plan, (np.array(vectors[name], dtype=np.float64) for name in sorted(vectors)))
    truth = {_name(one.keys, one.column): one.value for one in without_noise}
    return tuple(
        Row(
            keys=cell["keys"],
            column=cell["column"],
            value=cell["value"],
            stderr=cell["stderr"],
            pooled=truth[_name(cell["keys"], cell["column"])],
            note=cell["note"],
        )
        for cell in cells
    )


def deviation_bound(cells: int) -> float:
    """How many standard errors the largest of so many cells may be off, in all but one demo of about a million."""
    return float(np.sqrt(2 * np.log(1e6 * max(cells, 1))))


def _name(keys: Mapping[str, str | int], column: str) -> tuple[object, ...]:
    return (*sorted(keys.items()), column)
