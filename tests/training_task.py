"""The synthetic learning task of the project's figures: 24 records per home, 12 inputs, homes that differ.

A record's inputs are its home's level (deviation .25) plus its own part (deviation .32), cut to [-1, 1]. What is to
be learned is, in terms of one linear index and one that no linear model finds (a product, a kink, a threshold):

- real: the linear index, an effect of the home and noise, cut to [-1, 1]; least squares explains 85 % of it;
- classes: two, by a logit with both indices and a home effect: pooled logistic regression reaches an AUC near .72,
  scikit-learn's boosted trees .87 to .89;
- kinds: three classes by linear logits; counts: Poisson, log-linear with a home effect, cut at `COUNT_HIGH`.

Everything follows from the seed (numpy's PCG64).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["COUNT_HIGH", "INPUTS", "RECORDS", "Task", "auc", "r_squared", "synthetic"]

RECORDS = 24
INPUTS = 12
KINDS = 3
COUNT_HIGH = 20.0
# What the truth is does not change with the seed, so that a training and a test set come from the same one.
_TRUTH = np.random.Generator(np.random.PCG64(812))
_SLOPES = _TRUTH.choice([-1.0, 1.0], INPUTS) * _TRUTH.uniform(0.5, 1.5, INPUTS)
_KIND_SLOPES = _TRUTH.normal(0.0, 1.0, (INPUTS, KINDS))


@dataclass(frozen=True)
class Task:
    """inputs: float64[homes, 24, 12]; every target float64[homes, 24], standardised as `TargetKind` says."""

    inputs: NDArray[np.float64]
    real: NDArray[np.float64]
    classes: NDArray[np.float64]
    kinds: NDArray[np.float64]
    counts: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def pooled(self) -> NDArray[np.float64]:
        """All records' inputs, float64[homes * 24, 12]; a target's are its `reshape(-1)`."""
        return self.inputs.reshape(-1, INPUTS)

    def homes(self, target: str) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Home by home: the inputs and the named target."""
        return zip(self.inputs, getattr(self, target), strict=True)


def synthetic(homes: int, seed: int) -> Task:
    """The task for so many homes."""
    draw = np.random.Generator(np.random.PCG64(seed))
    shape = (homes, RECORDS)
    level = draw.normal(0.0, 0.25, (homes, 1, INPUTS))
    inputs = np.clip(level + draw.normal(0.0, 0.32, (*shape, INPUTS)), -1.0, 1.0)
    home = draw.normal(0.0, 1.0, (homes, 1))
    linear = inputs @ _SLOPES
    crooked = _crooked(inputs)

    real = np.clip(0.2 * linear + 0.05 * home + draw.normal(0.0, 0.125, shape), -1.0, 1.0)
    logit = 0.87 * linear + 2.35 * crooked + 0.5 * home
    classes = (draw.uniform(size=shape) < 1 / (1 + np.exp(-logit))).astype(np.float64)
    scores = inputs @ _KIND_SLOPES + draw.gumbel(size=(*shape, KINDS))
    kinds = scores.argmax(axis=-1).astype(np.float64)
    counts = draw.poisson(np.exp(1.0 + 0.35 * linear + 0.2 * home))
    return Task(inputs, real, classes, kinds, np.minimum(counts, COUNT_HIGH) / COUNT_HIGH)


def _crooked(inputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """An index with mean near 0 that is uncorrelated with every input."""
    product = 3.0 * inputs[..., 0] * inputs[..., 1]
    kink = 2.0 * (np.abs(inputs[..., 2]) - 0.32)
    threshold = np.where((inputs[..., 3] > 0) ^ (inputs[..., 4] > 0), 0.5, -0.5)
    return product + kink + threshold


def auc(truth: NDArray[np.float64], score: NDArray[np.float64]) -> float:
    """The area under the ROC curve by ranks (no ties are expected among the scores)."""
    ranks = np.empty(len(score))
    ranks[np.argsort(score, kind="stable")] = np.arange(1, len(score) + 1)
    positive = truth > 0
    ones, zeros = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def r_squared(truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    """The explained share of the variance."""
    return float(1 - ((truth - predicted) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())
