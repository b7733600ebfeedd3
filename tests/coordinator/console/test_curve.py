"""The learning curve in the terminal: the metric that counts, values below the noise left out."""

from __future__ import annotations

from vicinia.coordinator.console.curve import MOST_LINES, Point, curve, leading

RISING = [Point(round_, 0.5 + 0.01 * round_, 0.02) for round_ in range(1, 6)]
HIDDEN = [Point(1, None, None), Point(2, None, None)]


def test_the_metric_that_is_looked_at_first_has_a_value() -> None:
    assert leading({"log_loss": RISING, "accuracy": RISING, "auc": HIDDEN}) == "accuracy"
    assert leading({"other": RISING}) == "other"
    assert leading({"auc": HIDDEN}) is None
    assert leading({}) is None


def test_many_rounds_are_thinned_and_the_last_one_is_kept() -> None:
    many = [Point(round_, 0.5, 0.01) for round_ in range(1, 204)]
    lines = [line.plain for line in curve(many)]
    assert len(lines) <= MOST_LINES + 1
    assert lines[-2].lstrip().startswith("203 rounds ")
    assert len(curve(RISING)) == 6
    assert curve([]) == []


def test_no_bar_is_longer_than_what_the_metric_can_be() -> None:
    *_, scale = curve([Point(0, 0.9, 0.4, (0.0, 1.0)), Point(1, 0.0, 0.1, (0.0, 1.0))])
    assert [float(end) for end in scale.plain.split()] == [-0.04, 1.04]
