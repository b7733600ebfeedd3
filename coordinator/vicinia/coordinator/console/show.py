"""What the console prints for people."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from vicinia.coordinator.console.plot import Bar, bars
from vicinia.coordinator.console.training_facts import training_facts

if TYPE_CHECKING:  # they load gRPC and numpy, which --help does not need
    from vicinia.coordinator.client.expectation import Expectation
    from vicinia.coordinator.client.link import JobStatus
    from vicinia.coordinator.client.result import Cell, Result
    from vicinia.query.column import Column
    from vicinia.query.dataset import DataSet

__all__ = [
    "PHASES",
    "WAITING",
    "checked",
    "datasets",
    "duration",
    "facts_of",
    "jobs",
    "members",
    "number",
    "plots",
    "result",
]

WAITING = {
    "submitted": "A member must sponsor the job before the vote opens",
    "voting": "The members vote",
    "recruiting": "Accepted: the homes are asked to take part",
    "running": "The homes compute together",
}
PHASES = {
    "advertise": "The homes announce themselves",
    "share": "The homes share their secrets",
    "input": "The homes send masked vectors",
    "commit": "The notaries agree on who took part",
    "unmask": "The homes unmask the sum",
}


def datasets(out: Console, found: Iterable[DataSet], households: int) -> None:
    """One table for each data set."""
    for one in found:
        table = Table(title=Text(f"{one.name}: {one.description}"), title_justify="left", header_style="bold")
        for head in ("column", "type", "bounds or values", "unit", "remarks"):
            table.add_column(head)
        for column in one.columns:
            words = (column.name, str(column.type), _domain(column), column.unit, _remarks(column))
            table.add_row(*map(Text, words))
        out.print(table)
        out.print(f"DPV category of personal data: {one.category}. Times are those of {one.timezone}.\n")
    out.print(f"{members(households)} Who of them holds which data, and would consent, only the homes know.")
    out.print("Values outside the bounds are clamped to them at home. Ask with a JOB.toml: vicinia check --help")


def members(households: int) -> str:
    """How many members there are; the coordinator tells it rounded down to a multiple of ten."""
    if households == 0:
        return "The cooperative has fewer than 10 member households."
    return f"The cooperative has {households:,} to {households + 9:,} member households."


def checked(out: Console, found: Expectation) -> None:
    """The terms of a job, what its columns mean, and how far off they will be."""
    job, cohort = found.job, found.cohort
    training = found.training
    out.print(Text(job.title, style="bold"))
    out.print(Text(job.query if training is None else training.sentence))
    out.print()
    majority = "at least three quarters yes" if found.class_ == "special" else "more yes than no"
    quorum = f"{found.quorum.numerator} in {found.quorum.denominator} members"
    vote = f"{found.class_}: {majority}, by votes of at least {quorum}; open for {duration(found.vote_seconds)}"
    asked = (
        training_facts(training)
        if training is not None
        else (
            (
                "Privacy",
                f"epsilon {found.epsilon:.3g} at delta {found.delta:.0e} (rho {job.rho_nano / 1e9:.6g}) per home",
            ),
            ("Leaves home", f"{found.length:,} number{'s' if found.length > 1 else ''}, masked and with noise"),
        )
    )
    facts = (
        ("Vote", vote),
        *asked,
        ("Homes", f"{cohort.sentence}." if cohort.needed else "not enough, see below"),
    )
    grid = Table.grid(padding=(0, 2))
    for name, value in facts:
        grid.add_row(f"  {name}", Text(value))
    out.print(grid)
    if found.meanings:
        out.print("\n[bold]What each column means[/bold]")
    for meaning in found.meanings:
        _item(out, f"{meaning.column}: {meaning.sentence}" if meaning.column else meaning.sentence)
    if found.refusal:
        out.print("\n[bold red]This job could not run here.[/bold red]")
        _item(out, found.refusal)
        _item(out, found.help)
        out.print("\nNothing has been sent to any home.")
        return
    homes = f"{'all ' if cohort.most == cohort.members else ''}{cohort.most:,} homes"
    if found.errors or found.noise is not None:
        out.print(f"\n[bold]How far off, if {homes} take part[/bold]")
    for error in found.errors:
        half = error.cohort_needed(error.stderr / 2)
        more = (
            f" Half of that needs {half:,} homes." if error.shrinks and not error.drowned and half is not None else ""
        )
        _item(out, f"{error.sentence}{more}")
    for sentence in found.noise.sentences if found.noise is not None else ():
        _item(out, sentence)
    if found.filtered:
        _item(out, "WHERE leaves homes out: the fewer match, the larger the error of every mean.")
    out.print("\nNothing has been sent to any home. Hand it in with: vicinia submit JOB.toml")


def _item(out: Console, text: str) -> None:
    """An indented paragraph whose later lines are indented, too."""
    out.print(Padding(Text(text), (0, 0, 0, 2)))


def jobs(out: Console, found: Sequence[JobStatus], own: Collection[str]) -> None:
    """A list of jobs, newest first; `own` are the hashes of those that were submitted from this folder."""
    if not found:
        out.print("There are no jobs yet. Hand one in with: vicinia submit JOB.toml")
        return
    table = Table(header_style="bold")
    for head in ("job", "submitted (UTC)", "by", "title", "state", "why"):
        table.add_column(head, no_wrap=head == "job")
    for one in found:
        when = datetime.fromtimestamp(one.submitted_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
        by = "you" if one.job_hash in own else "others"
        why = one.reason or ("" if one.final else WAITING.get(one.state, ""))
        table.add_row(*map(Text, (one.job_hash[:12], when, by, one.title, one.state, why)))
    out.print(table)


def result(out: Console, found: Result) -> None:
    """The table of a result, a plot of every column, and what the log says of it."""
    sampled = any(cell.sampling_stderr is not None for cell in found.cells)
    table = Table(title=Text(found.job.title), title_justify="left", header_style="bold")
    for head in ("group", "column"):
        table.add_column(head)
    for head in ("value", "± noise", "95 % interval", *(["± sampling"] if sampled else [])):
        table.add_column(head, justify="right")
    table.add_column("note")
    for cell in found.cells:
        interval = "" if cell.interval is None else f"{number(cell.interval[0])} … {number(cell.interval[1])}"
        sampling = [number(cell.sampling_stderr)] if sampled else []
        words = (cell.group, cell.column, number(cell.value), number(cell.stderr), interval, *sampling, cell.note)
        table.add_row(*map(Text, words))
    out.print(table)
    for title, marks in plots(found.cells):
        lines = bars(marks)
        if lines:
            out.print(Text(f"\n  {title}"))
        for line in lines:
            out.print("  ", line, sep="")
    out.print("\n± noise is one standard error of the noise that the homes added for privacy; the interval is its own.")
    if sampled:
        out.print("± sampling is what another draw of as many homes would differ by; the interval does not hold it.")
    out.print(
        f"{found.cohort:,} to {found.cohort + 9:,} homes took part. Each paid epsilon {found.epsilon:.3g} at delta "
        f"{found.delta:.0e} (rho {found.rho_nano / 1e9:.6g}) of its privacy account."
    )
    out.print(f"The public log vouches for these numbers. Cite as: {found.citation}", markup=False)


def plots(cells: Sequence[Cell]) -> list[tuple[str, list[Bar]]]:
    """Title and bars of each plot: a figure over its groups, or a histogram over its bins, one for each group."""
    found: dict[str, list[Bar]] = {}
    for cell in cells:
        figure, is_histogram, bin_ = cell.column.partition(") [")
        title, label = cell.column, cell.group
        if cell.column.startswith("HISTOGRAM(") and is_histogram:
            title = f"{figure})" + (f", {cell.group}" if cell.keys else "")
            label = f"[{bin_}"
        found.setdefault(title, []).append(Bar(label, cell.value, cell.stderr))
    return list(found.items())


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
        "rounds_planned": now.rounds_planned,
        "rounds_scaling": now.rounds_scaling,
        "rounds_released": now.rounds_released,
        "rounds": [
            {
                "run": one.run,
                "cohort": one.cohort,
                "metrics": {metric.name: {"value": metric.value, "stderr": metric.stderr} for metric in one.metrics},
            }
            for one in now.rounds
        ],
    }


def duration(seconds: float) -> str:
    """A time in the largest unit that says it: 7 days, 3 hours, 12 minutes, 40 s."""
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def number(value: float | None) -> str:
    """Four significant digits, as many as noise leaves; empty for None."""
    return "" if value is None else f"{value:.4g}"


def _domain(column: Column) -> str:
    if column.values:
        return ", ".join(str(value) for value in column.values)
    return "" if column.low is None else f"{column.low} to {column.high}"


def _remarks(column: Column) -> str:
    words = ["never missing"] if column.required else []
    words += ["constant in a household"] if column.per_household else []
    words += ["has buckets"] if column.buckets else []
    return ", ".join(words)
