"""The terminal plot: every mark at its place on one scale."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from vicinia.coordinator.console.plot import Bar, bars

number = st.floats(-1e6, 1e6)
bar = st.builds(
    Bar, st.text("abc=12", max_size=8), st.none() | number, st.none() | st.floats(0, 1e3), st.none() | number
)


def test_a_value_has_its_interval_around_it_and_the_truth_beside_it() -> None:
    line, _scale = bars([Bar("kids=1", 10.0, 1.0, truth=11.5)], width=41)
    text = line.plain.removeprefix("kids=1 ")
    assert text.count("●") == text.count("◆") == text.count("├") == text.count("┤") == 1
    assert text.index("├") < text.index("●") < text.index("◆") < text.index("┤")


def test_a_value_below_the_noise_is_said_in_words() -> None:
    line, other, _scale = bars([Bar("a", None, None), Bar("b", 1.0, 0.1)])
    assert "below noise" in line.plain
    assert "●" in other.plain


def test_nothing_to_draw_draws_nothing() -> None:
    assert bars([]) == []
    assert bars([Bar("a", None, None)]) == []


@settings(deadline=None, max_examples=100)
@given(st.lists(bar, max_size=6), st.integers(10, 80))
def test_lines_never_exceed_their_width(rows: list[Bar], width: int) -> None:
    margin = max((len(row.label) for row in rows), default=0)
    assert all(len(line.plain) <= margin + 1 + max(width, 22) for line in bars(rows, width))
