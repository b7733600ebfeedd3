"""The learning curve as a picture: well formed, described, with nothing outside, and no line across what is hidden."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from hypothesis import example, given
from hypothesis import strategies as st
from vicinia.coordinator.console.curve import Point
from vicinia.coordinator.console.picture import svg

SVG = "{http://www.w3.org/2000/svg}"
RISING = [Point(round_, 0.5 + 0.01 * round_, 0.02) for round_ in range(6)]
HIDDEN = [Point(0, None, None), Point(1, None, None)]
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
POINTS = st.lists(st.tuples(st.none() | NUMBERS, st.none() | st.floats(0, 1e6)), min_size=1, max_size=120)


def texts(picture: ET.Element) -> list[str]:
    return [text.text or "" for text in picture.iter(f"{SVG}text")]


def test_it_is_well_formed_and_has_a_panel_for_each_metric() -> None:
    picture = ET.fromstring(svg('Fuel <&> "more"', {"auc": RISING, "log_loss": HIDDEN, "flat": [Point(1, 2.0, None)]}))
    said = texts(picture)
    assert said[0] == 'Fuel <&> "more"'
    assert {"AUC", "log loss", "flat", "below noise in every round"} <= set(said)
    assert len(list(picture.iter(f"{SVG}circle"))) == 7
    assert not said[-1].endswith("Grey: below the noise.")
    assert "no metrics" in texts(ET.fromstring(svg("None", {})))[-1]


def test_it_is_described_for_those_who_do_not_see_it() -> None:
    picture = ET.fromstring(svg("Fuel", {"auc": RISING, "log_loss": HIDDEN}))
    assert picture.attrib["role"] == "img"
    named = [picture.find(f"{SVG}title"), picture.find(f"{SVG}desc")]
    assert picture.attrib["aria-labelledby"].split() == [one.attrib["id"] for one in named if one is not None]
    assert [one.text for one in named if one is not None] == [
        "Fuel",
        "AUC: after 0 rounds 0.500 ± 0.020; after 5 rounds 0.550 ± 0.020. "
        "log loss: after 0 rounds below noise; after 1 round below noise.",
    ]


def test_no_line_crosses_a_round_that_the_noise_hides() -> None:
    points = [*RISING[:2], Point(2, None, None), *RISING[3:5], Point(5, None, None)]
    picture = ET.fromstring(svg("Fuel", {"auc": points}))
    assert [len(one.attrib["points"].split()) for one in picture.iter(f"{SVG}polyline")] == [2, 2]
    assert len([one for one in picture.iter(f"{SVG}rect") if one.attrib["class"] == "hidden"]) == 2
    assert texts(picture)[-1].endswith("Grey: below the noise.")


def test_a_long_title_is_wrapped() -> None:
    words = "How people travel: by car, on foot, by bus or train, " * 4
    said = texts(ET.fromstring(svg(words, {"auc": RISING})))
    assert " ".join(said[: said.index("AUC")]) == words.strip()
    assert max(map(len, said[: said.index("AUC")])) <= 76


@given(POINTS)
@example([(5e-324, None)])
@example([(3e-200, 1e-200)])
@example([(0.1, None), (0.10000000000000002, None)])
@example([(2.0, 1.1e-16)])
@example([(0.1, 1e-17)])
@example([(1e15, None), (1e15 + 0.125, None)])
@example([(-1e300, None), (1e300, None)])
def test_nothing_lies_outside(values: list[tuple[float | None, float | None]]) -> None:
    points = [Point(place, value, stderr) for place, (value, stderr) in enumerate(values)]
    picture = ET.fromstring(svg("Any", {"any": points}))
    width, height = float(picture.attrib["width"]), float(picture.attrib["height"])
    for circle in picture.iter(f"{SVG}circle"):
        assert 0 <= float(circle.attrib["cx"]) <= width
        assert 0 <= float(circle.attrib["cy"]) <= height
    ticks = [one for one in picture.iter(f"{SVG}text") if one.get("text-anchor") == "end"]
    assert len(ticks) in range(2, 8) or all(value is None for value, _ in values)
    assert len({one.text for one in ticks}) == len(ticks)
