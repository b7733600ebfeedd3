"""What the console prints of how well a model does: metrics, and how often it was so where the model said so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text
from vicinia.coordinator.console.metric_words import heading, meanings, metric

if TYPE_CHECKING:
    from vicinia.coordinator.client.trained_model import TrainedModel
    from vicinia.training.metrics import Bin

__all__ = ["calibration", "evaluation", "proof"]


def evaluation(out: Console, found: TrainedModel) -> None:
    """Metrics and homes, calibration, cost and proof of a job that only evaluates."""
    out.print(Text(found.job.title, style="bold"))
    out.print(Text(f"{found.training.plan.sentence}.\n"))
    release = found.releases[-1]
    table = Table(header_style="bold")
    for head in ("metric", "value"):
        table.add_column(head, justify="left" if head == "metric" else "right")
    for one in release.metrics:
        table.add_row(Text(heading(one.name)), Text(metric(one.value, one.stderr)))
    out.print(table)
    out.print(f"Over {release.cohort:,} to {release.cohort + 9:,} homes.")
    out.print("± is the noise's: how far a metric lies from what the same homes would have shown without.")
    for name, says in meanings(one.name for one in release.metrics):
        out.print(Text(f"{name}: {says}."))
    calibration(out, found.calibration)
    proof(out, found)


def calibration(out: Console, bins: Sequence[Bin]) -> None:
    """Of each range of scores that stands out of the noise, what share was so; nothing where none does."""
    seen = [one for one in bins if one.observed is not None]
    if not seen:
        return
    table = Table(header_style="bold")
    for head in ("the model said", "it was so"):
        table.add_column(head, justify="right")
    for one in seen:
        table.add_row(Text(f"{one.low:.2f} … {one.high:.2f}"), Text(metric(one.observed, one.stderr)))
    out.print("\n[bold]Calibration[/bold]")
    out.print(table)
    if len(seen) < len(bins):
        out.print("What the model said elsewhere lies below the noise.")


def proof(out: Console, found: TrainedModel) -> None:
    """What the homes paid, what was computed again here, and where the log says so."""
    rho = found.card.fields["rho_nano"] / 1e9
    out.print(
        f"\nEach home paid at most epsilon {found.epsilon:.3g} at delta {found.delta:.0e} (rho {rho:.6g}) of its "
        f"privacy account, for all rounds together."
    )
    out.print(Text(f"{found.beginning} {found.provenance}".strip()))
    what = "what was found of this model" if found.training.plan.only_evaluates else "this model"
    out.print(Text(f"The public log vouches for {what}. Cite as: {found.citation}"))
