"""Principal components: scikit-learn's without noise, and none that is not positive with it."""

from __future__ import annotations

import numpy as np
import pytest
from bench.training_clusters import clustered, train_pca
from vicinia.errors import InvalidInput
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.recipe import Aggregate
from vicinia.training.recipes.pca import PCA
from vicinia.training.settings import from_file
from vicinia.training.symmetric import pack, unpack


def recipe(**table: object) -> PCA:
    return PCA.of(Dimensions(4, TargetKind.NONE), from_file(PCA.settings, table, "parameters"))


def test_without_noise_they_are_scikit_learns() -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    inputs = clustered(100, 3)
    made, model = train_pca(inputs, {"components": 4}, epsilon=None)
    theirs = decomposition.PCA(4).fit(inputs)
    signs = np.sign((theirs.components_ * model["components"]).sum(axis=1))
    assert model["components"] == pytest.approx(theirs.components_ * signs[:, None], abs=1e-4)
    assert model["explained_variance"] == pytest.approx(theirs.explained_variance_, rel=1e-3)
    assert model["explained_variance_ratio"] == pytest.approx(theirs.explained_variance_ratio_, abs=1e-4)
    assert made.predict(model, inputs[:9]) == pytest.approx(theirs.transform(inputs[:9]) * signs, abs=1e-3)


def test_the_largest_element_of_a_component_is_positive() -> None:
    _, model = train_pca(clustered(100, 3), {"components": 12}, epsilon=1.0)
    rows = model["components"]
    assert (rows[np.arange(12), np.abs(rows).argmax(axis=1)] > 0).all()
    assert rows @ rows.T == pytest.approx(np.eye(12), abs=1e-9)


def test_noise_never_makes_a_variance_negative() -> None:
    made = recipe(components=4)
    total = np.random.default_rng(3).normal(size=made.layout().length)
    total[0] = 50.0
    model = made.step(made.initial(), Aggregate(total, 1.0, 100))
    assert (model["explained_variance"] >= 0).all()
    assert model["explained_variance_ratio"].sum() == pytest.approx(1.0)


def test_below_the_noise_there_is_no_variance() -> None:
    made = recipe()
    total = np.ones(made.layout().length)
    assert made.step(made.initial(), Aggregate(total, 9.0, 100)) == made.initial()


def test_the_triangle_keeps_the_norm_and_comes_back() -> None:
    matrix = np.random.default_rng(1).normal(size=(5, 5))
    matrix += matrix.T
    assert np.linalg.norm(pack(matrix)) == pytest.approx(np.linalg.norm(matrix))
    assert unpack(pack(matrix), 5) == pytest.approx(matrix)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no 5 components"):
        recipe(components=5)
    with pytest.raises(InvalidInput, match="no target"):
        PCA.of(Dimensions(3, TargetKind.COUNT), from_file(PCA.settings, {}, "parameters"))
