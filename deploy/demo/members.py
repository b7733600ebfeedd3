"""The demo's members: every step is a command of the node that a household would type."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from vicinia.errors import NotFound, RoundFailed

from deploy.demo.choices import Cast
from deploy.demo.data import Households
from deploy.demo.machine import Machine
from deploy.demo.processes import Supervisor

__all__ = ["NODE", "Group", "Members"]

HERE = Path(__file__).resolve().parent
NODE = "vicinia-node"
NOT_FOUND = NotFound.exit_status


@dataclass(frozen=True, slots=True)
class Group:
    """Homes that share a folder: those of one hosting process, or all that are alone in theirs."""

    name: str
    folder: Path
    homes: tuple[str, ...]


class Members:
    """All households with their homes, registrars and witness included."""

    def __init__(self, folder: Path, cast: Cast, data: Households, processes: Supervisor) -> None:
        self._folder = folder
        self._cast = cast
        self._data = data
        self._processes = processes
        self._cores = Machine.idle().cores
        homes = folder / "homes"
        hosted = [Group(f"host{i}", homes / f"host{i}", names) for i, names in enumerate(cast.hosted, start=1)]
        self.groups = (Group("lone", homes / "lone", cast.lone), *hosted)
        # Links to all homes in one folder: what takes no time for each home is done for all by one command.
        self._all = Group("all", homes / "all", cast.everybody)

    def make_elected(self) -> list[str]:
        """Make the homes of the registrars and of the witness; their public keys, the witness's last."""
        elected, lone = (*self._cast.registrars, self._cast.witness), self.groups[0].folder
        words = ("init", "--homes", str(lone), "--names", self._list("elected", elected))
        made = self._processes.run_json(NODE, *words)["homes"]
        return [made[name]["key"] for name in elected]

    def joins(self, invitations: Path) -> list[Callable[[], str]]:
        """Commands by which every household joins with an invitation of the file, one for each core."""
        self._all.folder.mkdir(parents=True, mode=0o700)
        for group in self.groups:
            for name in group.homes:
                (group.folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
                (self._all.folder / name).symlink_to(group.folder / name)
        lines = invitations.read_text().split()
        calls: list[Callable[[], str]] = []
        for part, names in enumerate(self._parts()):
            mine = self._list(f"part{part}.invitations", lines[part :: self._cores])
            calls.append(partial(self._homes, self._all, "join", "--invitations", mine, "--names", names))
        return calls

    def approve(self) -> None:
        """Two registrars endorse every household and researcher that waits."""
        for registrar in self._cast.registrars[:2]:
            self._processes.run(NODE, "registrar", "approve", "--all", "--dir", self.home(registrar))

    def import_data(self) -> None:
        """Every home takes its own rows into its own store."""
        for table in self._data.tables:
            words = ("import", "--map", str(table.map), "--data", str(table.source))
            self._processes.at_once([partial(self._homes, self._all, *words, only=part) for part in self._parts()])

    def consent(self, purpose: str, recipient: str, epsilon: str, *, train: bool = False) -> None:
        """The households that do consent say so; the others have said nothing, which is a refusal.

        To train a model is a permission of its own: those who refuse that allow queries, which must not be enough.
        """
        rule = ("--purpose", purpose, "--recipient", recipient, "--epsilon", epsilon)
        refusing = [name for name in self._cast.everybody if name not in set(self._cast.consenting)]
        for table in self._data.tables:
            words = ("consent", "allow", "--dataset", table.dataset, *rule)
            self._for_some("consenting", self._cast.consenting, *words, *(("--train",) if train else ()))()
            if train and refusing:
                self._for_some("queries only", refusing, *words)()

    def standing_votes(self) -> None:
        """Every household but one has a standing vote."""
        self._processes.at_once(
            [
                self._for_some(choice, names, "vote", "--standing", str(HERE / f"standing-{choice}.toml"))
                for choice, names in self._cast.votes.items()
                if names
            ]
        )

    def run(self) -> None:
        """Start the daemons: one for each hosting process, one for each lone home."""
        for group in self.groups[1:]:
            self._processes.start(group.name, NODE, "run", "--homes", str(group.folder))
        for name in self._cast.lone:
            self._processes.start(self.daemon(name), NODE, "run", "--dir", self.home(name))

    @staticmethod
    def daemon(name: str) -> str:
        """The name under which a lone home's process runs."""
        return f"home-{name}"

    def sponsor(self, job: str) -> None:
        """A member puts a submitted job before the assembly."""
        self._processes.run(NODE, "sponsor", job, "--dir", self.home(self._cast.sponsor))

    def vote_by_hand(self, job: str, choice: str) -> None:
        """One household votes by hand."""
        self._processes.run(NODE, "vote", job, choice, "--dir", self.home(self._cast.by_hand))

    def left(self, vector_of: str | None = None) -> dict[str, Any]:
        """The record of what left, by household; with the exact vectors of a run on request."""
        words = ("--vector", vector_of) if vector_of is not None else ()
        return self._gather("left", *words)

    def states(self) -> dict[str, Any]:
        """How every home stands, by household."""
        return self._gather("status")

    def households(self) -> dict[str, str]:
        """The id under which the log knows each home, by household."""
        return {name: str(state["household"]) for name, state in self.states().items()}

    def verify_left(self) -> dict[str, Any]:
        """Every home verifies the chain of its own record."""
        return self._gather("left", "--verify")

    def reasons(self) -> dict[str, Any]:
        """Why every home ran or refused each job, by household."""
        return self._gather("jobs", "--why")

    def stores(self) -> Path:
        """The folder with all homes."""
        return self._all.folder

    def home(self, name: str) -> str:
        """The folder of a home, as a word of a command."""
        group = next(group for group in self.groups if name in group.homes)
        return str(group.folder / name)

    # --- helpers

    def _homes(self, group: Group, *words: str, only: str | None = None) -> str:
        narrowed = ("--only", only) if only is not None else ()
        return self._processes.run(NODE, *words, "--homes", str(group.folder), *narrowed)

    def _for_some(self, label: str, names: Sequence[str], *words: str) -> Callable[[], str]:
        """A command for these homes, to be called."""
        return partial(self._homes, self._all, *words, only=self._list(label, names))

    def _parts(self) -> list[str]:
        """Lists of all homes, one for each core."""
        cores, homes = self._cores, self._cast.everybody
        return [self._list(f"part{i}", homes[i::cores]) for i in range(cores) if homes[i::cores]]

    def _gather(self, *words: str) -> dict[str, Any]:
        """Ask every home; the answers by household. Homes of which nothing is known are left out."""
        calls = [partial(self._ask, part, *words) for part in self._parts()]
        answers: dict[str, Any] = {}
        for answer in self._processes.at_once(calls):
            answers.update(answer)
        return answers

    def _ask(self, part: str, *words: str) -> dict[str, Any]:
        done = self._processes.attempt(NODE, *words, "--homes", str(self._all.folder), "--only", part, "--json")
        if done.returncode == NOT_FOUND:
            return {}
        try:
            return dict(json.loads(done.stdout)["homes"])
        except (ValueError, KeyError):
            raise RoundFailed(done.stderr.strip(), where=" ".join((NODE, *words))) from None

    def _list(self, name: str, lines: Sequence[str]) -> str:
        folder = self._folder / "lists"
        folder.mkdir(exist_ok=True)
        path = folder / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return str(path)
