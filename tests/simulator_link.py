"""A coordinator in memory for nodes: the log of a `Cooperative`, and one run that moves when the test says so.

    server = Server(Cooperative.found(households=12))
    job = server.accept_job()
    homes = server.homes(tmp_path)                 # Home stores of all households, joined
    run_id = server.start_run(job)
    server.drive({home: participation, ...})       # every phase, until everybody is done

`server.link(i)` is household i's Link. Each message is kept; a second, different one of the same step is an
AssertionError, because a home that sends two different messages has broken its promise. `server.down` makes every
call Unavailable; `server.crash` is called with (household, step) before and after each message, and may raise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from simulator_cooperative import Cooperative
from vicinia.assembly import Job
from vicinia.errors import NotFound, PhaseOver, Unavailable
from vicinia.identity import SigningKey, TlsKey
from vicinia.node.services.cooperative import Cooperative as Pinned
from vicinia.node.services.keyring import identity
from vicinia.node.services.participation import Participation
from vicinia.node.services.replica import Replica
from vicinia.node.store.home import Home
from vicinia.node.store.replica import ReplicaStore
from vicinia.node.store.signed import Signed
from vicinia.privacy.noise import NoisePlan
from vicinia.query.dataset import DataSet
from vicinia.secagg.coordinator import CoordinatorRound
from vicinia.secagg.manifest import PROTOCOL, Deadlines, Manifest
from vicinia.secagg.messages import Advert, Attestation, ShareUpload, Survivors, UnmaskShares
from vicinia.secagg.parameters import corrupt_bound
from vicinia.tlog.checkpoint import add_cosignatures, sign_checkpoint
from vicinia.tlog.merkle import Tree
from vicinia.tlog.statement import Statement
from vicinia.training.computation import compile_job, noise_for
from vicinia.wire.log import SubmitReply
from vicinia.wire.published import Outcome, Phase, Published
from vicinia.wire.rounds import ModelPiece, PollReply, RunSummary

PURPOSE = "dpv:NonCommercialResearch"


class Server:
    """The coordinator of one cooperative."""

    def __init__(self, coop: Cooperative) -> None:
        self.coop = coop
        self.jobs: dict[bytes, Job] = {}
        self.tray: dict[bytes, Statement] = {}
        self.down = False
        self.crash: Callable[[int, str], None] = lambda household, step: None
        self.sent: dict[tuple[int, str], Any] = {}
        self.run: Run | None = None
        self.note = coop.checkpoint()

    def link(self, household: int) -> Link:
        """A household's link."""
        return Link(self, household)

    def confirm(self) -> None:
        """Let the witnesses cosign the log as it is now."""
        self.note = self.coop.checkpoint()

    def propose_job(self, **changes: Any) -> Job:
        """A job put to the vote."""
        job = self.coop.job(**changes)
        self.jobs[job.hash] = job
        self.coop.propose(job)
        self.confirm()
        return job

    def accept_job(self, **changes: Any) -> Job:
        """A job that everybody accepted."""
        job = self.coop.job(**changes)
        self.jobs[job.hash] = job
        self.coop.accept(job)
        self.confirm()
        return job

    def start_run(self, job: Job, number: int = 0) -> bytes:
        """Publish the manifest of a run; its id."""
        size, root = len(self.coop.leaves), self.coop.assembly.root()
        now = self.coop.now_ms
        deadlines = Deadlines(*(now + 60_000 * (i + 1) for i in range(5)))
        manifest = Manifest(self.coop.coop, job.hash, number, PROTOCOL, size, root, deadlines)
        self.run = Run(self, manifest, job)
        return manifest.digest

    def homes(self, folder: Path, count: int | None = None) -> list[Home]:
        """Stores of the first households, as they are after joining."""
        return [joined_home(folder / f"h{i}", self, key) for i, key in enumerate(self.coop.households[:count])]

    def replica(self, folder: Path) -> Replica:
        """A replica of the log, empty."""
        pinned = Pinned(self.coop.coop, self.coop.assembly.genesis_digest, self.coop.log_key.public)
        return Replica(ReplicaStore(folder / "replica.db"), pinned, self.clock)

    def clock(self) -> int:
        """The cooperative's time in ms."""
        return self.coop.now_ms

    def participation(self, home: Home, household: int, replica: Replica, run_id: bytes) -> Participation:
        """One home in the run."""
        return Participation(home, replica, self.link(household), run_id, self.clock, lambda: 0.0)

    def drive(self, taking_part: Iterable[Participation], rounds: int = 100) -> None:
        """Advance everybody in turn, closing each phase when nobody has anything to add, until all are done."""
        active, quiet = list(taking_part), 0
        for _ in range(rounds):
            before = dict(self.sent)
            active = [one for one in active if one.advance() is not None]
            if not active:
                return
            quiet = quiet + 1 if before == self.sent else 0
            if self.run is not None and quiet >= 3:  # to send again, to prepare, to send
                self.run.close_phase()
                quiet = 0
        raise AssertionError("the run does not end")


class Run:
    """One run of secure aggregation; `close_phase` publishes what comes next."""

    def __init__(self, server: Server, manifest: Manifest, job: Job) -> None:
        self.server, self.manifest, self.job = server, manifest, job
        assembly = server.coop.assembly
        vote = assembly.vote_on(job.hash)
        self.bounds = (corrupt_bound(vote.electorate, assembly.bylaws.gamma), assembly.bylaws.delta, job.floor)
        keys = assembly.electorate_keys(vote, manifest.checkpoint_size)
        self.round = CoordinatorRound(manifest, keys, *self.bounds)
        definitions = {n: DataSet.from_payload(d.dataset.definition) for n, d in assembly.datasets.items()}
        self.plan = compile_job(job, definitions)
        self.model = b""
        self.rounds: tuple[bytes, ...] = ()
        self.phase = Phase.ADVERTISE
        self.leaf = 0
        self.noise: NoisePlan | None = None
        self.total = np.zeros(self.plan.layout.length, np.uint32)
        self.inputs: set[int] = set()
        self.survivors: Survivors | None = None
        self.outcome: Outcome | None = None
        self.result: np.ndarray[Any, Any] | None = None

    def close_phase(self) -> None:
        """End the phase and publish."""
        if self.phase == Phase.ADVERTISE:
            roster = self.round.freeze_roster()
            self.leaf = self.server.coop.roster(self.job, self.manifest.run, roster.G, self.round.adverts)
            self.server.confirm()
            figures, layout = self.round.parameters, self.plan.layout
            self.noise = noise_for(self.plan, self.job.rho_nano, figures.n, figures.honest)
            self.round.encode_as(layout.length, self.noise.width)
        elif self.phase == Phase.SHARE:
            self.round.freeze_dealers()
        elif self.phase == Phase.INPUT:
            positions = [self.round.position(index) for index in sorted(self.inputs)]
            self.survivors = Survivors(self.round.freeze_survivors(positions))
        elif self.phase == Phase.COMMIT:
            assert self.round.commitment() is not None
        elif self.phase == Phase.UNMASK:
            self.result = self.round.unmask(self.total)
            self.outcome = Outcome(Phase.DONE, "", len(self.inputs), b"{}")
        self.phase = Phase(min(self.phase + 1, Phase.DONE))

    def published(self, household: int, after: Phase) -> Any:
        """What a home gets to see after a phase."""
        if self.outcome is not None:
            return self.outcome
        if self.phase <= after:
            return None
        if after == Phase.ADVERTISE:
            return self.round.roster_view(household, self.leaf, len(self.server.coop.leaves))
        if after == Phase.SHARE:
            return self.round.dealers_for(household)
        if after == Phase.INPUT:
            return self.survivors
        return self.round.commitment()


class Link:
    """What a node sees of the coordinator."""

    def __init__(self, server: Server, household: int) -> None:
        self._server = server
        self._household = household

    def poll(self, protocols: Sequence[int], log_size: int) -> PollReply:
        server = self._up()
        note = server.note if log_size < len(server.coop.leaves) else b""
        run = server.run
        runs = (RunSummary(run.manifest.digest, run.job.hash, run.phase),) if run is not None else ()
        unsigned = sign_checkpoint(server.coop.assembly.checkpoint(), server.coop.log_key)
        return PollReply(note, runs, 10, unsigned if self._household == 0 else b"")

    def checkpoint(self) -> bytes:
        return self._up().note

    def entries(self, start: int, end: int) -> list[bytes]:
        return self._up().coop.leaves[start : min(end, start + 7)]

    def consistency(self, old_size: int, new_size: int) -> list[bytes]:
        return Tree(self._up().coop.leaves).consistency(old_size, new_size)

    def cosign(self, size: int, line: bytes) -> None:
        server = self._up()
        note = sign_checkpoint(server.coop.assembly.checkpoint(size), server.coop.log_key)
        server.note = add_cosignatures(note, line)

    def submit(self, statement: bytes) -> SubmitReply:
        server, made = self._up(), Statement.parse(statement)
        if statement in server.coop.leaves:
            return SubmitReply(made.digest, server.coop.leaves.index(statement))
        return SubmitReply(made.digest, server.coop.append(made))

    def pending(self, kinds: Sequence[str], after: bytes = b"") -> list[bytes]:
        digests = list(self._up().tray)
        shown = digests[digests.index(after) + 1 :] if after in digests else digests
        return [self._server.tray[one].leaf() for one in shown if self._server.tray[one].kind in kinds]

    def endorse(self, digest: bytes, key: bytes, signature: bytes) -> SubmitReply:
        from vicinia.identity import VerifyingKey

        server = self._up()
        if digest not in server.tray:
            raise NotFound("nothing waits here.")
        made = server.tray[digest].endorse(VerifyingKey.from_bytes(key), signature)
        server.tray[digest] = made
        return SubmitReply(digest, None, "others")

    def job(self, job_hash: bytes) -> bytes:
        if job_hash not in self._up().jobs:
            raise NotFound("no such job.")
        return self._server.jobs[job_hash].canonical()

    def manifest(self, run_id: bytes) -> tuple[bytes, bytes]:
        run = self._run(run_id)
        return run.manifest.canonical(), run.job.canonical()

    def model(self, run_id: bytes, offset: int) -> ModelPiece:
        body = self._run(run_id).model
        return ModelPiece(len(body), body[offset : offset + 1000])

    def rounds(self, run_id: bytes) -> tuple[bytes, ...]:
        return self._run(run_id).rounds

    def advertise(self, run_id: bytes, advert: Advert) -> int:
        return self._message(run_id, "advertise", advert, lambda run: run.round.add_advert(advert))

    def next(self, run_id: bytes, after: Phase) -> Published:
        run = self._run(run_id)
        return Published(run.phase, 70, run.published(self._household, after))

    def share(self, run_id: bytes, upload: ShareUpload) -> int:
        return self._message(run_id, "share", upload, lambda run: run.round.add_shares(self._household, upload))

    def upload(self, run_id: bytes, elements: int, width: int, packed: bytes) -> int:
        def take(run: Run) -> None:
            assert run.noise is not None
            assert (elements, width) == (run.noise.length, run.noise.width)
            if self._household not in run.inputs:
                run.total += run.round.check_input(self._household, packed)
                run.inputs.add(self._household)

        return self._message(run_id, "input", packed, take)

    def attest(self, run_id: bytes, signature: bytes) -> int:
        def take(run: Run) -> None:
            position = run.round.position(self._household)
            run.round.add_attestation(self._household, Attestation(position, signature))

        return self._message(run_id, "commit", signature, take)

    def unmask(self, run_id: bytes, shares: UnmaskShares) -> int:
        return self._message(run_id, "unmask", shares, lambda run: run.round.add_unmask(self._household, shares))

    def close(self) -> None:
        pass

    def _message(self, run_id: bytes, step: str, message: Any, take: Callable[[Run], None]) -> int:
        run, place = self._run(run_id), (self._household, f"{step} {run_id.hex()}")
        self._server.crash(self._household, f"before {step}")
        known = self._server.sent.get(place)
        assert known is None or known == message, f"two different messages of the step {step}"
        if known is None:
            take(run)
            self._server.sent[place] = message
        elif run.phase > {"advertise": 1, "share": 2, "input": 3, "commit": 4, "unmask": 5}[step]:
            raise PhaseOver("the phase is over.")
        self._server.crash(self._household, f"after {step}")
        return 0

    def _run(self, run_id: bytes) -> Run:
        run = self._up().run
        if run is None or run.manifest.digest != run_id:
            raise NotFound("no such run.")
        return run

    def _up(self) -> Server:
        if self._server.down:
            raise Unavailable("the coordinator is away.")
        return self._server


def joined_home(folder: Path, server: Server, key: SigningKey) -> Home:
    """A home with this key that has joined the cooperative."""
    home, coop = Home.create(folder), server.coop
    facts: Mapping[str, bytes] = {
        "identity": key.seed,
        "household": key.public.id.encode(),
        "tls-key": TlsKey.generate().pem,
        "coop": coop.coop.encode(),
        "genesis": coop.assembly.genesis_digest,
        "log-key": coop.log_key.public.raw,
        "address": b"localhost:1",
        "enrolment": b"localhost:2",
        "ca": b"",
        "certificate": b"",
    }
    with home.database.transaction("join"):
        for name, value in facts.items():
            home.facts.put(name, value)
    remember(home, server)
    return home


def remember(home: Home, server: Server) -> None:
    """Let a home know of everything that the simulation signed in its name."""
    own = identity(home.facts).public
    for leaf in server.coop.leaves:
        statement = Statement.parse(leaf)
        if statement.signed_by(own):
            Signed(home.database).add(statement.digest, statement.kind, leaf, 0)
