"""How well a model does on homes that it was not trained on: sums over those homes, and the metrics in them.

A home that evaluates sends bounded sums over its examples, divided by m, in blocks after those of training; it sends
zeros there when it trains. The squared norm of the whole evaluation is at most 1, so that it makes no training noisier.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from vicinia.errors import InvalidInput
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.layout import Block, VectorLayout
from vicinia.training.parameter import NANO

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.training.examples import Examples

__all__ = [
    "DEVIANCE_BOUND",
    "EXAMPLES",
    "SCORES",
    "edges",
    "held_out",
    "joined",
    "layout",
    "log_loss_bound",
    "statistic",
    "sums",
]

DEVIANCE_BOUND = 8.0
SCORE_BINS = 20
TOP_BINS = 10
_WITHIN = 1 - 2.0**-40

EXAMPLES, ERROR, TARGET, SQUARE = "examples", "squared error", "target", "target squared"
DEVIANCE, PREDICTED = "deviance", "predicted"
LOSS, CORRECT, SCORES = "log loss", "right", "scores by truth"

# The squared norm of 1, shared out: half or more to what is small and is wanted most precisely.
_SHARES: Mapping[TargetKind, Mapping[str, Fraction]] = {
    TargetKind.NONE: {EXAMPLES: Fraction(1, 4), ERROR: Fraction(3, 4)},
    TargetKind.REAL: {
        EXAMPLES: Fraction(1, 8),
        ERROR: Fraction(1, 2),
        TARGET: Fraction(1, 8),
        SQUARE: Fraction(1, 4),
    },
    TargetKind.COUNT: {
        EXAMPLES: Fraction(1, 4),
        DEVIANCE: Fraction(1, 2),
        TARGET: Fraction(1, 8),
        PREDICTED: Fraction(1, 8),
    },
    TargetKind.CLASSES: {
        EXAMPLES: Fraction(1, 8),
        LOSS: Fraction(1, 4),
        CORRECT: Fraction(1, 8),
        SCORES: Fraction(1, 2),
    },
}


def held_out(lot: bytes, index: int, share_nano: int) -> bool:
    """Whether the home at `index` of the register evaluates in this job instead of training: a share of them does.

    From SHA-256 of the job's lot (`Assembly.lot`) and the index: anybody can tell, and nobody could choose.
    """
    digest = hashlib.sha256(b"vicinia/training/held-out/1" + lot + index.to_bytes(8, "big")).digest()
    return int.from_bytes(digest[:8], "big") * NANO < share_nano << 64


def joined(training: VectorLayout, evaluation: VectorLayout) -> VectorLayout:
    """[training | evaluation], of which a home fills one: the norm is the larger of the two, not their sum."""
    blocks = (*training.blocks, *evaluation.blocks)
    return VectorLayout(blocks, max(training.norm_squared, evaluation.norm_squared))


def layout(dimensions: Dimensions) -> VectorLayout:
    """The blocks of an evaluation: a slot for each sum and, for classes, a histogram of scores by what was true."""
    shares = _SHARES[dimensions.target]
    blocks = tuple(Block(_label(name), _width(dimensions, name)) for name in shares)
    return VectorLayout(blocks, sum(shares.values(), Fraction(0)))


def edges(dimensions: Dimensions) -> NDArray[np.float64]:
    """The limits of the histogram's bins, ascending from 0 to 1.

    Two classes: of the second's probability, equal steps of its arcsine, sin²(πj/40), finer near 0 and 1 where the
    scores of rare classes lie; ½ is a limit. More classes: tenths of the largest probability.
    """
    if dimensions.classes == 2:
        limits: NDArray[np.float64] = np.sin(np.arange(SCORE_BINS + 1) * (math.pi / (2 * SCORE_BINS))) ** 2
        limits[[0, SCORE_BINS // 2, SCORE_BINS]] = 0.0, 0.5, 1.0
        return limits
    return np.arange(TOP_BINS + 1) / TOP_BINS


def log_loss_bound(classes: int) -> float:
    """The most that one example's log loss counts: that of a probability of e^-3/k."""
    return 3.0 + math.log(classes)


def statistic(dimensions: Dimensions, predictions: NDArray[np.float64], examples: Examples) -> NDArray[np.float64]:
    """The home's sums, float64[layout.length], with a norm of at most 1 whatever the predictions hold.

    predictions: as `Recipe.predict` says; without a target, float64[n, p]: what the model takes the inputs for (its
    nearest centre; the scores projected back). Each example's squared error counts 1 at most (without a target: the
    mean of its inputs' squared errors), its deviance DEVIANCE_BOUND, its log loss `log_loss_bound`; a prediction that
    is no finite number counts as the worst. InvalidInput for predictions of another shape.
    """
    blocks = layout(dimensions)
    vector = np.zeros(blocks.length)
    if len(examples):
        with np.errstate(all="ignore"):
            measured = _MEASURES[dimensions.target](dimensions, _shaped(dimensions, predictions, examples), examples)
        for name, share in _SHARES[dimensions.target].items():
            factor = _WITHIN * math.sqrt(share) / examples.limit
            vector[blocks.place(_label(name))] = factor * measured[name]
    return vector


def sums(dimensions: Dimensions, totals: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """The sums over examples, divided by m: of released totals, float64[..., layout.length], by name.

    Each is float64[...], the histogram float64[..., 2, bins]: false and true, where "true" is the second of two
    classes, or that the largest probability was right.
    """
    blocks, found = layout(dimensions), {}
    for name, share in _SHARES[dimensions.target].items():
        part = totals[..., blocks.place(_label(name))] / math.sqrt(share)
        found[name] = part.reshape(*part.shape[:-1], 2, -1) if name == SCORES else part[..., 0]
    if dimensions.target is TargetKind.COUNT:
        found[DEVIANCE] = found[DEVIANCE] * DEVIANCE_BOUND
    if dimensions.target is TargetKind.CLASSES:
        found[LOSS] = found[LOSS] * log_loss_bound(dimensions.classes)
    return found


def _label(name: str) -> str:
    return f"evaluation: {name}"


def _width(dimensions: Dimensions, name: str) -> int:
    return 2 * (len(edges(dimensions)) - 1) if name == SCORES else 1


def _shaped(dimensions: Dimensions, predictions: NDArray[np.float64], examples: Examples) -> NDArray[np.float64]:
    widths = {TargetKind.NONE: (dimensions.inputs,), TargetKind.CLASSES: (dimensions.classes,)}
    wanted = (len(examples), *widths.get(dimensions.target, ()))
    if predictions.shape != wanted:
        raise InvalidInput(f"Predictions of shape {predictions.shape}, not {wanted}.", where="evaluation")
    return predictions


def _bounded(losses: NDArray[np.float64], most: float) -> NDArray[np.float64]:
    """Losses in [0, most]; what is no number is the most."""
    return np.clip(np.nan_to_num(losses, nan=most, posinf=most, neginf=most), 0.0, most)


def _of_inputs(_: Dimensions, predictions: NDArray[np.float64], examples: Examples) -> dict[str, Any]:
    errors = ((predictions - examples.inputs) ** 2).mean(axis=1)
    return {EXAMPLES: len(examples), ERROR: _bounded(errors, 1.0).sum()}


def _of_reals(_: Dimensions, predictions: NDArray[np.float64], examples: Examples) -> dict[str, Any]:
    target = examples.target
    errors = _bounded((np.clip(predictions, -1.0, 1.0) - target) ** 2, 1.0)
    return {EXAMPLES: len(target), ERROR: errors.sum(), TARGET: target.sum(), SQUARE: (target**2).sum()}


def _of_counts(dimensions: Dimensions, predictions: NDArray[np.float64], examples: Examples) -> dict[str, Any]:
    target, rate = examples.target, np.clip(predictions, 1e-9, None)
    relative = np.where(target > 0, target * np.log(np.where(target > 0, target, 1.0) / rate), 0.0)
    deviances = _bounded(2 * dimensions.high * (relative - target + rate), DEVIANCE_BOUND)
    return {
        EXAMPLES: len(target),
        DEVIANCE: deviances.sum() / DEVIANCE_BOUND,
        TARGET: target.sum(),
        PREDICTED: _bounded(rate, 1.0).sum(),
    }


def _of_classes(dimensions: Dimensions, predictions: NDArray[np.float64], examples: Examples) -> dict[str, Any]:
    truth = examples.target.astype(np.int64)
    finite = np.isfinite(predictions).all(axis=1)
    probabilities = np.clip(np.nan_to_num(predictions), 0.0, 1.0)
    most = log_loss_bound(dimensions.classes)
    losses = np.where(finite, _bounded(-np.log(probabilities[np.arange(len(truth)), truth]), most), most)
    if dimensions.classes == 2:
        scores, true = probabilities[:, 1], truth == 1
        right = finite & ((scores >= 0.5) == true)
    else:
        scores, true = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
        right = finite & true
    limits = edges(dimensions)
    bins = len(limits) - 1
    places = np.searchsorted(limits[1:-1], scores, side="right") + bins * true
    histogram = np.bincount(places[finite], minlength=2 * bins)
    return {EXAMPLES: len(truth), LOSS: losses.sum() / most, CORRECT: right.sum(), SCORES: histogram}


_MEASURES = {
    TargetKind.NONE: _of_inputs,
    TargetKind.REAL: _of_reals,
    TargetKind.COUNT: _of_counts,
    TargetKind.CLASSES: _of_classes,
}
