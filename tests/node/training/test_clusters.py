"""A home's sums for k-means and principal components: bounded whatever it holds and whatever model it is sent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from vicinia.node.training import kmeans, pca
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.examples import Examples
from vicinia.training.model import Model
from vicinia.training.recipes.kmeans import COUNTS, OFFSETS, KMeans
from vicinia.training.recipes.pca import PCA
from vicinia.training.settings import from_file

NONE = Dimensions(2, TargetKind.NONE)
CLUSTERS = KMeans.of(NONE, from_file(KMeans.settings, {"clusters": 3}, "parameters"))
COMPONENTS = PCA.of(NONE, from_file(PCA.settings, {}, "parameters"))

dirty = st.one_of(st.floats(), st.floats(-1, 1), st.sampled_from([-1.0, 0.0, 1.0, 1e308]))
finite = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.floats(-1, 1))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_rows_and_no_model_make_the_vector_too_long(data: st.DataObject) -> None:
    rows = data.draw(st.integers(0, 6))
    examples = Examples.cleaned(data.draw(arrays(np.float64, (rows, 2), elements=dirty)), np.zeros(rows), 4, NONE)
    model = CLUSTERS.initial()
    hostile = Model.of({name: data.draw(arrays(np.float64, model[name].shape, elements=finite)) for name in model})
    for vector, layout in (
        (kmeans.statistic(CLUSTERS, hostile, examples, 1.0, None), CLUSTERS.layout()),
        (pca.statistic(COMPONENTS, COMPONENTS.initial(), examples, 1.0, None), COMPONENTS.layout()),
    ):
        assert vector.shape == (layout.length,)
        assert np.isfinite(vector).all()
        assert vector @ vector <= float(layout.norm_squared) + 1e-12
        if not len(examples):
            assert not vector.any()


def test_counts_and_offsets_are_those_of_the_nearest_centres() -> None:
    centres = np.array([[0.5, 0.5], [-0.5, -0.5], [0.9, -0.9]])
    model = Model.of({**{name: CLUSTERS.initial()[name] for name in CLUSTERS.initial()}, "centres": centres})
    inputs = np.array([[0.4, 0.6], [0.6, 0.5], [-0.5, -0.4]])
    vector = kmeans.statistic(CLUSTERS, model, Examples.cleaned(inputs, np.zeros(3), 4, NONE), 1.0, None)
    counted, offset, _ = CLUSTERS.weights
    layout = CLUSTERS.layout()
    assert vector[layout.place(COUNTS)] / counted == pytest.approx([0.5, 0.25, 0.0])
    found = vector[layout.place(OFFSETS)].reshape(3, 2) * CLUSTERS.reach / offset
    assert found == pytest.approx(np.array([[0.0, 0.1], [0.0, 0.1], [0.0, 0.0]]) / 4)


def test_the_homes_add_up_to_the_pooled_sums() -> None:
    inputs = np.random.default_rng(3).uniform(-1, 1, (40, 2))
    pooled = Examples(inputs, np.zeros(40), 4)
    homes = [Examples.cleaned(inputs[at : at + 4], np.zeros(4), 4, NONE) for at in range(0, 40, 4)]
    model = CLUSTERS.initial()
    summed = np.sum([kmeans.statistic(CLUSTERS, model, home, 1.0, None) for home in homes], axis=0)
    assert summed == pytest.approx(kmeans.sums(CLUSTERS, model, pooled), abs=1e-9)
    summed = np.sum([pca.statistic(COMPONENTS, model, home, 1.0, None) for home in homes], axis=0)
    assert summed == pytest.approx(pca.sums(COMPONENTS, pooled), abs=1e-9)
