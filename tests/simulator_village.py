"""A coordinator's services with a village of homes around them, in one process, under a clock that stands still.

    village = Village(tmp_path, homes=8)
    job = village.accepted_job()                 # submitted, sponsored, voted on, certified
    village.until(job, Stage.RUNNING)            # ticks; homes answer each phase
    village.restart()                            # as after kill -9: everything is rebuilt from the database
    village.until(job, Stage.RELEASED)

Homes run the real state machines; `village.silent` are those that no longer answer. Nothing goes over a network:
calls are made as the servicers make them, with the caller's principal. `village.declining` poll and read manifests,
but join no run.
"""

from __future__ import annotations

import copy
import hashlib
import shutil
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from vicinia.assembly import ByLaws, Job, build_accredit, build_ballot, build_member, build_proposal
from vicinia.assembly.invitation import Invitation
from vicinia.coordinator.config import Folder
from vicinia.coordinator.services.cooperative import Cooperative
from vicinia.coordinator.services.founding import Charter, found
from vicinia.coordinator.services.invitations import Addresses
from vicinia.coordinator.services.result import release_body
from vicinia.coordinator.services.terms import Terms
from vicinia.coordinator.store import jobs, runs
from vicinia.coordinator.store.jobs import ENDS, JobRow, Stage
from vicinia.coordinator.store.runs import RunRow
from vicinia.errors import PhaseOver, ViciniaError
from vicinia.identity import Principal, Role, SigningKey, TlsKey
from vicinia.privacy.encode import contribution
from vicinia.privacy.noise import NoisePlan
from vicinia.query.layout import Layout
from vicinia.query.mapping import parse_map
from vicinia.query.plan import Plan
from vicinia.secagg.encoding import to_ring
from vicinia.secagg.manifest import PROTOCOL, Manifest
from vicinia.secagg.messages import Commitment, Dealers, RosterView, Survivors
from vicinia.secagg.node import NodeRound
from vicinia.tlog.checkpoint import cosign, witness_name
from vicinia.tlog.statement import Statement
from vicinia.wire.published import Outcome, Phase
from vicinia.wire.rounds import PollReply, PollRequest
from vicinia.wire.upload import UploadHeader

COOP = "valley"
START_MS = 1_700_000_000_000
ADDRESSES = Addresses("localhost:8443", "localhost:8444")
MAP = """
dataset     = "budget"
description = "Weekly spending"
category    = "pd:Transactional"
format      = "csv"
household   = "#row"
timezone    = "Europe/London"
[columns]
kids = { from = "kids", type = "enum", values = [1, 2], per = "household" }
fuel = { from = "fuel", type = "real", low = 0.0, high = 0.4, unit = "share", required = true }
"""
QUERY = "SELECT kids, COUNT(DISTINCT household), AVG(fuel) FROM budget GROUP BY kids"


def seeded(*parts: object) -> bytes:
    """32 bytes that follow from the parts."""
    return hashlib.sha256(repr(parts).encode()).digest()


@dataclass
class Home:
    """One household: its identity, and its side of the run that is under way."""

    number: int
    key: SigningKey
    state: NodeRound | None = None
    run_id: bytes = b""
    done: Phase = Phase.PHASE_UNSPECIFIED
    contributed: NDArray[np.int64] | None = None
    noise: NoisePlan | None = None
    outcome: Outcome | None = None

    @property
    def principal(self) -> Principal:
        return Principal(COOP, Role.HOUSEHOLD, self.key.public.id)


@dataclass
class Village:
    """`bylaws` override small and quick defaults; `faults` collects what homes were told when they were refused."""

    path: Path
    homes: int = 8
    bylaws: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.now_ms = START_MS
        self.village = [Home(number, SigningKey.from_seed(seeded("home", number))) for number in range(self.homes)]
        self.researcher = SigningKey.from_seed(seeded("researcher"))
        self.silent: set[int] = set()
        self.declining: set[int] = set()
        self.agreed: dict[bytes, Terms] = {}
        self.faults: list[ViciniaError] = []
        rules: dict[str, Any] = {
            "registrars_needed": 2,
            "vote_seconds": 60,
            "phase_seconds": 60,
            "poll_ms": 1000,
            "floor": 3,
        }
        public = [home.key.public for home in self.village]
        charter = Charter(
            coop=COOP,
            registrars=tuple(public[:3]),
            witnesses=(public[0],),
            bylaws=ByLaws(**(rules | {"delta": Fraction(1, 4)} | self.bylaws)),
            datasets=(parse_map(MAP)[0],),
        )
        self.folder = Folder(self.path / "coordinator")
        found(self.folder, charter, self.now_ms)
        self.coordinator = Cooperative.open(self.folder, lambda: self.now_ms)
        self.admit()

    def clone(self, path: Path) -> Village:
        """The same village in another folder, as far as it has come; quicker than founding another one."""
        twin = copy.copy(self)
        twin.path, twin.folder = path, Folder(path / "coordinator")
        twin.silent, twin.declining, twin.faults, twin.agreed = set(), set(), [], {}
        twin.village = [Home(home.number, home.key) for home in self.village]
        with self.coordinator.database.write("nobody writes meanwhile"):
            shutil.copytree(self.folder.path, twin.folder.path)
        twin.restart()
        return twin

    # ---- people

    def invitation(self) -> Invitation:
        """A household's."""
        return Invitation.parse(
            self.coordinator.inviter.households(1, ADDRESSES)[0], role="household", now_ms=self.now_ms
        )

    def researcher_invitation(self) -> Invitation:
        """A public institution's."""
        text = self.coordinator.inviter.researcher("University", "public", ADDRESSES)
        return Invitation.parse(text, role="researcher", now_ms=self.now_ms)

    def admit(self) -> None:
        """Every home enrols and the registrars approve; the researcher is accredited."""
        for home in self.village:
            leaf = build_member(COOP, home.key.public).sign(home.key).leaf()
            self.coordinator.enrolment.enrol(self.invitation().token, leaf, TlsKey.generate().signing_request())
        accredit = build_accredit(
            COOP, self.researcher.public, "University", "public", self.now_ms, self.now_ms + 10**10
        ).sign(self.researcher)
        token = self.researcher_invitation().token
        self.coordinator.enrolment.enrol(token, accredit.leaf(), TlsKey.generate().signing_request())
        for registrar in self.village[:3]:
            self.approve(registrar)
        self.tick()

    def approve(self, home: Home) -> None:
        """Endorse everything that waits for this home."""
        for leaf in self.coordinator.statements.pending(home.principal, ()):
            statement = Statement.parse(leaf)
            signature = dict(statement.sign(home.key).signatures)[home.key.public]
            self.coordinator.statements.endorse(statement.digest, home.key.public, signature)

    @property
    def researcher_principal(self) -> Principal:
        return Principal(COOP, Role.RESEARCHER, self.researcher.public.id)

    # ---- time

    def tick(self) -> None:
        """One tick of the coordinator; the witness, if it answers, cosigns what is offered to it."""
        self.coordinator.tick()
        if 0 not in self.silent:
            self.witness()

    def witness(self) -> None:
        """Home 0 polls and cosigns."""
        home = self.village[0]
        note = self.poll(home).uncosigned_note
        if note:
            line = cosign(note, home.key, witness_name(COOP, home.key.public), self.now_ms // 1000)
            size = int(note.split(b"\n")[1])
            self.coordinator.checkpoints.cosign(home.principal.id, size, line)

    def poll(self, home: Home, log_size: int = 0) -> PollReply:
        return self.coordinator.bulletin.poll(home.principal, PollRequest((PROTOCOL,), log_size))

    def wait(self, seconds: float) -> None:
        self.now_ms += int(seconds * 1000)

    def restart(self) -> None:
        """What is in memory is gone; nothing is closed or said good-bye to."""
        self.coordinator = Cooperative.open(self.folder, lambda: self.now_ms)
        self.coordinator.recovery.catch_up()

    # ---- jobs

    def job(self, **changes: object) -> Job:
        fields: dict[str, object] = {
            "coop": COOP,
            "kind": "query",
            "title": "Fuel",
            "purpose": "dpv:NonCommercialResearch",
            "why": "To know.",
            "researcher": self.researcher.public.id,
            "recipient": "public",
            "datasets": ["budget"],
            "query": QUERY,
            "training": None,
            "period": None,
            "rho_nano": 64_000_000,
            "floor": 3,
            "price_cents": 0,
            "retention_days": 30,
        }
        return Job.from_payload(fields | changes)

    def proposal(self, job: Job) -> Statement:
        return build_proposal(job, self.now_ms, self.coordinator.ledger.assembly).sign(self.researcher)

    def submit(self, job: Job) -> Job:
        """The researcher hands it in."""
        self.coordinator.research.submit(self.researcher_principal, job.canonical(), self.proposal(job).leaf())
        return job

    def sponsor(self, job: Job) -> None:
        """Home 1 sponsors what waits for a sponsor."""
        self.approve(self.village[1])
        assert job.hash in self.coordinator.ledger.assembly.votes

    def vote(self, job: Job, yes: int, no: int = 0, abstain: int = 0) -> None:
        choices = ["yes"] * yes + ["no"] * no + ["abstain"] * abstain
        for home, choice in zip(self.village, choices, strict=False):
            ballot = build_ballot(self.coordinator.ledger.assembly, job.hash, home.principal.id, choice, 1)
            self.coordinator.statements.submit(ballot.sign(home.key).leaf())

    def open_vote(self, job: Job) -> None:
        """From the proposal to an open vote that the witness has seen."""
        self.submit(job)
        self.sponsor(job)
        self.tick()
        self.tick()

    def accepted_job(self, **changes: object) -> Job:
        """A job that the members accepted, about to be run."""
        job = self.job(**changes)
        self.open_vote(job)
        self.vote(job, yes=self.homes - 1, no=1)
        self.wait(61)
        while self.row(job).stage is not Stage.ACCEPTED:
            self.tick()
        return job

    def row(self, job: Job) -> JobRow:
        with self.coordinator.database.read() as connection:
            row = jobs.find(connection, job.hash)
        assert row is not None
        return row

    def run_of(self, job: Job) -> RunRow:
        with self.coordinator.database.read() as connection:
            run = runs.newest_of(connection, job.hash)
        assert run is not None
        return run

    def until(self, job: Job, stage: Stage, rounds: int = 200) -> JobRow:
        """Tick, let the homes answer, let time pass, until the job is there; fails where it ends elsewhere."""
        for _ in range(rounds):
            self.tick()
            row = self.row(job)
            if row.stage is stage:
                return row
            assert row.stage not in ENDS, (row.stage, row.reason)
            self.answer_all()
            self.wait(5)
        raise AssertionError(f"the job is still {row.stage}")

    def until_phase(self, job: Job, phase: Phase, rounds: int = 60) -> RunRow:
        """The same for a phase of its run."""
        for _ in range(rounds):
            self.tick()
            if self.row(job).stage in (Stage.RECRUITING, Stage.RUNNING, *ENDS):
                run = self.run_of(job)
                if run.phase >= phase:
                    return run
            self.answer_all()
            self.wait(5)
        raise AssertionError("the run does not get there")

    # ---- runs

    def answer_all(self) -> None:
        for home in self.village:
            if home.number not in self.silent:
                self.answer(home)

    def answer(self, home: Home) -> None:
        """One step of a home: join a run that it is offered, or send what the run's phase asks for."""
        for offered in self.poll(home).runs:
            if home.number in self.declining:
                self.coordinator.publication.manifest(home.principal, offered.run_id)
            elif home.run_id != offered.run_id and offered.phase is Phase.ADVERTISE:
                self._join(home, offered.run_id)
        if home.state is None or home.outcome is not None:
            return
        try:
            self._next(home)
        except PhaseOver as error:
            self.faults.append(error)

    def index(self, home: Home) -> int:
        """The home's registry index: members are registered in the order in which they were approved."""
        member = self.coordinator.ledger.assembly.member(home.principal.id)
        assert member is not None
        return member.index

    def _join(self, home: Home, run_id: bytes) -> None:
        manifest = Manifest.from_canonical(self.coordinator.publication.manifest(home.principal, run_id)[0])
        secret = seeded("run", run_id, home.number)
        home.state, advert = NodeRound.start(manifest, self.index(home), home.key, secret)
        home.run_id, home.done, home.outcome, home.contributed = run_id, Phase.ADVERTISE, None, None
        self.coordinator.intake.advertise(home.principal, run_id, advert)

    def terms(self, home: Home) -> Terms:
        """What the home makes of the manifest and the job; every home the same, so it is done once."""
        assert home.state is not None
        if home.run_id not in self.agreed:
            manifest, job = home.state.manifest, self.coordinator.publication.manifest(home.principal, home.run_id)[1]
            terms = Terms.of(Job.from_canonical(job), self.coordinator.ledger.assembly, manifest.checkpoint_size)
            self.agreed[home.run_id] = terms
        return self.agreed[home.run_id]

    def terms_of(self, job: Job) -> Terms:
        """The terms of the job's newest run."""
        size = Manifest.from_canonical(self.run_of(job).manifest).checkpoint_size
        return Terms.of(job, self.coordinator.ledger.assembly, size)

    def expected_release(self, job: Job, homes: list[Home]) -> bytes:
        """The release that follows from what these homes put in."""
        noise = homes[0].noise
        assert noise is not None
        total = np.zeros(noise.length, np.int64)
        for home in homes:
            assert home.contributed is not None
            total += home.contributed
        terms = self.terms_of(job)
        assert isinstance(terms.plan, Plan)
        return release_body(terms, terms.plan, noise, self.run_of(job).number, total, len(homes))

    def _next(self, home: Home) -> None:
        intake, caller, run_id = self.coordinator.intake, home.principal, home.run_id
        published = self.coordinator.publication.next(caller, run_id, home.done, 1)
        assert home.state is not None
        match published.item:
            case RosterView() as view:
                terms = self.terms(home)
                home.state, upload = home.state.on_roster(view, terms.keys, terms.corrupt, terms.delta, terms.floor)
                intake.share(caller, run_id, upload)
                home.done = Phase.SHARE
            case Dealers() as dealers:
                self.upload(home, dealers)
                home.done = Phase.INPUT
            case Survivors() as survivors:
                home.state, attestation = home.state.on_survivors(survivors)
                if attestation is not None:
                    intake.attest(caller, run_id, attestation.signature)
                home.done = Phase.COMMIT
            case Commitment() as commitment:
                home.state, shares = home.state.on_commitment(commitment)
                intake.unmask(caller, run_id, shares)
                home.done = Phase.UNMASK
            case Outcome() as outcome:
                home.outcome = outcome

    def upload(self, home: Home, dealers: Dealers) -> None:
        """Home n spends 0.01 n on fuel and has one child or two."""
        assert home.state is not None
        header, packed = self.masked(home, dealers)
        self.coordinator.intake.expect(home.principal, header)
        self.coordinator.intake.upload(home.principal, header, packed)

    def masked(self, home: Home, dealers: Dealers) -> tuple[UploadHeader, bytes]:
        assert home.state is not None
        terms, state = self.terms(home), home.state.on_dealers(dealers)
        plan, layout = terms.noise(state.parameters), terms.plan.layout
        assert isinstance(layout, Layout)
        vector = np.zeros(layout.length)
        cell = home.number % 2
        vector[cell * layout.cell_width] = 1.0
        vector[cell * layout.cell_width + 1] = (0.01 * home.number - 0.2) / 0.2
        encoded = contribution(vector, plan, seeded("noise", home.run_id, home.number), layout.group_lengths)
        home.contributed, home.noise = encoded, plan
        home.state, packed = state.mask(to_ring(encoded, plan.width), plan.width)
        return UploadHeader(home.run_id, plan.length, plan.width, hashlib.sha256(packed).digest()), packed
