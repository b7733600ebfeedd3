"""k-means: where the centres go, from exact and from noisy sums."""

from __future__ import annotations

import numpy as np
import pytest
from bench.training_clusters import clustered, inertia, train_kmeans
from vicinia.errors import InvalidInput
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.model import Model
from vicinia.training.recipe import Aggregate
from vicinia.training.recipes.kmeans import COUNTS, KMeans
from vicinia.training.settings import from_file

UNBOUNDED = {"clusters": 6, "lloyd_rounds": 12, "radius": 2}


def recipe(**table: object) -> KMeans:
    return KMeans.of(Dimensions(3, TargetKind.NONE), from_file(KMeans.settings, table, "parameters"))


def test_without_noise_it_is_lloyds_algorithm() -> None:
    cluster = pytest.importorskip("sklearn.cluster")
    inputs = clustered(150, 3)
    made, model = train_kmeans(inputs, UNBOUNDED, epsilon=None)
    # From where the last rounds, which move no centre elsewhere, have brought it.
    reference = cluster.KMeans(6, init=model["centres"], n_init=1, max_iter=1, tol=0).fit(inputs)
    sums = [inputs[made.predict(model, inputs) == place].mean(axis=0) for place in range(6)]
    assert reference.cluster_centers_ == pytest.approx(np.array(sums), abs=1e-4)
    assert inertia(inputs, model["centres"]) <= 1.05 * reference.inertia_


def test_the_first_centres_follow_from_the_seed_and_keep_apart() -> None:
    first, same, other = (recipe(clusters=5, seed=seed).initial() for seed in (1, 1, 2))
    assert first == same
    assert first != other
    apart = np.linalg.norm(first["centres"][:, None] - first["centres"], axis=2) + 9 * np.eye(5)
    assert apart.min() > 0.3
    assert np.abs(first["centres"]).max() <= 0.5


def test_a_centre_without_examples_goes_beside_the_widest() -> None:
    made = recipe(clusters=2, lloyd_rounds=8)
    model = made.initial()
    total = np.zeros(made.layout().length)
    total[0] = 100.0
    total[-2] = 10.0
    after = made.step(model, Aggregate(total, 0.1, 200))
    assert after["sizes"][1] == 0
    assert (after["centres"] != model["centres"]).all()
    assert np.abs(after["centres"].mean(axis=0) - model["centres"][0]).max() < 1e-9


def test_nothing_but_noise_moves_no_centre() -> None:
    made = recipe(clusters=3)
    total = np.zeros(made.layout().length)
    total[made.layout().place(COUNTS)] = 1.0
    model = made.initial()
    assert (made.step(model, Aggregate(total, 5.0, 100))["centres"] == model["centres"]).all()


def test_centres_stay_within_the_box() -> None:
    made = recipe(clusters=3)
    total = np.random.default_rng(1).normal(size=made.layout().length) * 1e6
    after = made.step(made.initial(), Aggregate(total, 1.0, 100))
    assert np.abs(after["centres"]).max() <= 1
    assert Model.from_bytes(after.to_bytes()).same_shape(made.initial())


def test_with_noise_it_comes_near() -> None:
    inputs = clustered(300, 5)
    exact = train_kmeans(inputs, {"clusters": 6}, epsilon=None)[1]
    noisy = train_kmeans(inputs, {"clusters": 6}, epsilon=30.0)[1]
    assert inertia(inputs, noisy["centres"]) < 1.2 * inertia(inputs, exact["centres"])


def test_a_target_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no target"):
        KMeans.of(Dimensions(3, TargetKind.REAL), from_file(KMeans.settings, {}, "parameters"))
