"""The client: what a researcher can ask of a cooperative, checked against its public log."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Self

from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.job import Job
from vicinia.assembly.jobspec import JobSpec
from vicinia.assembly.statements import Proposal, Release
from vicinia.coordinator.client.artifacts import Artifacts
from vicinia.coordinator.client.compiling import compiled
from vicinia.coordinator.client.expectation import Expectation
from vicinia.coordinator.client.folder import Folder, Membership, default_folder
from vicinia.coordinator.client.initial import initial_model, require_as_trained
from vicinia.coordinator.client.limits import require_within
from vicinia.coordinator.client.link import JobStatus, Link, Released
from vicinia.coordinator.client.log_reader import LogReader
from vicinia.coordinator.client.renewal import fresh_certificate
from vicinia.coordinator.client.result import Proof, Result
from vicinia.coordinator.client.trained_model import TrainedModel
from vicinia.coordinator.client.verification import verified_model
from vicinia.errors import AlreadyExists, InvalidInput, NotAccepted, NotFound, ProofInvalid, Unavailable
from vicinia.identity.keys import SigningKey
from vicinia.privacy.conversion import epsilon_to_rho_nano
from vicinia.query.dataset import DataSet
from vicinia.query.plan import Plan
from vicinia.tlog.canonical import parse_canonical
from vicinia.tlog.statement import Statement
from vicinia.training.compiled import Training
from vicinia.training.model import Model

__all__ = ["Client", "pace"]

LOOK_SECONDS, MOST_LOOK_SECONDS = 0.1, 10.0
PATIENCE_SECONDS = 60.0
AWAY_SECONDS = 600.0
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Client:
    """One researcher, one cooperative; every method may raise Unavailable and the errors of the other side."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self.membership: Membership = folder.membership()
        self._key: SigningKey = folder.identity()
        self._link = Link(self.membership.address, self.membership.authority.encode(), *fresh_certificate(folder))
        self._log = LogReader(self._link, self.membership)

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

    def check(self, text: str, name: str = "JOB.toml", folder: Path | None = None) -> Expectation:
        """What a job means, costs and can be expected to show; InvalidInput names the line that is wrong.

        folder: where the paths in the text begin, by default the working directory.
        """
        job, plan, _ = self._job(text, name, folder)
        require_within(job, self.bylaws, text, name)
        terms = parse_canonical(self._link.check(job.canonical()), where="terms")
        return Expectation.of(job, plan, self.bylaws, str(terms["class"]), int(terms["registry_size"]))

    def submit(self, text: str, name: str = "JOB.toml", folder: Path | None = None) -> str:
        """Sign and hand in a job, with the model that it names, if any; its hash, 64 hexadecimal digits.

        folder: where the paths in the text begin, by default the working directory.
        AlreadyExists for a job that was handed in before, NotAccepted for one that this cooperative could not run.
        """
        job, plan, model = self._job(text, name, folder)
        self._refuse_again(job, text)
        require_within(job, self.bylaws, text, name)
        terms = parse_canonical(self._link.check(job.canonical()), where="terms")
        expected = Expectation.of(job, plan, self.bylaws, str(terms["class"]), int(terms["registry_size"]))
        if expected.refusal:
            raise NotAccepted(expected.refusal, where=name, hint=expected.help)
        payload = {**terms, "coop": job.coop, "job": job.hash.hex(), "researcher": job.researcher}
        proposal = Statement(Proposal.KIND, Proposal.from_payload(payload).payload()).sign(self._key)
        brought = b"" if model is None else model.to_bytes()
        if self._link.submit(job.canonical(), proposal.leaf(), brought) != job.hash:
            raise ProofInvalid("The coordinator answered with the hash of another job.", where="submit")
        self._folder.keep_job(job.hash.hex(), text)
        return job.hash.hex()

    def jobs(self) -> tuple[JobStatus, ...]:
        """Your jobs and where they stand."""
        return self._link.jobs()

    def find(self, word: str) -> str:
        """The hash that `word` begins, among your own jobs and then all; NotFound where that is none or several."""
        if _HASH.fullmatch(word):
            return word
        found: list[str] = []
        for known in (self._folder.jobs, lambda: [one.job_hash for one in self.jobs()]):
            found = [name for name in known() if word and name.startswith(word.lower())]
            if len(found) == 1:
                return found[0]
        what = f"{len(found)} jobs begin with {word!r}." if found else f"No job begins with {word!r}."
        hint = "Give more of its hash, or all 64 digits; vicinia jobs lists them."
        raise NotFound(what, where="job", hint=hint)

    def status(self, job_hash: str) -> JobStatus:
        """Where a job stands."""
        return self._link.job(_digest(job_hash))[0]

    def watch(self, job_hash: str, look_seconds: float | None = None) -> Iterator[JobStatus]:
        """The states of a job as they change, up to its end; looks again after `look_seconds`, by default as it suits.

        A coordinator that is away for some minutes ends nothing.
        """
        last: JobStatus | None = None
        heard = time.monotonic()
        while last is None or not last.final:
            try:
                now = self.status(job_hash)
            except Unavailable:
                if last is None or time.monotonic() - heard > AWAY_SECONDS:
                    raise
                time.sleep(look_seconds or LOOK_SECONDS)
                continue
            heard = time.monotonic()
            if now != last:
                yield now
            last = now
            if not now.final:
                time.sleep(pace(now, time.time()) if look_seconds is None else look_seconds)

    def result(self, job_hash: str, patience_seconds: float = PATIENCE_SECONDS) -> Result:
        """The released numbers; ProofInvalid unless the public log holds a `release` statement of exactly these.

        A release counts once the witnesses have confirmed it: waits for that, then Unavailable.
        """
        digest = _digest(job_hash)
        job = self._asked(digest)
        if job.training is not None:
            does = "evaluates" if job.training.only_evaluates else "trains"
            raise InvalidInput(f"This job {does} a model.", where="result", hint="Ask for its model.")
        released = self._released(digest)
        log = self._log.confirmed(released.index + 1, patience_seconds)
        statement = Statement.parse(log.leaves[released.index])
        if statement.kind != Release.KIND:
            raise ProofInvalid("The log has no release where the coordinator says.", where=f"leaf {released.index}")
        vouched = Release.from_payload(statement.payload)
        return Result.of(released.body, vouched, job, Proof(released.index, log.size, log.root))

    def trains(self, job_hash: str) -> bool:
        """Whether the job trains or evaluates a model; else `result` has its numbers."""
        return self._asked(_digest(job_hash)).training is not None

    def model(self, job_hash: str, patience_seconds: float = PATIENCE_SECONDS) -> TrainedModel:
        """The model, trained or evaluated; ProofInvalid unless it follows from the confirmed log (see `TrainedModel`).

        A model counts once the witnesses have confirmed it: waits for that, then Unavailable.
        """
        digest = _digest(job_hash)
        job = self._asked(digest)
        if job.training is None:
            raise InvalidInput("This job trains no model.", where="model", hint="Ask for its result.")
        released = self._released(digest)
        log = self._log.confirmed(released.index + 1, patience_seconds)
        proof = Proof(released.index, log.size, log.root)
        return verified_model(job, released.body, log.assembly, proof, Artifacts(self._link, digest))

    def definitions(self, job_hash: str) -> tuple[Job, dict[str, DataSet]]:
        """A job and the definitions of the data sets that it reads: what predicting with its model needs."""
        job, known = self._asked(_digest(job_hash)), self.datasets()[0]
        return job, {name: known[name] for name in job.datasets if name in known}

    @cached_property
    def bylaws(self) -> ByLaws:
        """The cooperative's by-laws, from the genesis that the invitation pinned."""
        return self._log.genesis.bylaws

    def _job(self, text: str, name: str, folder: Path | None) -> tuple[Job, Plan | Training, Model | None]:
        """The job, what it computes, and the model that it names."""
        spec = JobSpec.parse_toml(text, name)
        model = initial_model(spec.file, folder or Path()) if spec.file is not None else None
        definitions, _ = self.datasets()
        plan = compiled(spec, definitions, name, model)
        if spec.file is not None and isinstance(plan, Training):
            require_as_trained(spec.file, folder or Path(), plan)
        delta = float(self.bylaws.delta_dp)
        job = spec.job(
            coop=self.membership.coop,
            researcher=self._key.public.id,
            recipient=self.membership.kind,
            datasets=tuple(one.name for one in plan.datasets),
            floor=self.bylaws.floor,
            rho_of_epsilon=lambda epsilon: epsilon_to_rho_nano(epsilon, delta),
            training=plan.plan if isinstance(plan, Training) else None,
        )
        return job, plan, model

    def _refuse_again(self, job: Job, text: str) -> None:
        """The same words are the same job: asked once, whatever became of it."""
        try:
            known = self._link.job(job.hash)[0]
        except NotFound:
            return
        short, place = known.job_hash[:12], f"job {known.job_hash[:12]}"
        if known.state == "rejected":
            raise NotAccepted(f"This job was rejected already: {known.reason}", where=place, hint="Change the job.")
        self._folder.keep_job(known.job_hash, text)
        raise AlreadyExists(
            f"You have submitted exactly this job before; it is {known.state}.",
            where=place,
            hint=f"Follow it with: vicinia watch {short}. To ask once more, give it another title.",
        )

    def _released(self, digest: bytes) -> Released:
        try:
            return self._link.result(digest)
        except NotFound as error:
            error.hint = error.hint or f"Follow the job with: vicinia watch {digest.hex()[:12]}"
            raise

    def _asked(self, digest: bytes) -> Job:
        job = Job.from_canonical(self._link.job(digest)[1])
        if job.hash != digest:
            raise ProofInvalid("The coordinator sent another job than the one that was asked for.", where="job")
        return job


def pace(now: JobStatus, at: float) -> float:
    """Seconds until another look is worth while: a hundredth of what is left, or of the wait for a sponsor."""
    ends_ms = now.deadline_ms if now.state == "voting" else now.phase_deadline_ms
    span = at - now.submitted_ms / 1000 if now.state == "submitted" else ends_ms / 1000 - at
    return min(max(span / 100, LOOK_SECONDS), MOST_LOOK_SECONDS)


def _digest(job_hash: str) -> bytes:
    if not _HASH.fullmatch(job_hash):
        raise InvalidInput("A job is named by its hash, 64 hexadecimal digits.", where="job")
    return bytes.fromhex(job_hash)
