"""The job: what is voted on, hashed, and run; and the rule that says which majority it needs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.codec import Choice, Integer, Items, Maybe, Nested, Text
from vicinia.assembly.learning import TrainingPlan
from vicinia.assembly.payload import Household, Payload, Slug
from vicinia.assembly.purposes import NON_COMMERCIAL, PURPOSE_PATTERN
from vicinia.assembly.statements.people import RECIPIENTS
from vicinia.errors import InvalidInput
from vicinia.tlog.canonical import canonical, parse_canonical

__all__ = ["COMMERCIAL", "KINDS", "RECIPIENTS", "Job", "Period", "Purpose", "proposal_class"]

KINDS = ("query", "train")
COMMERCIAL = "commercial"
MAX_JOB_BYTES = 32 * 1024
_KEPT = 32

Purpose = Annotated[str, Text(64, PURPOSE_PATTERN, "a DPV purpose such as dpv:NonCommercialResearch")]
Quarter = Text(6, r"[0-9]{4}Q[1-4]", "a calendar quarter such as 2014Q1")
Period = Annotated[tuple[str, str] | None, Maybe(Items(Quarter, low=2, high=2))]
Title = Annotated[str, Text(120)]
Why = Annotated[str, Text(4000, prose=True)]
Query = Annotated[str, Text(10_000, prose=True, empty=True)]


@dataclass(frozen=True, slots=True)
class Job(Payload):
    """One computation that the members are asked to accept; `hash` is all that the public log shows of it.

    `kind` "query" has a `query` and no `training`, "train" a `training` plan and an empty query.
    `period` is the first and the last calendar quarter, both included, or None for all; `rho_nano` is zCDP's rho in
    10^-9; `researcher` the id of an accredited key.
    """

    coop: Slug
    kind: Annotated[str, Choice(KINDS)]
    title: Title
    purpose: Purpose
    why: Why
    researcher: Household
    recipient: Annotated[str, Choice(RECIPIENTS)]
    datasets: Annotated[tuple[str, ...], Items(Text(40), low=1, high=16, distinct=True)]
    query: Query
    training: Annotated[TrainingPlan | None, Maybe(Nested(TrainingPlan.from_payload))]
    period: Period
    rho_nano: Annotated[int, Integer(1, 10**12)]
    floor: Annotated[int, Integer(1, 131_072)]
    price_cents: Annotated[int, Integer(0, 10**12)]
    retention_days: Annotated[int, Integer(1, 36_500)]

    def __post_init__(self) -> None:
        if self.period is not None and self.period[0] > self.period[1]:
            raise InvalidInput(f"The period ends before it begins: {' to '.join(self.period)}.", where="job.period")
        if (self.kind == "query") != bool(self.query.strip()):
            raise InvalidInput("A job of the kind query has a query, and no other has one.", where="job.query")
        if (self.kind == "train") != (self.training is not None):
            raise InvalidInput("A job of the kind train has a plan, and no other has one.", where="job.training")

    @property
    def question(self) -> str:
        """What is computed, for people: the query, or what is learnt from what."""
        return self.query if self.training is None else self.training.sentence

    def runs(self, bylaws: ByLaws) -> int:
        """How many runs it may take: of a query as many as the by-laws say, of training the plan's rounds and spare."""
        return bylaws.max_runs if self.training is None else self.training.runs

    def canonical(self) -> bytes:
        """RFC 8785 JSON: the bytes that are sent, stored and hashed."""
        return _canonical(self)[0]

    @classmethod
    def from_canonical(cls, data: bytes) -> Job:
        """Parse what `canonical` wrote; any other spelling of the same job is refused."""
        if len(data) > MAX_JOB_BYTES:
            raise InvalidInput(f"The job is larger than {MAX_JOB_BYTES} bytes.", where="job")
        return cls.from_payload(parse_canonical(data, where="job"))

    @property
    def hash(self) -> bytes:
        """SHA-256 of the canonical bytes, by which proposal, certificate and rosters name the job."""
        return _canonical(self)[1]


@lru_cache(maxsize=_KEPT)
def _canonical(job: Job) -> tuple[bytes, bytes]:
    """The bytes and their hash; every home of a process asks for the same job's, several times a run."""
    data = canonical(job.payload())
    return data, hashlib.sha256(data).digest()


def proposal_class(job: Job) -> str:
    """`ordinary` for a free query by nobody commercial for a purpose that is certainly not, else `special`.

    The list of purposes is closed: a term that nobody here has thought of needs three quarters yes, and so do those
    that DPV defines to include law enforcement or security (`dpv:ImprovePublicServices`).
    """
    free = job.recipient != COMMERCIAL and job.price_cents == 0 and job.purpose in NON_COMMERCIAL
    return "ordinary" if free and job.kind == "query" else "special"
