"""What the console prints of a trained model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text
from vicinia.coordinator.console.curve import Point, curve, leading
from vicinia.coordinator.console.metric_words import heading, meanings, metric
from vicinia.coordinator.console.plot import ANYTHING
from vicinia.coordinator.console.show import number
from vicinia.coordinator.console.show_evaluation import calibration, proof
from vicinia.training.schedule import Kind, kind_after

if TYPE_CHECKING:
    from vicinia.coordinator.client.trained_model import TrainedModel

__all__ = ["curves_of", "model"]

Z95 = 1.959964
_NAMES = {Kind.SCALES: "standardising", Kind.CLOSES: "closing"}


def curves_of(found: TrainedModel) -> dict[str, list[Point]]:
    """The metrics by name, each by how many rounds the model had behind it: a round evaluates what it begins with."""
    from vicinia.training.metrics import RANGES  # loads numpy, which --help does not need

    curves: dict[str, list[Point]] = {}
    for place, release in enumerate(found.releases):
        for one in release.metrics:
            limits = RANGES.get(one.name, ANYTHING)
            point = Point(place - found.training.plan.scaling, one.value, one.stderr, limits)
            curves.setdefault(one.name, []).append(point)
    return curves


def model(out: Console, found: TrainedModel) -> None:
    """Coefficients where there are any, metrics and cohorts per round, the learning curve, cost and proof."""
    out.print(Text(found.job.title, style="bold"))
    out.print(Text(f"{found.training.plan.sentence}.\n"))
    if found.coefficients:
        _coefficients(out, found)
    _rounds(out, found)
    curves = curves_of(found)
    shown = leading(curves)
    if shown is not None:
        out.print(Text(f"\n  {heading(shown)}, after so many rounds"))
        for line in curve(curves[shown]):
            out.print("  ", line, sep="")
    if curves:
        out.print(
            "\nA round's metrics are those of the model that it began with; a closing round is of the final model."
        )
        out.print("± of a metric is the noise's: how far it lies from what the same homes would have shown without.")
        for name, says in meanings(curves):
            out.print(Text(f"{name}: {says}."))
    unmeasured = sum(1 for release in found.releases if not release.metrics and release.moments is None)
    if found.training.plan.holdout_nano and unmeasured:
        out.print(
            f"{unmeasured} of {len(found.releases)} rounds have no metrics: too few of the homes that are held out "
            "took part, and a sum of few is never made."
        )
    calibration(out, found.calibration)
    if found.card.ended:
        out.print(Text(found.card.ended, style="bold"))
    proof(out, found)


def _coefficients(out: Console, found: TrainedModel) -> None:
    table = Table(header_style="bold")
    several = len({one.outcome for one in found.coefficients}) > 1
    for head in (*(["outcome"] if several else []), "feature"):
        table.add_column(head)
    for head in ("coefficient", "± error", "95 % interval", "± noise alone"):
        table.add_column(head, justify="right")
    for one in found.coefficients:
        low, high = one.value - Z95 * one.stderr, one.value + Z95 * one.stderr
        numbers = (number(one.value), number(one.stderr), f"{low:.3g} … {high:.3g}", number(one.noise))
        table.add_row(*map(Text, (*([one.outcome] if several else []), one.name, *numbers)))
    out.print(table)
    middle = "its mean" if found.training.plan.scaling else "the middle of its bounds"
    what = {"linear": "to the target", "poisson": "to the logarithm of the count"}.get(found.training.recipe.name)
    outcome = found.coefficients[0].outcome
    what = what or f"to the log-odds{'' if several else f' of {outcome}'}"
    out.print(
        Text(
            f"A coefficient is what one more of the feature, in its own unit, adds {what}. The intercept is the answer "
            f"where every number is at {middle} and every category has its first value. ± error is one "
            "standard error of noise and sampling together. What lies below the noise is drawn towards 0, and so is "
            "everything by l2: that is not in it.\n"
        )
    )


def _rounds(out: Console, found: TrainedModel) -> None:
    names = list(curves_of(found))
    table = Table(header_style="bold")
    for head in ("round", "homes", *map(heading, names)):
        table.add_column(head, justify="right")
    for place, release in enumerate(found.releases):
        told = {one.name: one for one in release.metrics}
        cells = [metric(told[name].value, told[name].stderr) if name in told else "" for name in names]
        kind = kind_after(found.training.plan, place)
        name = str(place + 1 - found.training.plan.scaling) if kind is Kind.TRAINS else _NAMES[kind]
        table.add_row(*map(Text, (name, f"{release.cohort:,}–{release.cohort + 9:,}", *cells)))
    out.print(table)
