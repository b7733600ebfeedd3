"""Jobs, for researchers who submit them and members who read them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from vicinia.assembly import Job, draft_proposal
from vicinia.assembly.statements import Proposal, rounded_down
from vicinia.coordinator.clock import Clock
from vicinia.coordinator.services import learnt
from vicinia.coordinator.services.ledger import Ledger
from vicinia.coordinator.services.live_runs import LiveRuns
from vicinia.coordinator.services.standing import Standing, is_training
from vicinia.coordinator.services.statements import Statements
from vicinia.coordinator.services.terms import check_job, compiled, datasets_of
from vicinia.coordinator.services.words import shown
from vicinia.coordinator.store import artifacts, jobs, runs
from vicinia.coordinator.store.database import Database
from vicinia.coordinator.store.jobs import JobRow, Stage
from vicinia.coordinator.store.runs import RunRow
from vicinia.errors import InvalidInput, NotAccepted, NotFound, PermissionDenied, TooLarge, ViciniaError
from vicinia.identity import Principal, Role
from vicinia.tlog.canonical import canonical
from vicinia.tlog.statement import Statement
from vicinia.training.beginning import bytes_expected, given_model
from vicinia.training.compiled import Training
from vicinia.training.computation import Computation, require_possible
from vicinia.wire.research import (
    ArtifactPiece,
    ArtifactRequest,
    DataSetsReply,
    JobReply,
    JobStatus,
    ResultReply,
    RoundStatus,
)

__all__ = ["Research"]

_MAX_WAITING = 20
_DRAFT_MS = 3_600_000


class Research:
    """Checks, takes and shows jobs."""

    def __init__(
        self, database: Database, ledger: Ledger, statements: Statements, live: LiveRuns, clock: Clock
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._statements = statements
        self._standing = Standing(ledger, live)
        self._clock = clock

    def datasets(self) -> DataSetsReply:
        """The registered data sets, and how many households there are, about."""
        assembly = self._ledger.assembly
        definitions = tuple(canonical(logged.dataset.definition) for logged in assembly.datasets.values())
        return DataSetsReply(definitions, rounded_down(len(assembly.active_members)))

    def check(self, caller: Principal, body: bytes) -> bytes:
        """The terms that a proposal of this job would have, canonical JSON; raises what is wrong with it."""
        job = self._own_job(caller, body)
        self._compile(job)
        with self._ledger.lock:
            check_job(job, self._ledger.assembly, self._clock())
            draft = draft_proposal(job, self._clock(), self._ledger.assembly)
        terms = {
            "class": draft.class_,
            "opens": draft.opens,
            "deadline": draft.deadline,
            "runs": draft.runs,
            "registry_size": draft.registry_size,
        }
        return canonical(terms)

    def model_expected(self, caller: Principal, body: bytes) -> int:
        """How many bytes of a researcher's model must come with this job; 0 for a job that needs none, is here
        already, or is wrong, which `submit` tells. TooLarge where too many of the researcher's jobs wait: then the
        model is not even received."""
        job = self._own_job(caller, body)
        found = self._compile(job)
        with self._database.read() as connection:
            known = jobs.find(connection, job.hash)
        expected = bytes_expected(found) if isinstance(found, Training) and known is None else 0
        if expected:
            self._check_quota(caller)
        return expected

    def submit(self, caller: Principal, body: bytes, leaf: bytes, model: bytes = b"") -> bytes:
        """Take a job and its signed proposal, and the researcher's model where its training begins with one; the
        job's hash.

        A job that the check finds wrong is kept as rejected, with the reason, which is raised, too; with a model that
        is not the one that the job names, nothing is kept.
        """
        job = self._own_job(caller, body)
        statement = Statement.parse(leaf)
        if statement.kind != Proposal.KIND:
            raise InvalidInput(f"This is a statement {statement.kind!r}, no proposal.", where="proposal")
        proposal = Proposal.from_payload(statement.payload)
        job_hash, now_ms = job.hash, self._clock()
        self._compile(job)
        found: Computation | ViciniaError
        try:
            found = self._checked(job, now_ms)
        except ViciniaError as error:
            found = error
        with self._ledger.lock:
            with self._database.read() as connection:
                known = jobs.find(connection, job_hash)
            if known is not None:
                return self._again(known, statement)
            self._check_quota(caller)
            if isinstance(found, ViciniaError):
                self._keep(job, statement, Stage.REJECTED, str(found), now_ms)
                raise found
            _check_model(found, model)
            self._check_proposal(job, proposal, statement, now_ms)
            self._keep(job, statement, Stage.SUBMITTED, "", now_ms, model)
        return job_hash

    def _checked(self, job: Job, now_ms: int) -> Computation:
        """What the job computes; raises what is wrong with it, such as that the members there are could not run it."""
        with self._ledger.lock:
            assembly = self._ledger.assembly
            found, members = check_job(job, assembly, now_ms), len(assembly.active_members)
        # Without the lock, since it can take long. The log may grow meanwhile, as it may between this call and the
        # sponsor's, which fixes the electorate: that the job could be run is a look ahead, upon which nothing is built.
        # The proposal becomes a leaf only under the log's rules at that leaf, and every run derives its noise from its
        # own roster. Nor does a data set change what it means: a name is defined once.
        require_possible(found, job, members, assembly.bylaws)
        return found

    def _compile(self, job: Job) -> Computation | None:
        """What takes long, before the log is held still; what is wrong is told after what else may be."""
        with self._ledger.lock:
            definitions = datasets_of(job, self._ledger.assembly)
        with suppress(ViciniaError):
            return compiled(job, definitions)
        return None

    def jobs(self, caller: Principal) -> tuple[JobStatus, ...]:
        """Every job, newest first; a rejected one is shown to its researcher alone."""
        with self._database.read() as connection:
            rows = jobs.every(connection, seen_by=caller.id)
            newest = {row.job_hash: runs.newest_of(connection, row.job_hash) for row in rows}
        return tuple(self._standing.of(row, newest[row.job_hash]) for row in rows)

    def job(self, caller: Principal, job_hash: bytes) -> JobReply:
        """One job: where it stands, its text, and its places in the log."""
        row, run = self._found(caller, job_hash)
        rounds = self._rounds(row) if self._may_read(caller, row) else ()
        return JobReply(self._standing.of(row, run), row.body, row.proposal_index, row.certificate_index, rounds)

    def result(self, caller: Principal, job_hash: bytes) -> ResultReply:
        """What was released, for the job's researcher and for members; of a training the model card."""
        row, run = self._found(caller, job_hash)
        self._check_reader(caller, row)
        vote = self._ledger.assembly.votes.get(job_hash)
        if is_training(row.body) and vote is not None:
            with self._database.read() as connection:
                return learnt.card(connection, vote, row)
        if run is None or run.release is None or run.release_index is None:
            raise NotFound(f"There is no result; the job is {row.stage}.", where="result", hint=row.reason)
        return ResultReply(run.release, run.release_index)

    def artifact(self, caller: Principal, asked: ArtifactRequest) -> ArtifactPiece:
        """A piece of what a training left behind, for whoever may read its result."""
        row, _ = self._found(caller, asked.job_hash)
        self._check_reader(caller, row)
        vote = self._ledger.assembly.votes.get(asked.job_hash)
        if vote is None:
            raise NotFound(f"There is no result; the job is {row.stage}.", where="artifact", hint=row.reason)
        with self._database.read() as connection:
            return learnt.artifact(connection, vote, asked)

    def _found(self, caller: Principal, job_hash: bytes) -> tuple[JobRow, RunRow | None]:
        """The job and its newest run; NotFound where there is none that the caller may see."""
        with self._database.read() as connection:
            row = jobs.find(connection, job_hash)
            run = runs.newest_of(connection, job_hash)
        if row is None or not _may_see(caller, row):
            raise _unknown(job_hash)
        return row, run

    def _rounds(self, row: JobRow) -> tuple[RoundStatus, ...]:
        """The released rounds of a training."""
        vote = self._ledger.assembly.votes.get(row.job_hash)
        if vote is None or not vote.releases or not is_training(row.body):
            return ()
        with self._database.read() as connection:
            return learnt.rounds(connection, vote)

    def _may_read(self, caller: Principal, row: JobRow) -> bool:
        try:
            self._check_reader(caller, row)
        except PermissionDenied:
            return False
        return True

    def _check_reader(self, caller: Principal, row: JobRow) -> None:
        """Results are for the job's researcher and for members; who enrolled only, or has left, is none."""
        if caller.role is Role.RESEARCHER:
            if caller.id != row.researcher:
                raise PermissionDenied("The result belongs to another researcher.", where="result")
            return
        member = self._ledger.assembly.member(caller.id)
        if member is None or not member.active:
            raise PermissionDenied("Results are for members of the cooperative.", where="result")

    def _own_job(self, caller: Principal, body: bytes) -> Job:
        if caller.role is not Role.RESEARCHER:
            raise PermissionDenied("Only researchers submit jobs.", where="job")
        job = Job.from_canonical(body)
        if job.coop != self._ledger.coop:
            raise InvalidInput("The job is for another cooperative.", where="job.coop")
        if job.researcher != caller.id:
            raise PermissionDenied("The job names another researcher.", where="job.researcher")
        if caller.id not in self._ledger.assembly.researchers:
            raise NotAccepted(
                "This researcher is not accredited yet.", where="job.researcher", hint="The registrars have to approve."
            )
        return job

    def _check_quota(self, caller: Principal) -> None:
        """Nobody fills the members' list of jobs: so many wait for a sponsor, and so many rejected ones are kept."""
        with self._database.write("make room for a job") as connection:
            jobs.forget(connection, caller.id, Stage.REJECTED, keep=_MAX_WAITING - 1)
            waiting = jobs.count(connection, caller.id, Stage.SUBMITTED)
        if waiting >= _MAX_WAITING:
            raise TooLarge(
                f"{waiting} jobs of this researcher wait for a sponsor.", where="job", hint="Wait for the members."
            )

    def _check_proposal(self, job: Job, proposal: Proposal, statement: Statement, now_ms: int) -> None:
        """The proposal is of this job, of now, and signed by its researcher alone; it can become a leaf."""
        statement.verify()
        assembly = self._ledger.assembly
        if [signer for signer, _ in statement.signatures] != [assembly.researchers[job.researcher].key]:
            raise InvalidInput("The proposal must carry the researcher's signature alone.", where="proposal")
        if abs(proposal.opens - now_ms) > _DRAFT_MS:
            raise InvalidInput("The proposal was not drafted just now.", where="proposal.opens", hint="Draft it again.")
        drafted = draft_proposal(job, proposal.opens, assembly)
        registered, counted = drafted.registry_size, proposal.registry_size
        close = counted <= registered and 20 * counted >= 19 * registered  # some may have registered since
        if not close or replace(proposal, registry_size=registered) != drafted:
            hint = "Draft it again."
            raise InvalidInput("The proposal is not what follows from the job.", where="proposal", hint=hint)

    def _again(self, known: JobRow, statement: Statement) -> bytes:
        if known.proposal != statement.digest:
            raise InvalidInput(
                "This job was submitted before, with another proposal.", where="proposal", hint="Change its title."
            )
        if known.stage is Stage.REJECTED:
            raise NotAccepted(known.reason, where="job")
        return known.job_hash

    def _keep(self, job: Job, statement: Statement, stage: Stage, reason: str, now_ms: int, model: bytes = b"") -> None:
        row = JobRow(
            job.hash, job.canonical(), job.title, job.researcher, statement.digest, stage, shown(reason), now_ms
        )
        with self._database.write(f"job is {stage}") as connection:
            jobs.add(connection, row)
            if model:
                artifacts.add(connection, job.hash, model)
            if stage is Stage.SUBMITTED:
                self._statements.hold(connection, statement)


def _check_model(found: Computation, model: bytes) -> None:
    """The bytes themselves must come, though the coordinator may have them: a hash is public, a model need not be."""
    if isinstance(found, Training) and found.plan.initial_given:
        given_model(found, model)
    elif model:
        raise InvalidInput("A model came with a job that begins with none.", where="model")


def _may_see(caller: Principal, row: JobRow) -> bool:
    """A rejected job was never put before the members."""
    return row.stage is not Stage.REJECTED or caller.id == row.researcher


def _unknown(job_hash: bytes) -> NotFound:
    return NotFound("There is no such job.", where=f"job {job_hash.hex()[:16]}", hint="List them.")
