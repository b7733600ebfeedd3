"""What the console prints for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from vicinia.coordinator.console.plot import Bar, bars

if TYPE_CHECKING:  # they load gRPC and numpy, which --help does not need
    from vicinia.coordinator.client.expectation import Expectation
    from vicinia.coordinator.client.link import JobStatus
    from vicinia.coordinator.client.result import Result
    from vicinia.query.column import Column
    from vicinia.query.dataset import DataSet

__all__ = ["checked", "datasets", "facts_of", "jobs", "number", "result"]


def datasets(out: Console, found: Iterable[DataSet], households: int) -> None:
    """One table for each data set."""
    for one in found:
        table = Table(title=f"{one.name}: {one.description}", title_justify="left", header_style="bold")
        for head in ("column", "type", "values", "unit", ""):
            table.add_column(head)
        for column in one.columns:
            table.add_row(column.name, str(column.type), _domain(column), column.unit, _remarks(column))
        out.print(table)
        out.print(f"category {one.category}, time zone {one.timezone}\n")
    out.print(f"The cooperative has about {households} households (rounded down to a multiple of ten).")


def checked(out: Console, found: Expectation) -> None:
    """The terms of a job, what its columns mean, and how far off they will be."""
    job = found.job
    out.print(f"[bold]{job.title}[/bold]\n{job.query}\n")
    majority = "three quarters yes are needed" if found.class_ == "special" else "more yes than no are needed"
    facts = (
        ("vote", f"{found.class_}: {majority}"),
        ("privacy", f"rho {job.rho_nano / 1e9:.6g}, that is epsilon {found.epsilon:.3g} at delta {found.delta:.0e}"),
        ("vector", f"{found.length} numbers of norm at most {found.norm:.3g} leave each home, masked and with noise"),
        ("cohort", f"at least {found.needed} homes must take part; {found.electorate} could"),
    )
    for name, value in facts:
        out.print(f"  {name:8} {value}")
    out.print()
    for meaning in found.meanings:
        out.print(f"  {meaning.column}: {meaning.sentence}" if meaning.column else f"  {meaning.sentence}")
    if found.refusal:
        out.print(f"\n[red]It could not run, even with all of them:[/red] {found.refusal}")
        return
    out.print(f"\n[bold]Expected error if all {found.electorate} homes take part[/bold]")
    for error in found.errors:
        half = error.cohort_needed(error.stderr / 2)
        more = f" Half of that needs {half:,} homes." if error.shrinks and half is not None else ""
        out.print(f"  {error.sentence}{more}")
    out.print("\nNothing has been sent to any home.")


def jobs(out: Console, found: Sequence[JobStatus]) -> None:
    """A list of jobs."""
    table = Table(header_style="bold")
    for head in ("job", "submitted", "title", "state", ""):
        table.add_column(head)
    for one in found:
        when = datetime.fromtimestamp(one.submitted_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
        table.add_row(one.job_hash[:12], when, one.title, one.state, one.reason)
    out.print(table)


def result(out: Console, found: Result) -> None:
    """The table of a result, a plot of every column, and what the log says of it."""
    table = Table(title=found.job.title, title_justify="left", header_style="bold")
    for head in ("group", "column"):
        table.add_column(head)
    for head in ("value", "± noise", "95 % interval", "± sampling"):
        table.add_column(head, justify="right")
    table.add_column("")
    for cell in found.cells:
        interval = "" if cell.interval is None else f"{number(cell.interval[0])} … {number(cell.interval[1])}"
        shown = "below noise" if cell.value is None else number(cell.value)
        table.add_row(
            cell.group, cell.column, shown, number(cell.stderr), interval, number(cell.sampling_stderr), cell.note
        )
    out.print(table)
    for column in dict.fromkeys(cell.column for cell in found.cells):
        out.print(f"\n  {column}")
        marks = [Bar(c.group, c.value, c.stderr) for c in found.cells if c.column == column]
        for line in bars(marks):
            out.print("  ", line, sep="")
    out.print(
        f"\nAbout {found.cohort} homes took part (rounded down). The error bars hold the noise that they added for "
        f"privacy (rho {found.rho_nano / 1e9:.6g}, epsilon {found.epsilon:.3g} at delta {found.delta:.0e}).\n"
        f"Cite as: {found.citation}"
    )


def facts_of(now: JobStatus, at: float) -> dict[str, Any]:
    """A job's state for programs; `at` is the time in seconds, for what is left of the vote."""
    left = max(0.0, now.deadline_ms / 1000 - at) if now.state == "voting" else 0.0
    return {
        "job": now.job_hash,
        "title": now.title,
        "state": now.state,
        "reason": now.reason,
        "final": now.final,
        "seconds_left": round(left, 1),
        "turnout": now.turnout,
        "electorate": now.electorate,
        "yes": now.yes,
        "no": now.no,
        "abstain": now.abstain,
        "phase": now.phase,
        "phase_done": now.phase_done,
        "phase_of": now.phase_of,
        "run": now.run,
    }


def number(value: float | None) -> str:
    """Four significant digits, as many as noise leaves; empty for None."""
    return "" if value is None else f"{value:.4g}"


def _domain(column: Column) -> str:
    if column.values:
        return ", ".join(str(value) for value in column.values)
    return "" if column.low is None else f"{column.low} to {column.high}"


def _remarks(column: Column) -> str:
    words = ["always there"] if column.required else []
    return ", ".join([*words, "one per household"] if column.per_household else words)
