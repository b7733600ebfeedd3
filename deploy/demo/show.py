"""What the demo prints: its steps with their times, the result beside the truth, the reasons of the homes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text
from vicinia.coordinator.console.plot import SIGMAS, Bar, bars

__all__ = ["Narrator", "Row", "short"]

MARGIN = 11  # seconds and a mark
TELL_SECONDS = 15.0

LEGEND = (
    ("published", "what the researcher gets"),
    ("± noise", "how far the homes' noise moves it, typically (one standard error)"),
    ("true", "the same figure without noise, from the homes' own data, which only this demo can see"),
    ("× noise", "how far off it is, in multiples of the noise: beyond 2 for about one figure in twenty"),
)


class Step:
    """A step that is under way; `say` replaces what is shown beside its title. `ok`: whether its end is as wanted."""

    def __init__(self, title: str, status: Status) -> None:
        self._title = title
        self._status = status
        self.detail = ""
        self.ok = True

    @property
    def words(self) -> Text:
        """The title with how far the step is."""
        return Text.assemble(self._title, (f": {self.detail}", "dim")) if self.detail else Text(self._title)

    def say(self, detail: str) -> None:
        """Show how far the step is."""
        self.detail = detail
        self._status.update(self.words)


class Narrator:
    """Prints each step when it ends, with the time it took.

    A terminal also sees how it goes; elsewhere a line now and then says that it goes on.
    """

    def __init__(self, console: Console, patience: float = TELL_SECONDS) -> None:
        self._console = console
        self._patience = patience
        self._began = time.monotonic()
        self.seconds: dict[str, float] = {}

    @property
    def elapsed(self) -> float:
        """Seconds since the demo began."""
        return time.monotonic() - self._began

    def heading(self, text: str) -> None:
        """A line that opens a part of the story."""
        self._console.print(f"\n[bold]{text}[/bold]")

    def note(self, text: str) -> None:
        """An indented line of explanation."""
        self._row(Text(), Text(text, style="dim"))

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[Step]:
        """Time one step under a name; its line says done or failed."""
        began = time.monotonic()
        done = threading.Event()
        with self._console.status(title) as status:
            step = Step(title, status)
            teller = threading.Thread(target=self._tell, args=(step, done), daemon=True)
            teller.start()
            try:
                yield step
            except BaseException:
                step.ok = False
                raise
            finally:
                done.set()
                teller.join()
                took = time.monotonic() - began
                self.seconds[name] = round(self.seconds.get(name, 0.0) + took, 2)
                self._line("[green]✓[/green]" if step.ok else "[bold red]✗[/bold red]", step, took)

    def result(self, title: str, rows: Sequence[Row]) -> None:
        """The table of the result beside the truth, what its heads mean, and a plot of each figure."""
        table = Table(title=Text(title), title_justify="left", header_style="bold")
        for head in ("group", "figure"):
            table.add_column(head)
        for head in ("published", "± noise", "true", "off by", "× noise"):
            table.add_column(head, justify="right")
        if any(row.note for row in rows):
            table.add_column("remark")
        for row in rows:
            table.add_row(*map(Text, row.words()))
        self._console.print()
        self._console.print(table)
        self.legend(LEGEND)
        for column in dict.fromkeys(row.column for row in rows):
            marks = [Bar(row.group, row.value, row.stderr, row.pooled) for row in rows if row.column == column]
            self.plot(column, "● published, 95 % interval  ◆ true  ◉ both", marks)

    def plot(self, title: str, legend: str, marks: Sequence[Bar]) -> None:
        """One line for each mark, all on one scale."""
        self._console.print(Text.assemble(f"\n  {title}   ", (legend, "dim")))
        for line in bars(marks):
            self._console.print("  ", line, sep="")

    def table(self, table: Table) -> None:
        """A table of its own kind."""
        self._console.print()
        self._console.print(table)

    def legend(self, pairs: Sequence[tuple[str, str]]) -> None:
        """What the words of a table mean."""
        margin = max([MARGIN, *(len(head) + 2 for head, _ in pairs)])
        for head, meaning in pairs:
            self._row(Text(head, "dim"), Text(meaning, "dim"), margin)

    def caution(self, text: str) -> None:
        """A paragraph that nobody should miss."""
        self._console.print(f"\n[bold yellow]Note[/bold yellow]  {text}")

    def facts(self, title: str, pairs: Sequence[tuple[str, str]]) -> None:
        """Name and value, aligned."""
        self._console.print(f"\n[bold]{title}[/bold]")
        margin = max(len(name) for name, _ in pairs)
        for name, value in pairs:
            self._console.print(f"  {name:<{margin}}  {value}", highlight=False)

    def promises(self, kept: Sequence[tuple[str, bool]]) -> None:
        """One line for each promise that was tried."""
        self._console.print("\n[bold]What was promised, and tried[/bold]")
        for sentence, held in kept:
            mark = "  [green]✓[/green]" if held else "  [bold red]✗[/bold red]"
            self._row(Text.from_markup(mark), Text(sentence), margin=4)

    def _tell(self, step: Step, done: threading.Event) -> None:
        """Where no status can be shown: a line every quarter of a minute, until the step is done."""
        while not self._console.is_terminal and not done.wait(self._patience):
            self._row(Text(f"{self.elapsed:6.1f} s …", "dim"), Text.assemble(step.words, style="dim"))

    def _line(self, mark: str, step: Step, took: float) -> None:
        head = Text.assemble(f"{self.elapsed:6.1f} s ", Text.from_markup(mark))
        self._row(head, Text.assemble(step.words, (f" ({took:.1f} s)", "dim")))

    def _row(self, head: Text, words: Text, margin: int = MARGIN) -> None:
        """Words beside a head of fixed width; what is too long for a line goes on below its beginning."""
        head.align("left", margin)
        for line in words.wrap(self._console, max(margin, self._console.width - margin)):
            line.rstrip()
            self._console.print(Text.assemble(head, line), soft_wrap=True)
            head = Text(" " * margin)


@dataclass(frozen=True, slots=True)
class Row:
    """One cell of the result with the same statistic over the survivors' own data, without noise."""

    keys: Mapping[str, str | int]
    column: str
    value: float | None
    stderr: float | None
    pooled: float | None
    note: str = ""

    @property
    def drowned(self) -> bool:
        """Whether the figure cannot be told from nothing: none is published, or its interval holds zero."""
        return self.value is None or (self.stderr is not None and abs(self.value) <= SIGMAS * self.stderr)

    @property
    def group(self) -> str:
        """The cell's keys in words."""
        return ", ".join(f"{name}={value}" for name, value in self.keys.items()) or "all"

    @property
    def deviation(self) -> float | None:
        """The difference from the truth in standard errors; None where either is not known."""
        if self.value is None or self.pooled is None or not self.stderr:
            return None
        return (self.value - self.pooled) / self.stderr

    def words(self) -> tuple[str, ...]:
        """The row as the table shows it."""
        remark = (self.note,) if self.note else ()
        if self.value is None:
            return (self.group, self.column, "", "", short(self.pooled), "", "", *remark)
        difference = None if self.pooled is None else self.value - self.pooled
        deviation = self.deviation
        return (
            self.group,
            self.column,
            short(self.value),
            short(self.stderr),
            short(self.pooled),
            short(difference),
            "" if deviation is None else f"{deviation:+.2f}",
            *remark,
        )

    def payload(self) -> dict[str, object]:
        """The row as the JSON output has it."""
        return {
            "keys": dict(self.keys),
            "column": self.column,
            "value": self.value,
            "stderr": self.stderr,
            "pooled": self.pooled,
        }


def short(value: float | None) -> str:
    """Four significant digits; empty for None."""
    return "" if value is None else f"{value:.4g}"
