"""What a home sends for a regression: never too long whatever it and the coordinator hold, and the right numbers."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from vicinia.node.training import linear, logistic, poisson
from vicinia.training import likelihood
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.examples import Examples
from vicinia.training.likelihood import CURVATURE, GRADIENT
from vicinia.training.model import Model
from vicinia.training.parameter import NANO
from vicinia.training.recipes.linear import Linear
from vicinia.training.recipes.logistic import Logistic, contrasts
from vicinia.training.recipes.poisson import Poisson
from vicinia.training.settings import from_file

INPUTS = 3
DIRTY = st.floats(allow_nan=True, allow_infinity=True, width=64)
HOSTILE = st.floats(allow_nan=False, allow_infinity=False, width=64)
LIMIT = 5


def _recipe(kind: Any, dimensions: Dimensions, **parameters: int) -> Any:
    return kind.of(dimensions, from_file(kind.settings, {}, "test") | parameters)


CASES: dict[str, tuple[Any, ModuleType]] = {
    "linear": (_recipe(Linear, Dimensions(INPUTS, TargetKind.REAL)), linear),
    "linear, full radius": (_recipe(Linear, Dimensions(INPUTS, TargetKind.REAL), radius=NANO), linear),
    "logistic": (_recipe(Logistic, Dimensions(INPUTS, TargetKind.CLASSES, classes=2)), logistic),
    "three classes": (_recipe(Logistic, Dimensions(INPUTS, TargetKind.CLASSES, classes=3), radius=NANO), logistic),
    "five classes": (_recipe(Logistic, Dimensions(INPUTS, TargetKind.CLASSES, classes=5)), logistic),
    "poisson": (_recipe(Poisson, Dimensions(INPUTS, TargetKind.COUNT, high=9.0)), poisson),
    "poisson, full radius": (_recipe(Poisson, Dimensions(INPUTS, TargetKind.COUNT), radius=NANO), poisson),
}
each = pytest.mark.parametrize(("recipe", "module"), CASES.values(), ids=CASES)
_SMALL = settings(max_examples=30, deadline=None)


def _with(recipe: Any, numbers: NDArray[np.float64]) -> Model:
    """A model whose coefficients and intercepts are these numbers, repeated."""
    arrays = dict(recipe.initial().arrays)
    for name in ("coef", "intercept"):
        arrays[name] = np.resize(numbers, arrays[name].shape)
    return Model.of(arrays)


def _assert_bounded(vector: NDArray[np.float64], recipe: Any) -> None:
    layout = recipe.layout()
    assert vector.shape == (layout.length,)
    assert np.isfinite(vector).all()
    assert float(vector @ vector) <= float(layout.norm_squared) * (1 + 1e-12)
    for block in layout.blocks:
        part = vector[layout.place(block.label)]
        assert float(part @ part) <= 1 + 1e-12


@each
@given(data=st.data())
@_SMALL
def test_no_rows_and_no_model_make_a_vector_longer_than_the_plan_allows(
    recipe: Any, module: ModuleType, data: st.DataObject
) -> None:
    rows = data.draw(st.integers(0, 8))
    inputs = data.draw(hnp.arrays(np.float64, (rows, INPUTS), elements=DIRTY | st.floats(-1, 1)))
    target = data.draw(hnp.arrays(np.float64, rows, elements=DIRTY | st.integers(0, 4).map(float)))
    model = _with(recipe, data.draw(hnp.arrays(np.float64, 8, elements=HOSTILE | st.floats(-5, 5))))
    examples = Examples.cleaned(inputs, target, LIMIT, recipe.dimensions)
    _assert_bounded(module.statistic(recipe, model, examples, 1.0, None), recipe)


@each
@given(data=st.data())
@_SMALL
def test_the_units_alone_keep_the_bound_so_that_nothing_is_ever_cut(
    recipe: Any, module: ModuleType, data: st.DataObject
) -> None:
    """Cutting would bias the sums."""
    inputs = data.draw(
        hnp.arrays(np.float64, (1, INPUTS), elements=st.sampled_from([-1.0, 1.0, 0.0]) | st.floats(-1, 1))
    )
    target = data.draw(hnp.arrays(np.float64, 1, elements=st.integers(0, 4).map(float) | st.floats(-1, 1)))
    model = _with(recipe, data.draw(hnp.arrays(np.float64, 20, elements=st.floats(-4, 4))))
    examples = Examples.cleaned(inputs, target, 1, recipe.dimensions)
    whole: list[NDArray[np.float64]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "clip_vector", lambda vector, *_: _kept(whole, vector))
        _assert_bounded(module.statistic(recipe, model, examples, 1.0, None), recipe)
    assert whole


@each
def test_a_home_without_examples_sends_zeros(recipe: Any, module: ModuleType) -> None:
    nothing = Examples.cleaned(np.zeros((0, INPUTS)), np.zeros(0), LIMIT, recipe.dimensions)
    vector = module.statistic(recipe, recipe.initial(), nothing, 1.0, None)
    assert not vector.any()
    assert vector.shape == (recipe.layout().length,)


@each
def test_the_same_home_sends_the_same_vector_and_parts_of_it_add_up(recipe: Any, module: ModuleType) -> None:
    draw = np.random.default_rng(3)
    inputs, target = draw.uniform(-1, 1, (4, INPUTS)), np.array([0.0, 1.0, 1.0, 0.0])
    model = _with(recipe, draw.normal(size=6))

    def vector(rows: slice) -> NDArray[np.float64]:
        examples = Examples.cleaned(inputs[rows], target[rows], LIMIT, recipe.dimensions)
        sent: NDArray[np.float64] = module.statistic(recipe, model, examples, 1.0, None)
        return sent

    assert np.array_equal(vector(slice(4)), vector(slice(4)))
    assert np.allclose(vector(slice(4)), vector(slice(2)) + vector(slice(2, 4)), atol=1e-15)


def _loss(name: str, recipe: Any, rows: NDArray[np.float64], target: NDArray[np.float64]) -> Callable[[Any], float]:
    """The weighted loss over m as a function of θ, written out from its definition."""
    weight = np.minimum(1.0, recipe.bound / (rows * rows).sum(axis=1)) / LIMIT

    def poisson_loss(values: NDArray[np.float64]) -> float:
        return float(weight @ (np.exp(rows @ values) - target * (rows @ values)))

    def logistic_loss(values: NDArray[np.float64]) -> float:
        logits = rows @ values.reshape(recipe.shape).T @ contrasts(recipe.dimensions.classes).T
        chosen = logits[np.arange(len(rows)), target.astype(int)]
        return float(weight @ (np.log(np.exp(logits).sum(axis=1)) - chosen))

    return poisson_loss if name == "poisson" else logistic_loss


@pytest.mark.parametrize("name", ["logistic", "three classes", "five classes", "poisson"])
def test_gradient_and_curvature_are_those_of_the_loss(name: str) -> None:
    recipe, module = CASES[name]
    draw = np.random.default_rng(5)
    inputs = draw.uniform(-1, 1, (4, INPUTS))
    target = np.array([0.25, 0.5, 0.0, 1.0]) if name == "poisson" else np.array([0.0, 1.0, 1.0, 0.0])
    rows = np.column_stack((np.ones(4), inputs))
    loss = _loss(name, recipe, rows, target)
    columns = INPUTS + 1
    count = columns if name == "poisson" else recipe.shape[0] * columns
    theta = draw.normal(size=count) * 0.3
    theta[0] -= 2.0 if name == "poisson" else 0.0
    basis = np.ones((1, 1)) if count == columns else contrasts(recipe.dimensions.classes)
    shown = basis @ theta.reshape(-1, columns)
    arrays = dict(recipe.initial().arrays) | {"intercept": shown[:, 0], "coef": shown[:, 1:]}
    examples = Examples.cleaned(inputs, target, LIMIT, recipe.dimensions)
    vector = module.statistic(recipe, Model.of(arrays), examples, 1.0, None)
    layout = recipe.layout()
    gradient = vector[layout.place(GRADIENT)] * recipe.gradient_unit

    step = 1e-4
    axes = np.eye(count) * step
    slopes = [(loss(theta + axis) - loss(theta - axis)) / (2 * step) for axis in axes]
    assert np.allclose(gradient, slopes, atol=1e-7)

    captured: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(likelihood, "newton", lambda kept, view, *rest: _stop(_kept(captured, view)))
        with pytest.raises(StopIteration):
            recipe.step(_started(recipe), _released(vector))
    curvature = captured[0].curvature
    bent = [
        [(loss(theta + a + b) - loss(theta + a - b) - loss(theta - a + b) + loss(theta - a - b)) for b in axes]
        for a in axes
    ]
    assert np.allclose(curvature, np.array(bent) / (4 * step * step), atol=1e-6)
    assert layout.place(CURVATURE).stop == layout.length


def _kept(seen: list[Any], value: Any) -> Any:
    seen.append(value)
    return value


def _stop(_: object) -> None:
    raise StopIteration


def _started(recipe: Any) -> Model:
    """A model that has had a round: the first is special for counts."""
    arrays = dict(recipe.initial().arrays)
    return Model.of(arrays | {"kept_rounds": np.array([1.0, 0.0, 0.0])})


def _released(total: NDArray[np.float64]) -> Any:
    from vicinia.training.recipe import Aggregate

    return Aggregate(total, 0.0, 10)
