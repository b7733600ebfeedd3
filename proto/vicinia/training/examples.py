"""A home's examples as a recipe sees them: complete, standardised, and never more than the plan allows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from vicinia.training.dimensions import Dimensions, TargetKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Examples"]


@dataclass(frozen=True, slots=True)
class Examples:
    """inputs: float64[n, p], every number in [-1, 1]; target: float64[n] as `TargetKind` says (zeros for NONE).

    `limit`: the most examples that a home may bring, m. A home's statistic is the *sum* over its examples divided by
    m, so that a home with n examples counts n/m and the sum over homes is that of the pooled examples.
    """

    inputs: NDArray[np.float64]
    target: NDArray[np.float64]
    limit: int

    @classmethod
    def cleaned(
        cls, inputs: NDArray[np.float64], target: NDArray[np.float64], limit: int, dimensions: Dimensions
    ) -> Examples:
        """Whatever the arrays hold, examples as promised: rows with anything that is no finite number, or no class,
        are left out, the others are clamped into their bounds, and those beyond the limit are dropped."""
        inputs = np.asarray(inputs, dtype=np.float64).reshape(-1, dimensions.inputs)
        target = np.asarray(target, dtype=np.float64).reshape(-1)
        good = np.isfinite(inputs).all(axis=1) & np.isfinite(target)
        if dimensions.target is TargetKind.CLASSES:
            good &= (target >= 0) & (target < dimensions.classes) & (target == np.floor(target))
        inputs, target = inputs[good][:limit], target[good][:limit]
        low, high = (0.0, 1.0) if dimensions.target is TargetKind.COUNT else (-1.0, 1.0)
        if dimensions.target is not TargetKind.CLASSES:
            target = np.clip(target, low, high)
        return cls(np.clip(inputs, -1.0, 1.0), target, limit)

    def __len__(self) -> int:
        return len(self.inputs)

    def blocks(self, size: int) -> Iterator[Examples]:
        """The same examples, `size` at a time: what is summed over examples is the sum over their blocks."""
        for start in range(0, len(self), size):
            yield Examples(self.inputs[start : start + size], self.target[start : start + size], self.limit)

    @property
    def weight(self) -> float:
        """n/m, within [0, 1]."""
        return len(self) / self.limit
