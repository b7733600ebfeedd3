"""The demo's cooperative: every step is a command that a steward, a member or a researcher would type."""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from vicinia.errors import NotFound, RoundFailed

from deploy.demo.choices import Cast
from deploy.demo.cohort import synchronised
from deploy.demo.data import Households
from deploy.demo.machine import Machine
from deploy.demo.processes import Supervisor
from deploy.demo.progress import Follower
from deploy.demo.waiting import wait_until

__all__ = ["AGENCY", "BYLAWS", "RECIPIENT", "UNIVERSITY", "Cooperative", "Group"]

HERE = Path(__file__).resolve().parent
BYLAWS = HERE / "BYLAWS.toml"
COOP = "demo"
NODE, COORDINATOR, CONSOLE = "vicinia-node", "vicinia-coordinator", "vicinia"
LISTEN_SECONDS, START_SECONDS = 30, 120  # on an idle machine
NOT_FOUND = NotFound.exit_status
UNIVERSITY, AGENCY = "university", "agency"
RECIPIENT = "non-profit"
# Name of the folder -> institution and kind of recipient.
RESEARCHERS = {UNIVERSITY: ("University of the Valley", RECIPIENT), AGENCY: ("Banner & Sons", "commercial")}


@dataclass(frozen=True, slots=True)
class Group:
    """Homes that share a folder: those of one hosting process, or all that are alone in theirs."""

    name: str
    folder: Path
    homes: tuple[str, ...]


class Cooperative:
    """Founds the cooperative in a folder and leads it through a job, one method for each step."""

    def __init__(
        self, folder: Path, cast: Cast, data: Households, processes: Supervisor, bylaws: Path = BYLAWS
    ) -> None:
        self._folder = folder
        self._bylaws = bylaws
        self._cast = cast
        self._data = data
        self._processes = processes
        self.machine = Machine.idle()
        self.phase_seconds = 0  # known once the cooperative is founded
        homes = folder / "homes"
        hosted = [Group(f"host{i}", homes / f"host{i}", names) for i, names in enumerate(cast.hosted, start=1)]
        self.groups = (Group("lone", homes / "lone", cast.lone), *hosted)
        # Links to all homes in one folder: what takes no time for each home is done for all by one command.
        self._all = Group("all", homes / "all", cast.everybody)
        self._coordinator = ("--dir", str(folder / "coordinator"))
        self._address: tuple[str, ...] = ()

    # --- the steward

    def found(self) -> None:
        """Make the keys of the elected homes, then found the cooperative with their public halves."""
        elected = (*self._cast.registrars, self._cast.witness)
        lone = self.groups[0].folder
        began = time.monotonic()
        made = self._node_json("init", "--homes", str(lone), "--names", self._list("elected", elected))["homes"]
        self.machine = Machine.measured(time.monotonic() - began)
        self._processes.slowness = self.machine.slowness
        keys = [made[name]["key"] for name in elected]
        registrars = [word for key in keys[:-1] for word in ("--registrar", key)]
        self._processes.run(
            COORDINATOR, *self._coordinator, "found", "--coop", COOP, "--name", "The demo cooperative",
            *registrars, "--witness", keys[-1], "--bylaws", str(self._rules()),
            *(word for table in self._data.tables for word in ("--dataset", str(table.map))),
        )  # fmt: skip

    def _rules(self) -> Path:
        """The by-laws, with times that this machine bears where the file has none: all homes share its cores."""
        text = self._bylaws.read_text()
        named = tomllib.loads(text)
        missing = {name: at for name, at in self.machine.times(len(self._cast.everybody)).items() if name not in named}
        path = self._folder / "BYLAWS.toml"
        path.write_text(text + "".join(f"{name} = {value}\n" for name, value in missing.items()))
        self.phase_seconds = int({**missing, **named}["phase_seconds"])
        return path

    def serve(self) -> None:
        """Start the coordinator on free ports, or again on the ports that it had."""
        ports_file = self._folder / "ports.json"
        ports_file.unlink(missing_ok=True)
        ports = self._address[1::2] or ("127.0.0.1:0", "127.0.0.1:0")
        port, enrolment = (address.rpartition(":")[2] for address in ports)
        self._processes.start(
            "coordinator", COORDINATOR, *self._coordinator, "serve", "--port", port, "--enrolment-port", enrolment,
            "--ports-file", str(ports_file),
        )  # fmt: skip
        wait_until(
            ports_file.is_file, seconds=LISTEN_SECONDS, what="the coordinator to listen", processes=self._processes
        )
        chosen = json.loads(ports_file.read_text())
        self._address = (
            "--address", f"127.0.0.1:{chosen['port']}", "--enrolment", f"127.0.0.1:{chosen['enrolment_port']}",
        )  # fmt: skip

    def status(self) -> Any:
        """What the coordinator says of itself."""
        return self._processes.run_json(COORDINATOR, *self._coordinator, "status")

    def coordinator_folder(self) -> Path:
        """The coordinator's own folder."""
        return self._folder / "coordinator"

    # --- the households

    def stores(self) -> Path:
        """The folder with all homes."""
        return self._all.folder

    def home(self, name: str) -> str:
        """The folder of a home, as a word of a command."""
        group = next(group for group in self.groups if name in group.homes)
        return str(group.folder / name)

    def invite(self) -> None:
        """Invitations for every household and for two researchers, made at once."""
        count = str(len(self._cast.everybody))
        self._processes.at_once(
            [partial(self._invitation, "households", "invite", "--count", count)]
            + [
                partial(self._invitation, name, "accredit", "--institution", institution, "--kind", kind)
                for name, (institution, kind) in RESEARCHERS.items()
            ]
        )

    def join(self) -> None:
        """Every household joins, and both researchers log in."""
        self._all.folder.mkdir(parents=True, mode=0o700)
        for group in self.groups:
            for name in group.homes:
                (group.folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
                (self._all.folder / name).symlink_to(group.folder / name)
        calls = [
            partial(self._processes.run, CONSOLE, *self.researcher(name), "login", "--invitation-file",
                    str(self._invitations(name)))
            for name in RESEARCHERS
        ]  # fmt: skip
        invitations, cores = self._invitations("households").read_text().split(), self.machine.cores
        for part, names in enumerate(self._parts()):
            mine = self._list(f"part{part}.invitations", invitations[part::cores])
            calls.append(partial(self._homes, self._all, "join", "--invitations", mine, "--names", names))
        self._processes.at_once(calls)

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

    def run_homes(self) -> None:
        """Start the daemons: one for each hosting process, one for each lone home."""
        for group in self.groups[1:]:
            self._processes.start(group.name, NODE, "run", "--homes", str(group.folder))
        for name in self._cast.lone:
            self._processes.start(self.daemon(name), NODE, "run", "--dir", self.home(name))

    def await_homes(self) -> None:
        """Wait until every home has a copy of the log that it has checked."""
        everybody = len(self._cast.everybody)
        wait_until(
            lambda: synchronised(self.coordinator_folder()) == everybody,
            seconds=START_SECONDS,
            what="every home to check the log",
            processes=self._processes,
        )

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

    # --- the researchers

    def researcher(self, name: str) -> tuple[str, str]:
        """The words that make the console act as a researcher."""
        return ("--dir", str(self._folder / "researchers" / name))

    def check(self, name: str, job: Path) -> Any:
        """What the job costs and what precision it can be expected to have."""
        return self._processes.run_json(CONSOLE, *self.researcher(name), "check", str(job))

    def submit(self, name: str, job: Path) -> str:
        """Submit a job; its hash."""
        return str(self._processes.run_json(CONSOLE, *self.researcher(name), "submit", str(job))["job"])

    def follow(self, name: str, job: str) -> Follower:
        """Follow a job from now on."""
        return Follower(
            self._processes.stream(f"watch-{job[:8]}", CONSOLE, *self.researcher(name), "watch", job, "--json")
        )

    def result(self, name: str, job: str) -> Any:
        """The released result."""
        return self._processes.run_json(CONSOLE, *self.researcher(name), "result", job)

    def model(self, name: str, job: str) -> Any:
        """The trained model, saved where the answer says, checked and computed again on the researcher's side."""
        out = str(self._folder / "researchers" / name / "model")
        return self._processes.run_json(CONSOLE, *self.researcher(name), "result", job, "--out", out)

    # --- helpers

    def _node_json(self, *words: str) -> Any:
        return self._processes.run_json(NODE, *words)

    def _homes(self, group: Group, *words: str, only: str | None = None) -> str:
        narrowed = ("--only", only) if only is not None else ()
        return self._processes.run(NODE, *words, "--homes", str(group.folder), *narrowed)

    def _for_some(self, label: str, names: Sequence[str], *words: str) -> Callable[[], str]:
        """A command for these homes, to be called."""
        return partial(self._homes, self._all, *words, only=self._list(label, names))

    def _parts(self) -> list[str]:
        """Lists of all homes, one for each core."""
        cores, homes = self.machine.cores, self._cast.everybody
        return [self._list(f"part{i}", homes[i::cores]) for i in range(cores) if homes[i::cores]]

    def _invitation(self, name: str, *words: str) -> None:
        out = str(self._invitations(name))
        self._processes.run(COORDINATOR, *self._coordinator, *words, *self._address, "--out", out)

    def _invitations(self, name: str) -> Path:
        return self._folder / f"{name}.invitations"

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
