"""After a backup was restored: the leaves that the database lacks, from a home's copy of the log."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection
from vicinia.assembly import Job
from vicinia.assembly.statements import Accredit, Certificate, Member, Proposal, Release, Roster, Tally
from vicinia.coordinator.clock import Clock
from vicinia.coordinator.services.copy_of_log import CopyOfLog
from vicinia.coordinator.services.last_shown import LastShown
from vicinia.coordinator.services.last_signed import LastSigned, contradiction
from vicinia.coordinator.services.ledger import Ledger
from vicinia.coordinator.store import checkpoints, invitations, jobs, messages, people, runs, tray
from vicinia.coordinator.store.database import Database
from vicinia.coordinator.store.jobs import JobRow, Stage
from vicinia.coordinator.store.people import Person
from vicinia.errors import AlreadyExists, NotFound, ProofInvalid, StorageFault
from vicinia.identity import Role, VerifyingKey
from vicinia.tlog.checkpoint import Checkpoint, log_origin, open_checkpoint, sign_checkpoint
from vicinia.tlog.merkle import Tree
from vicinia.tlog.statement import Statement
from vicinia.wire.published import Phase

__all__ = ["Recovered", "Recovery"]

_log = logging.getLogger(__name__)
_LOST = "The coordinator was restored from a backup, and the run was lost."


@dataclass(frozen=True, slots=True)
class Recovered:
    """`added` leaves make a log of `size`; `missing` more were signed, and are in another home's copy, if anywhere.

    `voided` invitations can no longer be used.
    """

    added: int
    size: int
    missing: int
    voided: int


class Recovery:
    """Works on a database that nobody serves."""

    def __init__(self, database: Database, ledger: Ledger, signed: LastSigned, shown: LastShown, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._signed = signed
        self._shown = shown
        self._clock = clock

    def is_behind(self) -> bool:
        """Whether homes may have seen more of the runs than this database knows, though its log is complete."""
        kept = self._shown.read()  # before the database is: another process may serve, and go on meanwhile
        with self._database.read() as connection:
            known = runs.transitions(connection)
        return known > 0 if kept is None else kept > known

    def catch_up(self) -> None:
        """Before anything is served: end the runs of a database that is behind; the cooperative goes on."""
        if self.is_behind():
            _log.warning(
                "the database is older than what homes have seen of its runs, %d of which end", self._end_runs()
            )
        with self._database.read() as connection:
            self._shown.keep(runs.transitions(connection))

    def take_as_newest(self) -> Recovered:
        """Where the file is missing and nothing was restored: what the database has signed was signed last."""
        if self._signed.read() is not None:
            raise AlreadyExists("It is known what the log has signed last.", where="--newest", hint="Leave it out.")
        with self._database.read() as connection:
            newest, known = checkpoints.newest(connection), runs.transitions(connection)
        size = newest[0].size if newest else 0
        voided = self._void_invitations()
        self._shown.keep(known)
        self._signed.write(Checkpoint(log_origin(self._ledger.coop), size, self._ledger.tree.root(size)))
        return Recovered(0, self._ledger.size, 0, voided)

    def take_from(self, copy: CopyOfLog) -> Recovered:
        """Append what the copy has more, each leaf under the assembly's rules, all under a root that this log signed.

        ProofInvalid where the copy is not of this log, NotFound where it has nothing more. An interruption is no harm.
        """
        theirs = open_checkpoint(copy.note, log_origin(self._ledger.coop), self._ledger.key.public, {}).checkpoint
        tree, before, kept = Tree(copy.leaves), self._ledger.size, self._signed.read()
        if (tree.size, tree.root()) != (theirs.size, theirs.root):
            raise ProofInvalid("The leaves are not those that the log has signed.", where=copy.where)
        if theirs.size <= before:
            raise NotFound(f"The copy has {theirs.size} leaves, and here are {before}.", where=copy.where)
        ours = Checkpoint(theirs.origin, before, self._ledger.tree.root())
        if contradiction(tree, ours) or (kept is not None and kept.size <= tree.size and contradiction(tree, kept)):
            raise ProofInvalid("The copy is of another history than this database.", where=copy.where)
        self._end_runs()
        voided = self._void_invitations()
        for index in range(before, theirs.size):
            self._append(index, copy.leaves[index], copy.jobs)
        if kept is None or kept.size < theirs.size:
            self._signed.write(theirs)
        with self._database.write("keep the recovered checkpoint") as connection:  # or an older one would wait for ever
            if checkpoints.of_size(connection, theirs.size) is None:
                checkpoints.add(connection, theirs.size, sign_checkpoint(theirs, self._ledger.key), self._clock())
        missing = 0 if kept is None else max(0, kept.size - theirs.size)
        return Recovered(theirs.size - before, theirs.size, missing, voided)

    def _void_invitations(self) -> int:
        """Which of them were used since the backup is not known, nor in the log: none may admit a second household."""
        with self._database.write("void invitations") as connection:
            return invitations.void(connection, self._clock())

    def _append(self, index: int, leaf: bytes, known: Mapping[bytes, bytes]) -> None:
        statement = Statement.parse(leaf)

        def also(connection: Connection, _index: int) -> None:
            tray.drop(connection, statement.digest)
            self._follow(connection, statement, index, known)

        if self._ledger.append(statement, also) != index or self._ledger.tree.size != index + 1:
            raise StorageFault("The leaf does not come to its place in the log.", where=f"leaf {index}")

    def _follow(self, connection: Connection, statement: Statement, index: int, known: Mapping[bytes, bytes]) -> None:
        """What else the database says of a leaf: who may renew a certificate, and where jobs stand."""
        payload = statement.payload
        match statement.kind:
            case Member.KIND:
                self._enrolled(connection, Member.from_payload(payload).key, Role.HOUSEHOLD)
            case Accredit.KIND:
                self._enrolled(connection, Accredit.from_payload(payload).key, Role.RESEARCHER)
            case Proposal.KIND:
                self._proposed(connection, statement, index, known)
            case Tally.KIND:
                self._tallied(connection, Tally.from_payload(payload))
            case Certificate.KIND:
                job = Certificate.from_payload(payload).job
                jobs.move(connection, job, Stage.ACCEPTED, certificate_index=index)
            case Roster.KIND | Release.KIND:
                jobs.move(connection, bytes.fromhex(payload["job"]), Stage.FAILED, _LOST)

    def _enrolled(self, connection: Connection, key: VerifyingKey, role: Role) -> None:
        people.add(connection, Person(key.id, role.value, key.raw), self._clock())

    def _proposed(self, connection: Connection, statement: Statement, index: int, known: Mapping[bytes, bytes]) -> None:
        proposal = Proposal.from_payload(statement.payload)
        if jobs.find(connection, proposal.job) is None and proposal.job in known:
            job = Job.from_canonical(known[proposal.job])
            body, now_ms = job.canonical(), self._clock()
            submitted = (job.title, job.researcher, statement.digest, Stage.SUBMITTED, "", now_ms)
            jobs.add(connection, JobRow(proposal.job, body, *submitted))
        vote = self._ledger.assembly.vote_on(proposal.job)
        jobs.opened(connection, proposal.job, index, proposal.deadline, vote.electorate)

    def _tallied(self, connection: Connection, tally: Tally) -> None:
        vote = self._ledger.assembly.vote_named(tally.proposal)
        jobs.tallied(connection, vote.proposal.job, tally.yes, tally.no, tally.abstain)
        if not tally.accepted:
            jobs.move(connection, vote.proposal.job, Stage.NOT_ACCEPTED, "The members did not accept it.")

    def _end_runs(self) -> int:
        """What the backup has of a run may contradict what its homes have seen since: none is continued.

        And what homes have seen counts as seen, so that the newer database, put back after all, is behind in its turn.
        """
        with self._database.write("end the runs of a backup") as connection:
            active = runs.active(connection)
            for run in active:
                vote = self._ledger.assembly.vote_on(run.job_hash)
                again = vote.certificate is not None and run.may_follow(vote.certificate.max_runs)
                again = again or bool(vote.releases)  # a training ends with what it has
                runs.change(connection, run.run_id, (run.phase,), phase=Phase.FAILED, reason=_LOST)
                jobs.move(connection, run.job_hash, Stage.ACCEPTED if again else Stage.FAILED, _LOST)
                messages.erase(connection, run.run_id)
            number = max(runs.transitions(connection), self._shown.read() or 0) + 1
            runs.raise_to(connection, number)
        self._shown.keep(number)
        return len(active)
