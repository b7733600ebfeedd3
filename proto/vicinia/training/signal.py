"""What a training's noise is set beside: what homes can have in common at most, or would if inputs varied as usual.

Before any data is seen nobody knows what homes have in common. Set beside the noise in the mean over the homes that
train is, therefore,

- for mlp the clip: no mean of clipped updates is longer;
- for trees the longest that the mean of the homes' sums can be;
- for k-means a centre with an even share of the examples: it moves only where these stand out by three deviations;
- for regressions and PCA the curvature, or variance, of inputs with half the deviation that their bounds allow at most,
  or, where a first round standardises them, with the one that they have then: directions of less than the noise's
  spectral norm are shrunk (`vicinia.training.symmetric.noise_floor`).

For regressions the same curvature gives the standard errors that noise will give the coefficients, by the formula of
the models' own errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import hypot, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from vicinia.training.coefficients import coefficients
from vicinia.training.model import Model
from vicinia.training.parameter import NANO
from vicinia.training.regression import Estimate, noise_covariance
from vicinia.training.spread import REACH, Spread
from vicinia.training.symmetric import Curvature, noise_floor

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.training.compiled import Training

__all__ = ["ExpectedCoefficient", "Signal", "signal"]

# Standard deviation of an input with bounds of -1 and 1; mean of a count with a bound of 1.
_SPREAD, _RATE = 0.5, 0.125
_WIDTH = "a standard deviation of a quarter of their bounds' width"
_VARY = f"numbers among the inputs have {_WIDTH}, independently of each other"
_INDEPENDENT = "numbers among the inputs are independent of each other"
_FOUND = "the first round finds how they vary"
# Rounds of Newton's method whose noise averages out in its answer: it forgets earlier ones, however many there are.
_KEPT = 2
_SEEN = 3.0  # as `vicinia.training.recipes.kmeans` has it


@dataclass(frozen=True, slots=True)
class ExpectedCoefficient:
    """The standard error by noise alone that a coefficient will have, of every outcome, in the data set's own units."""

    name: str
    noise: float


@dataclass(frozen=True, slots=True)
class Signal:
    """ratio: the noise over what it is set beside (`beside`, in words), after all rounds where some of these average it
    out; supposing: what `ratio` supposes of the data, `that …`, or empty; coefficients_supposing: what `coefficients`
    suppose."""

    ratio: float
    beside: str
    supposing: str
    coefficients: tuple[ExpectedCoefficient, ...] = ()
    coefficients_supposing: str = ""


@dataclass(frozen=True, slots=True)
class _Noise:
    """Deviations of the noise in the mean of a regression's rounds: in a slot of the gradient, on the diagonal of the
    curvature, which is `size` wide; `length`: the squared length of what the curvature is multiplied by."""

    gradient: float
    curvature: float
    size: int
    length: float = 0.0


def signal(training: Training, noise: float) -> Signal:
    """noise: the standard deviation in one slot of the mean over the homes that train, in vector units."""
    return _SIGNALS[training.recipe.name](training, noise)


def _mlp(training: Training, noise: float) -> Signal:
    recipe: Any = training.recipe
    supposing = _supposing(training) if recipe.by_examples else ""
    return Signal(noise * sqrt(recipe.size), "the longest mean update that they could send", supposing)


def _trees(training: Training, noise: float) -> Signal:
    layout = training.recipe.layout()
    length = noise * sqrt(layout.length / layout.norm_squared)
    return Signal(length, "the longest mean that their sums could have", _supposing(training))


def _kmeans(training: Training, noise: float) -> Signal:
    recipe: Any = training.recipe
    least = _SEEN * noise / recipe.weights[0]
    return Signal(
        least * recipe.clusters, "what shows a centre that has an even share of the examples", _supposing(training)
    )


def _pca(training: Training, noise: float) -> Signal:
    recipe: Any = training.recipe
    moments = _moments(training, 1)
    ratio = _hidden(moments, noise * recipe.bound, len(moments))
    return Signal(ratio, _inputs(training), _supposing(training, *_vary(training)))


def _linear(training: Training, noise: float) -> Signal:
    recipe: Any = training.recipe
    moments = _moments(training, 2)
    # The length is that of (coefficients, 1), as if those of the model's own scale had a length of 1.
    return _regression(training, moments, _Noise(0.0, noise * recipe.bound, len(moments), length=2.0))


def _logistic(training: Training, noise: float) -> Signal:
    recipe: Any = training.recipe
    classes, rounds = recipe.dimensions.classes, min(_KEPT, training.plan.rounds)
    moments = _moments(training, 1) * (0.25 if classes == 2 else 1.0 / classes)
    # Of more than two classes each is told by its difference from the mean of all.
    share = 1.0 if classes == 2 else sqrt(1.0 - 1.0 / classes)
    noise /= sqrt(rounds)
    noises = _Noise(noise * recipe.gradient_unit * share, noise * recipe.curvature_unit, len(moments) * (classes - 1))
    return _regression(training, moments, noises, "all values of the target are equally frequent")


def _poisson(training: Training, noise: float) -> Signal:
    recipe: Any = training.recipe
    rounds = min(_KEPT, training.plan.rounds)
    # The first round takes the mean for every count: its curvature is the most precise, and stays. Its gradient has the
    # noise of both, and counts for little where others follow.
    gradient = hypot(recipe.gradient_unit, recipe.curvature_unit) if rounds == 1 else recipe.gradient_unit
    noise /= sqrt(rounds)
    moments = _moments(training, 1) * _RATE
    noises = _Noise(noise * gradient, noise * recipe.curvature_unit * _RATE, len(moments))
    return _regression(training, moments, noises, "the mean count is an eighth of its bound")


_SIGNALS: Mapping[str, Callable[[Training, float], Signal]] = {
    "kmeans": _kmeans,
    "linear": _linear,
    "logistic": _logistic,
    "mlp": _mlp,
    "pca": _pca,
    "poisson": _poisson,
    "trees": _trees,
}


def _regression(training: Training, moments: NDArray[np.float64], noises: _Noise, *supposing: str) -> Signal:
    """moments: the curvature of one home, float64[p + 1, p + 1]."""
    recipe: Any = training.recipe
    penalty = np.full(len(moments), recipe.l2 / NANO)
    penalty[0] = 0.0
    inverse = Curvature(moments + np.diag(penalty), noise_floor(noises.curvature, noises.size))
    nothing = np.zeros(len(moments))
    covariance = noise_covariance(inverse, noises.gradient**2, noises.curvature**2, nothing, extra=noises.length)
    variances = np.tile(np.diag(covariance), (len(training.template["intercept"]), 1))
    model = Model.of(Estimate(np.zeros_like(variances), variances, np.zeros_like(variances)).arrays())
    told = coefficients(_as_supposed(training), model)[: len(moments)]
    expected = tuple(ExpectedCoefficient(one.name, one.noise) for one in told)
    ratio = _hidden(moments, noises.curvature, noises.size)
    # Coefficients are in the data set's own units: their size rests on how inputs vary, standardised or not.
    in_units = (_VARY, _FOUND) if training.plan.scaling else (_VARY,)
    of_ratio, of_coefficients = (_supposing(training, *vary, *supposing) for vary in (_vary(training), in_units))
    return Signal(ratio, _inputs(training), of_ratio, expected, of_coefficients)


def _hidden(moments: NDArray[np.float64], deviation: float, size: int) -> float:
    """The noise's spectral norm over the curvature along the inputs, of which half have less."""
    along = moments[1:, 1:] - np.outer(moments[1:, 0], moments[0, 1:]) / moments[0, 0]
    return noise_floor(deviation, size) / float(np.median(np.linalg.eigvalsh(along)))


def _moments(training: Training, extra: int) -> NDArray[np.float64]:
    """The mean of w·(1, x)(1, x)ᵀ over examples that are as supposed, float64[p + 1, p + 1]; w: the weight of an
    example of the usual length (`vicinia.training.regression`), extra: e."""
    spread = 1.0 / REACH if training.plan.scaling else _SPREAD
    size = training.design.dimensions.inputs + 1
    means, covariance, place = np.zeros(size), np.zeros((size, size)), 1
    means[0] = 1.0
    for term in training.design.terms:
        own = slice(place, place + len(term.names))
        place = own.stop
        if term.category is None:
            covariance[own, own] = spread**2
        else:
            share = 1.0 / len(term.values)
            means[own] = share
            covariance[own, own] = np.eye(len(term.names)) * share - share**2
    moments = covariance + np.outer(means, means)
    recipe: Any = training.recipe
    weight = min(1.0, recipe.bound / (float(np.trace(moments)) - 1.0 + extra))
    whole: NDArray[np.float64] = weight * moments
    return whole


def _as_supposed(training: Training) -> Training:
    """With the deviations that are supposed, where a first round has to find them yet."""
    numbers = [term for term in training.design.terms if term.category is None]
    if not training.plan.scaling or all(term.spread is not None for term in numbers):
        return training
    return training.standardised([Spread(term.middle, _SPREAD * term.radius) for term in numbers])


def _inputs(training: Training) -> str:
    """Whose curvature the noise is set beside: once standardised, all numbers vary alike."""
    return "what standardised inputs show" if training.plan.scaling else f"what inputs with {_WIDTH} show"


def _vary(training: Training) -> tuple[str, ...]:
    """What is supposed of how numbers vary: once standardised, their deviation is known."""
    return (_INDEPENDENT, _FOUND) if training.plan.scaling else (_VARY,)


def _supposing(training: Training, *parts: str) -> str:
    """What is supposed, in clauses; whoever brings fewer examples counts less."""
    examples = training.plan.examples
    every = [f"every home brings {examples:,} examples"] if examples > 1 else []
    clauses = [f"that {one}" for one in (*parts, *every)]
    return ", and ".join([", ".join(clauses[:-1]), *clauses[-1:]] if len(clauses) > 1 else clauses)
