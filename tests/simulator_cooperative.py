"""A whole cooperative in memory, with all its keys: for every test that needs a log to be true, or to be false.

    coop = Cooperative.found(households=12)      # genesis, data set, 12 members, by two registrars each
    job = coop.job(floor=10)                     # by an accredited researcher
    coop.propose(job)                            # researcher and sponsor sign; the witness sees it
    coop.vote(job, yes=7, no=2, abstain=1)       # one ballot a household, from index 0 on
    coop.close(job); coop.certify(job)           # the clock moves to the deadline; close, tally, certificate
    assert coop.may_run(job).ok

`coop.accept(job)` does the last four lines with everybody saying yes. `coop.leaves` is the log, `coop.assembly` its
replay, `coop.checkpoint()` a note that every witness has cosigned now, `coop.replay()` what a newcomer makes of it.
The clock is `coop.now_ms` and moves only by `advance`. All keys derive from names, so a run is repeatable.
Registrars and the witness are homes, as in a real cooperative: registrar i has the first key of household i.
`coop.signed(payload, *keys)` and `coop.append` write any other statement.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from vicinia.assembly import (
    Assembly,
    ByLaws,
    Job,
    TrainingPlan,
    Verdict,
    Vote,
    build_accredit,
    build_ballot,
    build_certificate,
    build_close,
    build_dataset,
    build_genesis,
    build_member,
    build_model,
    build_proposal,
    build_release,
    build_roster,
    build_tally,
    statement,
)
from vicinia.assembly.learning import Chosen, Input
from vicinia.assembly.payload import Payload
from vicinia.identity import SigningKey
from vicinia.tlog.checkpoint import add_cosignatures, cosign, sign_checkpoint, witness_name
from vicinia.tlog.statement import Statement

NOW_MS = 1_790_000_000_000
DAY_MS = 86_400_000
BYLAWS = ByLaws(name="The valley", vote_seconds=3600, floor=10)
BUDGET: dict[str, Any] = {
    "name": "budget",
    "description": "Weekly spending of the household",
    "category": "pd:Transactional",
    "timezone": "Europe/London",
    "columns": [
        {"name": "fuel", "type": "real", "low": "0", "high": "0.4", "unit": "share", "required": 1},
        {"name": "kids", "type": "enum", "values": [1, 2], "per_household": 1},
    ],
}


def key(name: str) -> SigningKey:
    """The key of that name, always the same."""
    return SigningKey.from_seed(hashlib.sha256(name.encode()).digest())


class Subject(Protocol):
    """What is voted on: a job, or a data set's definition, by its hash."""

    @property
    def hash(self) -> bytes: ...


@dataclass
class Cooperative:
    """Everybody's keys, the log, and its replay. Made by `found`."""

    coop: str
    log_key: SigningKey
    founder: SigningKey
    registrars: list[SigningKey]
    witnesses: list[SigningKey]
    assembly: Assembly
    leaves: list[bytes]
    now_ms: int
    households: list[SigningKey] = field(default_factory=list)
    researchers: list[SigningKey] = field(default_factory=list)
    openings: dict[bytes, bytes] = field(default_factory=dict)

    @classmethod
    def found(
        cls,
        households: int = 12,
        *,
        coop: str = "valley",
        bylaws: ByLaws = BYLAWS,
        datasets: tuple[dict[str, Any], ...] = (BUDGET,),
        registrars: int = 3,
        witnesses: int = 1,
        researchers: int = 1,
        now_ms: int = NOW_MS,
    ) -> Cooperative:
        """Genesis and data sets by the founder, then members and researchers."""
        log_key, founder = key(f"{coop} log"), key(f"{coop} founder")
        offices = [key(f"{coop} household {n}") for n in range(max(registrars, witnesses))]
        named = [office.public for office in offices]
        genesis = build_genesis(
            coop, now_ms, founder.public, log_key.public, bylaws, named[:registrars], named[:witnesses]
        ).sign(founder)
        leaf = genesis.leaf()
        self = cls(coop, log_key, founder, offices[:registrars], offices[:witnesses], Assembly(leaf), [leaf], now_ms)
        for definition in datasets:
            self.append(build_dataset(coop, definition).sign(founder))
        self.admit(households)
        for _ in range(researchers):
            self.accredit()
        return self

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now_ms += round(seconds * 1000)

    def signed(self, payload: Payload, *keys: SigningKey) -> Statement:
        """A statement of this payload with these signatures; nothing is appended."""
        made = statement(payload)
        for one in keys:
            made = made.sign(one)
        return made

    def append(self, made: Statement) -> int:
        """Log a statement, as the coordinator does: only if the assembly takes it. Returns its index."""
        leaf = made.leaf()
        self.assembly.append(leaf)
        self.leaves.append(leaf)
        return len(self.leaves) - 1

    def replay(self) -> Assembly:
        """What somebody who has only the leaves and the genesis's digest makes of them."""
        return Assembly.from_leaves(self.leaves, self.assembly.genesis_digest)

    def endorsed(self, made: Statement) -> Statement:
        """With as many registrars' signatures as the by-laws need."""
        for registrar in self.registrars[: self.assembly.bylaws.registrars_needed]:
            made = made.sign(registrar)
        return made

    def admit(self, count: int = 1) -> list[str]:
        """Register more households; returns their ids."""
        ids = []
        for _ in range(count):
            new = key(f"{self.coop} household {len(self.households)}")
            self.append(self.endorsed(build_member(self.coop, new.public).sign(new)))
            self.households.append(new)
            ids.append(new.public.id)
        return ids

    def accredit(self, recipient: str = "non-profit", days: int = 365) -> SigningKey:
        """Accredit one more researcher."""
        new = key(f"{self.coop} researcher {len(self.researchers)}")
        expires = self.now_ms + days * DAY_MS
        made = build_accredit(self.coop, new.public, "University of the Valley", recipient, self.now_ms, expires)
        self.append(self.endorsed(made.sign(new)))
        self.researchers.append(new)
        return new

    def job(self, **changes: Any) -> Job:
        """A job of the first researcher on the data set `budget`, with these fields changed."""
        plain = Job(
            coop=self.coop,
            kind="query",
            title="Fuel in families with children",
            purpose="dpv:NonCommercialResearch",
            why="To see how heating costs weigh on families.",
            researcher=self.researchers[0].public.id,
            recipient="non-profit",
            datasets=("budget",),
            query="SELECT kids, COUNT(DISTINCT household), AVG(fuel) FROM budget GROUP BY kids",
            training=None,
            period=None,
            rho_nano=64_000_000,
            floor=10,
            price_cents=0,
            retention_days=365,
        )
        return replace(plain, **changes)

    def training(self, rounds: int = 2, spare: int = 1, **changes: Any) -> Job:
        """A training job of the first researcher, with these fields of the job changed."""
        value = [Input("budget", "fuel", ""), Input("budget", "kids", "")]
        plan = TrainingPlan(
            unit="row",
            inputs=(value[0],),
            target=value[1],
            where="",
            examples=1,
            standardise="bounds",
            recipe=Chosen.of("logistic", 1, {"l2": 10**9}),
            strategy=None,
            clip=None,
            rounds=rounds,
            spare=spare,
            holdout_nano=0,
            initial=bytes(32),
            initial_given=False,
        )
        return self.job(**({"kind": "train", "query": "", "training": plan} | changes))

    def model(self, job: Job, run: int = 0, digest: bytes = bytes(32), clip_nano: int = 10**9) -> int:
        """Log the model of one run of a training; returns its leaf."""
        return self.append(build_model(self.coop, job.hash, run, digest, clip_nano).sign(self.log_key))

    def researcher_of(self, job: Job) -> SigningKey:
        """The key of the researcher that a job names."""
        return next(one for one in self.researchers if one.public.id == job.researcher)

    def propose(self, job: Job, sponsor: int = 0) -> Vote:
        """Log the proposal of a job and let the witnesses see it."""
        made = build_proposal(job, self.now_ms, self.assembly)
        self.append(made.sign(self.researcher_of(job)).sign(self.households[sponsor]))
        self.openings[job.hash] = self.checkpoint()
        return self.assembly.vote_on(job.hash)

    def ballot(self, job: Subject, household: int, choice: str, seq: int = 1) -> int:
        """Log one household's ballot."""
        voter = self.assembly.members[household].id
        return self.append(build_ballot(self.assembly, job.hash, voter, choice, seq).sign(self.households[household]))

    def vote(self, job: Subject, yes: int = 0, no: int = 0, abstain: int = 0) -> None:
        """That many ballots, by the households from index 0 on."""
        choices = ["yes"] * yes + ["no"] * no + ["abstain"] * abstain
        for household, choice in enumerate(choices):
            self.ballot(job, household, choice)

    def checkpoint(self, size: int | None = None, at_ms: int | None = None) -> bytes:
        """A note over the first `size` leaves that every witness cosigned, now by default."""
        note = sign_checkpoint(self.assembly.checkpoint(size), self.log_key)
        seconds = (self.now_ms if at_ms is None else at_ms) // 1000
        lines = (cosign(note, one, witness_name(self.coop, one.public), seconds) for one in self.witnesses)
        return add_cosignatures(note, *lines)

    def close(self, job: Subject) -> None:
        """Wait until the vote may end, then log the close and the tally."""
        opening = self.openings[job.hash]
        self.now_ms = max(self.now_ms, self.assembly.closes_at(job.hash, opening) + 999)
        self.append(build_close(self.assembly, job.hash, opening, self.checkpoint()).sign(self.log_key))
        self.append(build_tally(self.assembly, job.hash).sign(self.log_key))

    def certify(self, job: Subject, max_runs: int | None = None) -> None:
        """Log the certificate of a job that was accepted."""
        self.append(build_certificate(self.assembly, job.hash, max_runs).sign(self.log_key))

    def accept(self, job: Job) -> Vote:
        """Everything from proposal to certificate, with every household saying yes."""
        self.propose(job)
        self.vote(job, yes=len(self.households))
        self.close(job)
        self.certify(job)
        return self.assembly.vote_on(job.hash)

    def may_run(self, job: Job, run: int = 0) -> Verdict:
        """The verdict of a home that has the whole log under a fresh checkpoint."""
        assembly = self.replay()
        return assembly.may_run(job, run, self.now_ms, assembly.open_note(self.checkpoint()))

    def roster(self, job: Job, run: int = 0, binding: bytes = bytes(32), size: int | None = None) -> int:
        """Log the roster of a run; returns its leaf."""
        exact = len(self.households) if size is None else size
        return self.append(build_roster(self.coop, job.hash, run, binding, exact).sign(self.log_key))

    def release(self, job: Job, run: int = 0, digest: bytes = bytes(32)) -> int:
        """Log the release of a run; returns its leaf."""
        size = self.assembly.rosters(job.hash)[run].roster.size
        return self.append(build_release(self.coop, job.hash, run, digest, size, job.rho_nano).sign(self.log_key))
