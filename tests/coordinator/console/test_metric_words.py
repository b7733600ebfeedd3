"""Metrics in words: every metric that there is has a meaning, and no more digits are told than the noise leaves."""

from __future__ import annotations

import numpy as np
import pytest
from vicinia.coordinator.console.metric_words import heading, meaning, metric, sentence
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.evaluation import layout
from vicinia.training.metrics import Metric, metrics


@pytest.mark.parametrize("kind", list(TargetKind))
def test_every_metric_has_a_heading_and_a_meaning(kind: TargetKind) -> None:
    dimensions = Dimensions(2, kind, 2 if kind is TargetKind.CLASSES else 0)
    for one in metrics(dimensions, np.ones(layout(dimensions).length), 0.0):
        assert meaning(one.name)
        assert "_" not in heading(one.name)


@pytest.mark.parametrize(
    ("value", "stderr", "told"),
    [
        (0.71234, 0.0104, "0.712 ± 0.010"),
        (1.0, 0.75, "1.00 ± 0.75"),
        (-0.001, 0.45, "0.00 ± 0.45"),
        (2506.4, 386.1, "2506 ± 386"),
        (0.5, 0.0, "0.5"),
        (0.5, None, "0.5"),
        (None, None, "below noise"),
    ],
)
def test_no_more_digits_are_told_than_the_noise_leaves(value: float | None, stderr: float | None, told: str) -> None:
    assert metric(value, stderr) == told


def test_metrics_that_are_all_hidden_are_told_once() -> None:
    hidden, seen = Metric("auc", None, None), Metric("log_loss", 0.5, 0.1)
    assert sentence([hidden, Metric("accuracy", None, None)]) == "every metric is below the noise"
    assert sentence([hidden, seen]) == "AUC below noise, log loss 0.50 ± 0.10"
