"""The client: what a researcher can ask of a cooperative, checked against its public log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Self

from vicinia.assembly import Assembly
from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.job import Job
from vicinia.assembly.jobspec import JobSpec
from vicinia.assembly.statements import Genesis, Proposal, Release
from vicinia.coordinator.client.expectation import Expectation
from vicinia.coordinator.client.folder import Folder, Membership, default_folder
from vicinia.coordinator.client.link import JobStatus, Link
from vicinia.coordinator.client.renewal import fresh_certificate
from vicinia.coordinator.client.result import Proof, Result
from vicinia.errors import InvalidInput, ProofInvalid, Unavailable
from vicinia.identity.keys import SigningKey
from vicinia.privacy.conversion import epsilon_to_rho_nano
from vicinia.query.dataset import DataSet
from vicinia.query.plan import Plan, compile_query
from vicinia.tlog.canonical import parse_canonical
from vicinia.tlog.checkpoint import SignedCheckpoint, log_origin, open_checkpoint, witness_name
from vicinia.tlog.merkle import Tree
from vicinia.tlog.statement import Statement

__all__ = ["Client"]

LOOK_SECONDS = 0.1
PATIENCE_SECONDS = 60.0


class Client:
    """One researcher, one cooperative; every method may raise Unavailable and the errors of the other side."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self.membership: Membership = folder.membership()
        self._key: SigningKey = folder.identity()
        self._link = Link(self.membership.address, self.membership.authority.encode(), *fresh_certificate(folder))

    @classmethod
    def open(cls, path: Path | None = None) -> Self:
        """Connect as the researcher who logged in with `vicinia login`; NotFound when nobody did."""
        return cls(Folder(path or default_folder()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._link.close()

    def datasets(self) -> tuple[dict[str, DataSet], int]:
        """The registered data sets by name, and the number of households, rounded down to a multiple of ten."""
        definitions, households = self._link.data_sets()
        found = [DataSet.from_payload(parse_canonical(one, where="data set")) for one in definitions]
        return {one.name: one for one in found}, households

    def check(self, text: str, name: str = "JOB.toml") -> Expectation:
        """What a job means, costs and can be expected to show; InvalidInput names the line that is wrong."""
        job, plan = self._job(text, name)
        terms = parse_canonical(self._link.check(job.canonical()), where="terms")
        return Expectation.of(job, plan, self.bylaws, str(terms["class"]), int(terms["registry_size"]))

    def submit(self, text: str, name: str = "JOB.toml") -> str:
        """Sign and hand in a job; its hash, 64 hexadecimal digits."""
        job, _ = self._job(text, name)
        terms = parse_canonical(self._link.check(job.canonical()), where="terms")
        payload = {**terms, "coop": job.coop, "job": job.hash.hex(), "researcher": job.researcher}
        proposal = Statement(Proposal.KIND, Proposal.from_payload(payload).payload()).sign(self._key)
        if self._link.submit(job.canonical(), proposal.leaf()) != job.hash:
            raise ProofInvalid("The coordinator answered with the hash of another job.", where="submit")
        self._folder.keep_job(job.hash.hex(), text)
        return job.hash.hex()

    def jobs(self) -> tuple[JobStatus, ...]:
        """Your jobs and where they stand."""
        return self._link.jobs()

    def status(self, job_hash: str) -> JobStatus:
        """Where a job stands."""
        return self._link.job(_digest(job_hash))[0]

    def watch(self, job_hash: str, look_seconds: float = LOOK_SECONDS) -> Iterator[JobStatus]:
        """The states of a job as they change, up to its end; looks again after `look_seconds`."""
        last: JobStatus | None = None
        while last is None or not last.final:
            now = self.status(job_hash)
            if now != last:
                yield now
            last = now
            if not now.final:
                time.sleep(look_seconds)

    def result(self, job_hash: str, patience_seconds: float = PATIENCE_SECONDS) -> Result:
        """The released numbers; ProofInvalid unless the public log holds a `release` statement of exactly these.

        A release counts once the witnesses have confirmed it: waits for that, then Unavailable.
        """
        digest = _digest(job_hash)
        released = self._link.result(digest)
        job = self._asked(digest)
        leaves, root = self._log(released.index + 1, patience_seconds)
        statement = Statement.parse(leaves[released.index])
        if statement.kind != Release.KIND:
            raise ProofInvalid("The log has no release where the coordinator says.", where=f"leaf {released.index}")
        vouched = Release.from_payload(statement.payload)
        return Result.of(released.body, vouched, job, Proof(released.index, len(leaves), root))

    @cached_property
    def bylaws(self) -> ByLaws:
        """The cooperative's by-laws, from the genesis that the invitation pinned."""
        return self._genesis(next(self._link.leaves(1))).bylaws

    def _job(self, text: str, name: str) -> tuple[Job, Plan]:
        spec = JobSpec.parse_toml(text, name)
        definitions, _ = self.datasets()
        plan = compile_query(spec.query, definitions)
        delta = float(self.bylaws.delta_dp)
        job = spec.job(
            coop=self.membership.coop,
            researcher=self._key.public.id,
            recipient=self.membership.kind,
            datasets=(plan.dataset.name,),
            floor=self.bylaws.floor,
            rho_of_epsilon=lambda epsilon: epsilon_to_rho_nano(epsilon, delta),
        )
        return job, plan

    def _asked(self, digest: bytes) -> Job:
        job = Job.from_canonical(self._link.job(digest)[1])
        if job.hash != digest:
            raise ProofInvalid("The coordinator sent another job than the one that was asked for.", where="job")
        return job

    def _confirmed(self, genesis: Genesis) -> SignedCheckpoint:
        """The newest checkpoint that the log key and enough witnesses signed."""
        witnesses = {witness_name(genesis.coop, key): key for key in genesis.witnesses}
        signed = open_checkpoint(self._link.checkpoint(), log_origin(genesis.coop), genesis.log_key, witnesses)
        if len(signed.cosignatures) < genesis.bylaws.witnesses_needed:
            raise ProofInvalid("Too few witnesses have cosigned the log.", where="checkpoint")
        return signed

    def _log(self, size: int, patience_seconds: float) -> tuple[list[bytes], bytes]:
        """The whole log, replayed, of at least `size` leaves: its leaves and the root that is signed."""
        genesis = self._genesis(next(self._link.leaves(1)))
        ends = time.monotonic() + patience_seconds
        while (signed := self._confirmed(genesis)).checkpoint.size < size:
            if time.monotonic() >= ends:
                raise Unavailable(
                    "The witnesses have not confirmed the release yet.", where="log", hint="Try again in some minutes."
                )
            time.sleep(LOOK_SECONDS)
        leaves = list(self._link.leaves(signed.checkpoint.size))
        if Tree(leaves).root() != signed.checkpoint.root:
            raise ProofInvalid("The leaves are not those that the witnesses saw.", where="log")
        Assembly.from_leaves(leaves)
        return leaves, signed.checkpoint.root

    def _genesis(self, leaf: bytes) -> Genesis:
        statement = Statement.parse(leaf)
        if statement.digest.hex() != self.membership.genesis:
            raise ProofInvalid("This is not the cooperative that the invitation named.", where="log, leaf 0")
        return Genesis.from_payload(statement.payload)


def _digest(job_hash: str) -> bytes:
    try:
        digest = bytes.fromhex(job_hash)
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise InvalidInput("A job is named by its hash, 64 hexadecimal digits.", where="job")
    return digest
