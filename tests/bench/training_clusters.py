"""How well k-means and principal components do at 10,000 homes with the noise of ε = 1, beside scikit-learn's."""

from __future__ import annotations

from collections.abc import Mapping
from math import hypot

import numpy as np
from numpy.typing import NDArray
from vicinia.node.training import kmeans, pca
from vicinia.privacy.conversion import epsilon_to_rho_nano
from vicinia.privacy.noise import NoisePlan
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.examples import Examples
from vicinia.training.layout import VectorLayout
from vicinia.training.model import Model
from vicinia.training.recipe import Aggregate
from vicinia.training.recipes.kmeans import KMeans
from vicinia.training.recipes.pca import PCA
from vicinia.training.settings import from_file

__all__ = ["clustered", "inertia", "measure", "noise_of", "train_kmeans", "train_pca"]

RECORDS, INPUTS, CLUSTERS = 24, 12, 6
HOMES = 10_000


def measure() -> list[tuple[str, str]]:
    """Inertia and explained variance, as (what, figure) rows."""
    from sklearn.cluster import KMeans as Reference

    inputs = clustered(HOMES, 1)
    table = {"clusters": CLUSTERS}
    ratios = []
    theirs = Reference(CLUSTERS, n_init=5, random_state=0).fit(inputs).inertia_
    for seed in range(3):
        _, model = train_kmeans(inputs, {**table, "seed": seed}, epsilon=1.0, seed=seed)
        ratios.append(inertia(inputs, model["centres"]) / theirs)
    told = ", ".join(f"{ratio:.3f}" for ratio in ratios)
    rows = [("k-means, inertia by scikit-learn's, n=10,000, ε=1, three starts", f"{told} (target 1.05)")]
    _, exact = train_pca(inputs, {"components": 3}, epsilon=None)
    _, noisy = train_pca(inputs, {"components": 3}, epsilon=1.0)
    centred = inputs - inputs.mean(axis=0)
    best, found = (np.square(centred @ model["components"].T).sum() for model in (exact, noisy))
    rows.append(("PCA, variance on 3 components by the exact ones', n=10,000, ε=1", f"{found / best:.5f}"))
    return rows


def clustered(homes: int, seed: int) -> NDArray[np.float64]:
    """Inputs float64[24 homes, 12] of six clusters with deviation .15 and unequal sizes; a home prefers one of them."""
    truth = np.random.Generator(np.random.PCG64(99))
    centres = truth.uniform(-0.6, 0.6, (CLUSTERS, INPUTS))
    shares = np.array([0.25, 0.2, 0.2, 0.15, 0.12, 0.08])
    draw = np.random.Generator(np.random.PCG64(seed))
    own = np.repeat(draw.choice(CLUSTERS, homes, p=shares), RECORDS)
    other = draw.choice(CLUSTERS, homes * RECORDS, p=shares)
    cluster = np.where(draw.uniform(size=len(own)) < 0.3, own, other)
    return np.clip(centres[cluster] + draw.normal(0, 0.15, (len(own), INPUTS)), -1, 1)


def inertia(inputs: NDArray[np.float64], centres: NDArray[np.floating]) -> float:
    """The sum of squared distances to the nearest centre."""
    return float(np.min([np.square(inputs - centre).sum(axis=1) for centre in centres], axis=0).sum())


def noise_of(layout: VectorLayout, rounds: int, homes: int, epsilon: float) -> float:
    """Noise and rounding of one slot of the sum, ε shared by all rounds; a twentieth of the homes is corrupt."""
    honest = -(-9 * homes // 10) - homes // 20
    rho, group = epsilon_to_rho_nano(epsilon) // rounds, max(layout.group_lengths)
    plan = NoisePlan.derive(layout.norm_squared, layout.length, rho, homes, honest, group=group)
    return hypot(plan.sum_std(homes), plan.rounding_std(homes))


def train_kmeans(
    inputs: NDArray[np.float64], table: Mapping[str, object], *, epsilon: float | None, seed: int = 0
) -> tuple[KMeans, Model]:
    """Train on consecutive homes of 24 records; without an ε there is no noise."""
    dimensions = Dimensions(inputs.shape[1], TargetKind.NONE)
    recipe = KMeans.of(dimensions, from_file(KMeans.settings, table, "parameters"))
    pooled, homes = _pooled(inputs), len(inputs) // RECORDS
    draw, model = np.random.Generator(np.random.PCG64(seed)), recipe.initial()
    rounds = recipe.rounds() or 0
    noise = 0.0 if epsilon is None else noise_of(recipe.layout(), rounds, homes, epsilon)
    for _ in range(rounds):
        total = kmeans.sums(recipe, model, pooled)
        total += noise * draw.normal(size=len(total))
        model = recipe.step(model, Aggregate(total, noise, homes // 10 * 10))
    return recipe, model


def train_pca(
    inputs: NDArray[np.float64], table: Mapping[str, object], *, epsilon: float | None, seed: int = 0
) -> tuple[PCA, Model]:
    """The same for principal components."""
    dimensions = Dimensions(inputs.shape[1], TargetKind.NONE)
    recipe = PCA.of(dimensions, from_file(PCA.settings, table, "parameters"))
    homes = len(inputs) // RECORDS
    noise = 0.0 if epsilon is None else noise_of(recipe.layout(), 1, homes, epsilon)
    total = pca.sums(recipe, _pooled(inputs))
    total += noise * np.random.Generator(np.random.PCG64(seed)).normal(size=len(total))
    return recipe, recipe.step(recipe.initial(), Aggregate(total, noise, homes // 10 * 10))


def _pooled(inputs: NDArray[np.float64]) -> Examples:
    """All homes' examples at once: the homes' vectors are sums, so theirs is the sum of them."""
    return Examples(inputs, np.zeros(len(inputs)), RECORDS)
