"""What scikit-learn makes of the same examples in one place, without noise: same inputs, weights and penalty."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from vicinia.training import evaluation
from vicinia.training.compiled import Training
from vicinia.training.dimensions import TargetKind
from vicinia.training.examples import Examples
from vicinia.training.metrics import Metric, metrics
from vicinia.training.parameter import NANO
from vicinia.training.regression import weights

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.training.model import Model

__all__ = ["Pooled", "Predictor", "fit", "measured", "of_model"]

Predictor = Callable[["NDArray[np.float64]"], "NDArray[np.float64]"]
"""Standardised inputs -> what `vicinia.training.evaluation.statistic` measures."""
LARGEST_C = 1e10
SEED = 1


@dataclass(frozen=True, slots=True)
class Pooled:
    """`name`: what made it; `coefficients`: float64[r, p + 1] as the recipe's `intercept` and `coef`, or None."""

    name: str
    predict: Predictor
    coefficients: NDArray[np.float64] | None = None


def fit(training: Training, homes: Sequence[Examples], cohort: int) -> Pooled | None:
    """scikit-learn's answer to the same task over all examples of these homes; None where they have none, or one class
    only. cohort: the homes of a released sum, which the penalty goes by."""
    inputs = np.concatenate([one.inputs for one in homes]) if homes else np.empty((0, 1))
    target = np.concatenate([one.target for one in homes]) if homes else np.empty(0)
    dimensions = training.design.dimensions
    if len(inputs) < 2 or (dimensions.target is TargetKind.CLASSES and len(np.unique(target)) < 2):
        return None
    made = _RECIPES[training.recipe.name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a fit that has not settled to the last digit
        return made(training, inputs, target, cohort)


def of_model(training: Training, model: Model) -> Predictor:
    """What a model of the training predicts."""
    recipe: Any = training.recipe
    known = recipe.reconstruct if training.design.dimensions.target is TargetKind.NONE else recipe.predict
    return lambda inputs: known(model, inputs)


def measured(training: Training, predict: Predictor, homes: Sequence[Examples]) -> tuple[Metric, ...]:
    """The metrics of a predictor over these homes' examples, as an evaluation has them, without noise."""
    dimensions = training.design.dimensions
    total = np.zeros(evaluation.layout(dimensions).length)
    for examples in homes:
        if len(examples):
            total += evaluation.statistic(dimensions, predict(examples.inputs), examples)
    return metrics(dimensions, total, 0.0)


def _weighted(training: Training, inputs: NDArray[np.float64], extra: int) -> tuple[NDArray[np.float64], float]:
    """The examples' weights, and the penalty for each home of the cohort."""
    recipe: Any = training.recipe
    return weights(inputs, recipe.bound, extra), recipe.l2 / NANO


def _linear(training: Training, inputs: NDArray[np.float64], target: NDArray[np.float64], cohort: int) -> Pooled:
    from sklearn.linear_model import Ridge

    weight, l2 = _weighted(training, inputs, 2)
    fitted = Ridge(alpha=l2 * cohort * training.plan.examples).fit(inputs, target, sample_weight=weight)
    coefficients = np.append(fitted.intercept_, fitted.coef_)[None]
    return Pooled("scikit-learn Ridge", fitted.predict, coefficients)


def _logistic(training: Training, inputs: NDArray[np.float64], target: NDArray[np.float64], cohort: int) -> Pooled:
    weight, l2 = _weighted(training, inputs, 1)
    strength = l2 * cohort * training.plan.examples
    return _classifier(training, inputs, target, weight, min(LARGEST_C, 1 / max(strength, 1 / LARGEST_C)))


def _classifier(
    training: Training,
    inputs: NDArray[np.float64],
    target: NDArray[np.float64],
    weight: NDArray[np.float64] | None,
    inverse_penalty: float,
) -> Pooled:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=inverse_penalty, tol=1e-8, max_iter=5_000)
    fitted.fit(inputs, target, sample_weight=weight)
    classes = training.design.dimensions.classes
    whole = len(fitted.classes_) == classes
    coefficients = np.column_stack((fitted.intercept_, fitted.coef_)) if whole else None
    return Pooled("scikit-learn LogisticRegression", _chances(fitted, classes), coefficients)


def _poisson(training: Training, inputs: NDArray[np.float64], target: NDArray[np.float64], cohort: int) -> Pooled:
    from sklearn.linear_model import PoissonRegressor

    weight, l2 = _weighted(training, inputs, 1)
    alpha = l2 * cohort * training.plan.examples / float(weight.sum())
    fitted = PoissonRegressor(alpha=alpha, max_iter=5_000, tol=1e-8).fit(inputs, target, sample_weight=weight)
    coefficients = np.append(fitted.intercept_, fitted.coef_)[None]
    return Pooled("scikit-learn PoissonRegressor", fitted.predict, coefficients)


def _mlp(training: Training, inputs: NDArray[np.float64], target: NDArray[np.float64], _: int) -> Pooled:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    recipe: Any = training.recipe
    classes = training.design.dimensions.classes
    if not recipe.hidden and classes:
        return _classifier(training, inputs, target, None, 1e4)
    kind = MLPClassifier if classes else MLPRegressor
    fitted = kind(recipe.hidden or (16,), activation=recipe.activation, max_iter=1_000, random_state=SEED)
    fitted.fit(inputs, target)
    return Pooled(f"scikit-learn {kind.__name__}", _chances(fitted, classes) if classes else fitted.predict)


def _trees(training: Training, inputs: NDArray[np.float64], target: NDArray[np.float64], _: int) -> Pooled:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    classes = training.design.dimensions.classes
    kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    fitted = kind(random_state=SEED).fit(inputs, target)
    return Pooled(f"scikit-learn {kind.__name__}", _chances(fitted, classes) if classes else fitted.predict)


def _kmeans(training: Training, inputs: NDArray[np.float64], _target: object, _cohort: int) -> Pooled:
    from sklearn.cluster import KMeans

    recipe: Any = training.recipe
    fitted = KMeans(min(recipe.clusters, len(inputs)), n_init=10, random_state=SEED).fit(inputs)
    return Pooled("scikit-learn KMeans", lambda rows: fitted.cluster_centers_[fitted.predict(rows)])


def _pca(training: Training, inputs: NDArray[np.float64], _target: object, _cohort: int) -> Pooled:
    from sklearn.decomposition import PCA

    recipe: Any = training.recipe
    fitted = PCA(min(recipe.components, *inputs.shape)).fit(inputs)
    return Pooled("scikit-learn PCA", lambda rows: fitted.inverse_transform(fitted.transform(rows)))


def _chances(fitted: Any, classes: int) -> Predictor:
    """Probabilities of all classes, also of those that no example has."""
    places = fitted.classes_.astype(np.int64)

    def predict(inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        found = np.zeros((len(inputs), classes))
        found[:, places] = fitted.predict_proba(inputs)
        return found

    return predict


_RECIPES: dict[str, Callable[[Training, Any, Any, int], Pooled]] = {
    "kmeans": _kmeans,
    "linear": _linear,
    "logistic": _logistic,
    "mlp": _mlp,
    "pca": _pca,
    "poisson": _poisson,
    "trees": _trees,
}
