"""The learning curve: the metric that counts in the terminal, every one as SVG, values below the noise left out."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from vicinia.coordinator.console.curve import MOST_LINES, Point, curve, leading, svg

RISING = [Point(round_, 0.5 + 0.01 * round_, 0.02) for round_ in range(1, 6)]
HIDDEN = [Point(1, None, None), Point(2, None, None)]
SVG = "{http://www.w3.org/2000/svg}"


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


def test_the_picture_is_well_formed_and_has_a_panel_for_each_metric() -> None:
    picture = ET.fromstring(svg('Fuel <&> "more"', {"auc": RISING, "log_loss": HIDDEN, "flat": [Point(1, 2.0, None)]}))
    texts = [text.text for text in picture.iter(f"{SVG}text")]
    assert texts[0] == 'Fuel <&> "more"'
    assert {"auc", "log_loss", "flat", "below the noise in every round"} <= set(texts)
    assert len(list(picture.iter(f"{SVG}circle"))) == 6
    height = float(picture.attrib["height"])
    assert all(0 <= float(one.attrib["cy"]) <= height for one in picture.iter(f"{SVG}circle"))
    assert ET.fromstring(svg("None", {})) is not None
